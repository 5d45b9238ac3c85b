/** Keeps the gauges of the fleet up to date. */
import type { createFleetMetrics } from '../runtime/metrics.ts';
import { type ModelState, stateOf } from './catalogue.ts';
import type { Seen } from './publisher.ts';
import { poolsOf, unitsLeft, unitsRefused } from './stacks.ts';

export type FleetMetrics = ReturnType<typeof createFleetMetrics>;

const states: readonly ModelState[] = ['callable', 'unserved', 'unpriced'];

export function createObserver(metrics: FleetMetrics) {
  return function observe(seen: Seen): void {
    metrics.nodes.set(seen.fleet.nodes.length);
    for (const state of states) {
      const count = seen.catalogue.models.filter((model) => stateOf(model) === state).length;
      metrics.models.set({ state }, count);
    }
    // A model that has lost its stacks disappears instead of keeping its last number.
    metrics.freeUnits.reset();
    for (const [model, stacks] of poolsOf(seen.fleet)) {
      metrics.freeUnits.set({ model }, unitsLeft(stacks, seen.uses.get(model) ?? new Map()));
    }
    metrics.refusedUnits.reset();
    for (const [model, stacks] of poolsOf(seen.discovered)) {
      metrics.refusedUnits.set({ model }, unitsRefused(stacks, seen.uses.get(model) ?? new Map()));
    }
  };
}

/**
 * Models that discovery has withdrawn stay in Envoy's configuration, with the nodes that served them, until no request
 * that was admitted under the old catalogue can still be on its way to them.
 */
import type { Fleet, FleetNode, ModelOffer } from '../domain/fleet.ts';

export type LeavingModel = {
  readonly offer: ModelOffer;
  /** Each with this model only. */
  readonly nodes: readonly FleetNode[];
  /** When it goes; nothing until the catalogue without it is out. */
  readonly untilMs: number | undefined;
};

/** The models that were in the configuration and are not in the fleet, with those that were leaving already. */
export function leavingFrom(options: {
  readonly before: Fleet;
  readonly now: Fleet;
  readonly leaving: readonly LeavingModel[];
  readonly nowMs: number;
}): readonly LeavingModel[] {
  const { before, now, leaving, nowMs } = options;
  const offered = new Set(now.models.map(({ id }) => id));
  const known = new Set(leaving.map(({ offer }) => offer.id));
  const staying = leaving.filter(
    ({ offer, untilMs }) => !offered.has(offer.id) && (untilMs === undefined || untilMs > nowMs),
  );
  const withdrawn = before.models.filter(({ id }) => !offered.has(id) && !known.has(id));
  const started = withdrawn.map(
    (offer): LeavingModel => ({ offer, nodes: nodesFor(before, offer.id), untilMs: undefined }),
  );
  return [...staying, ...started];
}

/** The fleet as Envoy sees it. */
export function withLeaving(fleet: Fleet, leaving: readonly LeavingModel[]): Fleet {
  if (leaving.length === 0) return fleet;
  const nodes = new Map(fleet.nodes.map((node) => [node.id, node]));
  for (const old of leaving.flatMap((model) => model.nodes)) {
    const node = nodes.get(old.id);
    nodes.set(old.id, node ? { ...node, models: [...node.models, ...old.models] } : old);
  }
  return {
    models: [...fleet.models, ...leaving.map(({ offer }) => offer)],
    nodes: [...nodes.values()],
  };
}

function nodesFor(fleet: Fleet, model: string): readonly FleetNode[] {
  return fleet.nodes
    .map((node) => ({ ...node, models: node.models.filter((served) => served.model === model) }))
    .filter(({ models }) => models.length > 0);
}

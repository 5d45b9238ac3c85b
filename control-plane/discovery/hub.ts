/** Runs all discovery sources and tells one merged fleet. */
import { emptyFleet, type Fleet } from '../../domain/fleet.ts';
import type { Logger } from '../../runtime/log.ts';
import { fingerprintOf } from '../fingerprint.ts';
import { mergeFleets } from './merge.ts';
import type { DiscoverySource, Notify } from './source.ts';

export type HubOptions = {
  /** In the order of their word: the first that names a node or model defines it. */
  readonly sources: readonly DiscoverySource[];
  /**
   * How long to wait for the first word of every source. A control plane that starts while a source is away must not
   * take the nodes of that source from Envoy at once.
   */
  readonly patienceMs: number;
  readonly notify: Notify;
  readonly log: Logger;
};

/** Tells nothing while no source has told anything: Envoy keeps its last configuration then. */
export async function startHub(options: HubOptions): Promise<{ close(): Promise<void> }> {
  const { sources, patienceMs, notify, log } = options;
  const fleets = new Map<string, Fleet>();
  let reported = '';
  let isPatient = true;

  function tell(): void {
    const isAwaited = isPatient && fleets.size < sources.length;
    if (isAwaited || fleets.size === 0) return;
    const known = sources.map(({ name }) => ({
      source: name,
      fleet: fleets.get(name) ?? emptyFleet,
    }));
    const { fleet, conflicts } = mergeFleets(known);
    const conflictsNow = fingerprintOf(conflicts);
    if (conflicts.length > 0 && conflictsNow !== reported) {
      log.warn({ conflicts }, 'the discovery sources contradict each other; the first one counts');
    }
    reported = conflictsNow;
    notify(fleet);
  }

  const timer = setTimeout(() => {
    isPatient = false;
    tell();
  }, patienceMs).unref();
  assertDistinct(sources);
  if (sources.length === 0) notify(emptyFleet);
  await Promise.all(
    sources.map((source) =>
      source.start((fleet) => {
        fleets.set(source.name, fleet);
        tell();
      }),
    ),
  );
  return {
    async close() {
      clearTimeout(timer);
      await Promise.all(sources.map((source) => source.close()));
    },
  };
}

function assertDistinct(sources: readonly DiscoverySource[]): void {
  const names = sources.map(({ name }) => name);
  if (new Set(names).size < names.length) {
    throw new Error(`discovery sources need distinct names, got ${names.join(', ')}`);
  }
}

import { describe, expect, it } from 'vitest';
import type { Fleet } from '../../domain/fleet.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { testFleet, testOffer } from '../testing.ts';
import { startHub } from './hub.ts';
import type { DiscoverySource, Notify } from './source.ts';
import { createFleetRecorder } from './testing.ts';

const fleetOf = (model: string): Fleet =>
  testFleet({ models: [testOffer(model, 1n)], nodes: { [`node-${model}`]: [model] } });

/** A source that tells what the test wants it to tell. */
function createSource(name: string) {
  const listeners: Notify[] = [];
  const source: DiscoverySource = {
    name,
    start: async (notify) => void listeners.push(notify),
    close: async () => undefined,
  };
  return { source, tell: (fleet: Fleet) => listeners[0]?.(fleet) };
}

describe('the hub of discovery', () => {
  it('tells an empty fleet where there is no source', async () => {
    const { fleets, notify } = createFleetRecorder();
    const hub = await startHub({ sources: [], patienceMs: 1000, notify, log: silentLog });
    await hub.close();
    expect(fleets).toEqual([{ models: [], nodes: [] }]);
  });

  it('waits for every source, then joins them', async () => {
    const { fleets, notify } = createFleetRecorder();
    const [one, two] = [createSource('one'), createSource('two')];
    const sources = [one.source, two.source];
    const hub = await startHub({ sources, patienceMs: 60_000, notify, log: silentLog });
    one.tell(fleetOf('a'));
    expect(fleets).toEqual([]);
    two.tell(fleetOf('b'));
    expect(fleets.at(-1)?.models.map(({ id }) => id)).toEqual(['a', 'b']);
    await hub.close();
  });

  it('goes on without a silent source once patience is over, but not without any', async () => {
    const { fleets, notify, until } = createFleetRecorder();
    const [one, two] = [createSource('one'), createSource('two')];
    const sources = [one.source, two.source];
    const hub = await startHub({ sources, patienceMs: 20, notify, log: silentLog });
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(fleets).toEqual([]);
    two.tell(fleetOf('b'));
    await until(({ models }) => models[0]?.id === 'b');
    await hub.close();
  });

  it('refuses two sources of one name', async () => {
    const sources = [createSource('one').source, createSource('one').source];
    const started = startHub({ sources, patienceMs: 1, notify: () => undefined, log: silentLog });
    await expect(started).rejects.toThrow('distinct names');
  });
});

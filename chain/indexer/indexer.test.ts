import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createChainStore } from '../../storage/chain-store.ts';
import { type OwnRedis, openRedis } from '../../storage/testing.ts';
import { startRedis } from '../../test/redis.ts';
import { until } from '../../test/until.ts';
import { expectedState } from '../testing/expected.ts';
import { coveredOf, follow, owner, types } from '../testing/following.ts';
import { startFullNode, type TestFullNode } from '../testing/full-node.ts';
import { liveOn } from '../testing/history.ts';
import { addressOf, TestLedger } from '../testing/ledger.ts';
import { createRandom, type Random } from '../testing/random.ts';
import type { StateChange } from './state.ts';
import type { ChainStore } from './store.ts';

let own: OwnRedis;
let databases = 0n;

beforeAll(async () => {
  own = await openRedis(await startRedis());
});
afterAll(() => own.close());

/** What was committed, in order, and from which height the objects were read. */
type Journal = { height: bigint; readonly changes: StateChange[]; resets: number };

const newStore = () =>
  createChainStore({ redis: own.redis, databaseId: addressOf(++databases + 0xda0000n) });

/** The store as a process sees it that dies without releasing, and whose commands fail before or after their effect. */
function recorded(options: { store: ChainStore; journal: Journal; chaos: Random }): ChainStore {
  const { store, journal, chaos } = options;
  const fail = () => {
    if (chaos.below(20) === 0) throw new Error('Redis did not answer');
  };
  return {
    ...store,
    release: async (lease) => (chaos.below(2) === 0 ? store.release(lease) : undefined),
    async commit(lease, change) {
      fail();
      const outcome = await store.commit(lease, change);
      if (outcome !== 'committed') return outcome;
      if (change.isReset) {
        journal.height = change.progress.covered;
        journal.changes.length = 0;
        journal.resets += 1;
      } else journal.changes.push(...change.changes);
      fail();
      return outcome;
    },
  };
}

const caughtUp = (store: ChainStore, ledger: TestLedger) =>
  until('the indexer catches up', async () => {
    const progress = (await store.load())?.progress;
    return progress?.covered === ledger.height && progress.status.kind === 'following';
  });

/** Tables as objects with their rows in order, so that a difference can be read. */
const sorted = (state: object) =>
  Object.fromEntries(
    Object.entries(state).map(([table, rows]: [string, ReadonlyMap<string, unknown>]) => [
      table,
      Object.fromEntries([...rows].sort(([left], [right]) => left.localeCompare(right))),
    ]),
  );

/** Redraws the faults of a node. */
function disturb({ faults }: TestFullNode, random: Random): void {
  faults.lagCheckpoints = BigInt(random.below(4));
  faults.scanCheckpointsMax = BigInt(1 + random.below(6));
  faults.itemsMax = 1 + random.below(10);
  faults.rowsPerPage = 1 + random.below(5);
  faults.listsEvents = random.below(4) > 0;
  faults.refusesCursors = random.below(2) === 0;
  faults.ignoresFilter = random.below(4) === 0;
  faults.fails = (what) => random.below(what === 'call' ? 12 : 25) === 0;
}

function soothe({ faults }: TestFullNode): void {
  faults.lagCheckpoints = 0n;
  faults.lowestCheckpoint = 0n;
  faults.fails = () => false;
}

/** Two providers, a chain that goes on, and everything that may go wrong, by the seed. */
async function startScene(seed: number) {
  const random = createRandom(seed);
  const chaos = createRandom(seed + 1000);
  const ledger = new TestLedger();
  const life = { ledger, random, owner, mayDelete: false };
  for (let checkpoint = 0; checkpoint < 20; checkpoint += 1) liveOn(life);
  const one = await startFullNode(ledger, { provider: 'one' });
  const two = await startFullNode(ledger, { provider: 'two' });
  const providers = [one, two];
  const store = newStore();
  const journal: Journal = { height: -1n, changes: [], resets: 0 };
  const start = () =>
    follow({
      served: chaos.pick(providers) ?? one,
      store: recorded({ store, journal, chaos }),
      leaseMs: 300,
    });
  for (const served of providers) disturb(served, chaos);
  // One leads, the other waits for its turn.
  const followings = [start(), start()];
  return { chaos, ledger, life, providers, store, journal, followings, start };
}
type Scene = Awaited<ReturnType<typeof startScene>>;

async function liveFor({ life, chaos }: Scene, checkpoints: number): Promise<void> {
  for (let checkpoint = 0; checkpoint < checkpoints; checkpoint += 1) {
    liveOn(life);
    await sleep(chaos.below(5));
  }
}

async function restart(scene: Scene): Promise<void> {
  const { chaos, followings, life, start } = scene;
  const [stopped] = followings.splice(chaos.below(2), 1);
  await stopped?.stop();
  if (chaos.below(2) === 0) liveOn(life);
  followings.push(start());
}

/** Up to where it has read, or beyond: then it must stand, not jump. */
async function pruneAWhile({ chaos, providers, store }: Scene): Promise<void> {
  const served = chaos.pick(providers);
  if (!served) return;
  served.faults.lowestCheckpoint = (await coveredOf(store)) + BigInt(chaos.below(6)) - 2n;
  await sleep(30);
  served.faults.lowestCheckpoint = 0n;
}

async function playRound(scene: Scene): Promise<void> {
  const { chaos, providers } = scene;
  await liveFor(scene, 1 + chaos.below(10));
  for (const served of providers) disturb(served, chaos);
  if (chaos.below(3) === 0) await restart(scene);
  if (chaos.below(4) === 0) await pruneAWhile(scene);
}

describe.each(Array.from({ length: 20 }, (_, index) => index + 1))(
  'with faults of seed %i',
  (seed) => {
    let scene: Scene;

    beforeAll(async () => {
      scene = await startScene(seed);
      const { ledger, providers, store } = scene;
      // The objects are read while the chain goes on.
      await liveFor(scene, 5);
      await until('the objects are read', async () => (await coveredOf(store)) >= 0n);
      scene.life.mayDelete = true;
      for (let round = 0; round < 12; round += 1) await playRound(scene);
      for (const served of providers) soothe(served);
      await caughtUp(store, ledger);
      for (const following of scene.followings) await following.stop();
      for (const served of providers) served.close();
    });

    it('the indexer ends with exactly the state of the full history', async () => {
      const { ledger, journal, store } = scene;
      const stored = await store.load();
      const expected = expectedState({ ledger, owner, height: journal.height });
      expect(sorted(stored?.state ?? {})).toEqual(sorted(expected));
      const status = { kind: 'following' };
      expect(stored?.progress).toMatchObject({ next: ledger.next, status });
    });

    it('no event is taken in twice, or in another order', () => {
      const { ledger, journal } = scene;
      const later = ledger.history.filter(({ checkpoint }) => checkpoint > journal.height);
      const happened = later.flatMap(({ event }) =>
        event.kind === 'node-key-committed' ? [event.publicKey] : [],
      );
      const taken = journal.changes.flatMap((change) =>
        change.table === 'keys' && change.row ? [change.row.publicKey] : [],
      );
      expect(taken).toEqual(happened);
    });

    it('poison is kept with its bytes, and nothing was skipped', async () => {
      const { ledger, journal, store } = scene;
      const poisoned = ledger.events.filter(
        ({ type, contents, position }) =>
          position.checkpoint > journal.height && types.read(type, contents).kind === 'poison',
      );
      const digests = poisoned.map(({ transactionDigest }) => transactionDigest).sort();
      const alarms = await store.alarms();
      const kept = alarms.flatMap((alarm) => (alarm.kind === 'poison' ? [alarm] : []));
      expect(kept.map(({ transactionDigest }) => transactionDigest).sort()).toEqual(digests);
      expect(kept).toHaveLength(alarms.length);
      expect(journal.resets).toBe(1);
    });
  },
);

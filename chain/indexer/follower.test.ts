import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nodeSmallId } from '../../domain/chain-ids.ts';
import { type ChainRecords, createChainStore } from '../../storage/chain-store.ts';
import { type OwnRedis, openRedis } from '../../storage/testing.ts';
import { startRedis } from '../../test/redis.ts';
import { until } from '../../test/until.ts';
import { coveredOf, type Following, follow } from '../testing/following.ts';
import { type Faults, startFullNode, type TestFullNode } from '../testing/full-node.ts';
import { addressOf, definingPackage, registerNodes, TestLedger } from '../testing/ledger.ts';
import type { FollowStatus } from './state.ts';

let own: OwnRedis;
let databases = 0;
let ledger: TestLedger;
let store: ChainRecords;
let served: TestFullNode;
let faults: Faults;
let followings: Following[];

beforeAll(async () => {
  own = await openRedis(await startRedis());
});
afterAll(() => own.close());
beforeEach(async () => {
  databases += 1;
  ledger = new TestLedger();
  store = createChainStore({ redis: own.redis, databaseId: addressOf(databases) });
  register(5);
  served = await startFullNode(ledger);
  faults = served.faults;
  followings = [];
});
afterEach(async () => {
  for (const following of followings) await following.stop();
  served.close();
});

const register = (checkpoints: number) => registerNodes(ledger, checkpoints);

function start(options: Partial<Parameters<typeof follow>[0]> = {}): Following {
  const following = follow({ served, store, ...options });
  followings.push(following);
  return following;
}

const caughtUp = () =>
  until('the indexer catches up', async () => (await coveredOf(store)) === ledger.height);
const statusIs = (kind: FollowStatus['kind']) =>
  until(`it is ${kind}`, async () => (await store.load())?.progress.status.kind === kind);
const nodesKnown = async () => (await store.load())?.state.nodes.size;
const alarmKinds = async () => (await store.alarms()).map(({ kind }) => kind);

describe('a follower', () => {
  it('begins with the objects, and goes on with the events', async () => {
    start();
    await caughtUp();
    expect(await nodesKnown()).toBe(5);
    register(3);
    await caughtUp();
    expect(await nodesKnown()).toBe(8);
    const badges = [...((await store.load())?.state.nodes.values() ?? [])].map(
      ({ badgeId }) => badgeId !== undefined,
    );
    expect(badges.filter(Boolean)).toHaveLength(3);
  });

  it('is woken by the subscription', async () => {
    start({ pollMs: 60_000 });
    await caughtUp();
    // The first rings may come before it listens.
    await until('it hears a checkpoint', async () => {
      ledger.execute();
      return (await coveredOf(store)) >= 6n;
    });
    const startedMs = performance.now();
    register(1);
    await caughtUp();
    expect(performance.now() - startedMs).toBeLessThan(2000);
  });

  it('needs no subscription', async () => {
    faults.fails = (what) => what === 'stream';
    faults.listsEvents = false;
    start({ pollMs: 50 });
    await caughtUp();
    register(2);
    await caughtUp();
    expect(await nodesKnown()).toBe(7);
  });

  it('reads whole checkpoints where events are not listed', async () => {
    faults.listsEvents = false;
    start();
    await caughtUp();
    register(200);
    await caughtUp();
    expect(await nodesKnown()).toBe(205);
  });

  it('lists events again once they are offered', async () => {
    let skippedMs = 0;
    faults.listsEvents = false;
    start({ nowMs: () => performance.now() + skippedMs });
    await caughtUp();
    register(2);
    await caughtUp();
    expect((await store.load())?.progress.cursor).toBeUndefined();
    faults.listsEvents = true;
    skippedMs = 61_000;
    register(2);
    await caughtUp();
    expect((await store.load())?.progress.cursor).toMatchObject({ provider: served.host });
    expect(await nodesKnown()).toBe(9);
  });

  it('catches up in small listings', async () => {
    start();
    await caughtUp();
    faults.itemsMax = 3;
    faults.scanCheckpointsMax = 2n;
    register(50);
    await caughtUp();
    expect(await nodesKnown()).toBe(55);
  });

  it('waits for an index that is behind', async () => {
    start();
    await caughtUp();
    faults.lagCheckpoints = 3n;
    register(5);
    await until('it has what is indexed', async () => (await coveredOf(store)) === 7n);
    faults.lagCheckpoints = 0n;
    await caughtUp();
    expect(await nodesKnown()).toBe(10);
  });

  it('goes on by coverage where its cursor means nothing any more', async () => {
    start();
    await caughtUp();
    register(2);
    await caughtUp();
    faults.provider = 'another';
    register(2);
    await caughtUp();
    expect(await nodesKnown()).toBe(9);
  });
});

describe('a follower stands still, visibly,', () => {
  it('where history was pruned, and goes on where it is to be had', async () => {
    const following = start();
    await caughtUp();
    await following.stop();
    register(10);
    faults.lowestCheckpoint = 10n;
    start();
    await statusIs('pruned');
    expect((await store.load())?.progress).toMatchObject({
      covered: 5n,
      status: { kind: 'pruned', start: 6n, lowest: 10n },
    });
    faults.lowestCheckpoint = 0n;
    await caughtUp();
    await statusIs('following');
    expect(await nodesKnown()).toBe(15);
    expect(await alarmKinds()).toEqual([]);
  });

  it('where history is pruned while it reads', async () => {
    const following = start();
    await caughtUp();
    await following.stop();
    register(10);
    faults.fails = (what) => {
      if (what === 'stream') faults.lowestCheckpoint = 10n;
      return false;
    };
    start();
    await statusIs('pruned');
    expect(await coveredOf(store)).toBe(5n);
  });

  it('unless it may jump, which is recorded', async () => {
    const following = start({ jumpsWhenPruned: true });
    await caughtUp();
    await following.stop();
    register(10);
    faults.lowestCheckpoint = 10n;
    start({ jumpsWhenPruned: true });
    await caughtUp();
    expect(await nodesKnown()).toBe(15);
    expect(await store.alarms()).toEqual([{ kind: 'jump', from: 5n, to: 15n }]);
  });

  it('before a node of another chain', async () => {
    start();
    await caughtUp();
    faults.chainId = 'another';
    register(3);
    await statusIs('halted');
    expect(await coveredOf(store)).toBe(5n);
    faults.chainId = 'test-chain';
    await caughtUp();
    await statusIs('following');
  });

  it('before a node that breaks the protocol, and takes nothing of that in', async () => {
    start();
    await caughtUp();
    faults.disorders = true;
    register(3);
    await statusIs('halted');
    expect(await coveredOf(store)).toBe(5n);
    expect(await nodesKnown()).toBe(5);
    faults.disorders = false;
    await caughtUp();
    expect(await nodesKnown()).toBe(8);
  });
});

describe('an alarm', () => {
  it('tells of a version of the package that nobody has approved', async () => {
    faults.packages = [definingPackage, addressOf(0x2b)];
    start();
    await until('it alarms', async () => (await store.alarms()).length > 0);
    const upgrade = { kind: 'upgrade', packageId: addressOf(0x2b), version: 2n };
    expect(await store.alarms()).toEqual([upgrade]);
  });

  it('does not tell of versions that are known', async () => {
    const later = addressOf(0x2b);
    faults.packages = [definingPackage, later];
    start({ knownPackages: [definingPackage, later] });
    await caughtUp();
    register(1);
    await caughtUp();
    expect(await alarmKinds()).toEqual([]);
  });

  it('tells of ids that never came', async () => {
    start();
    await caughtUp();
    const id = nodeSmallId(9n);
    ledger.execute([{ kind: 'node-registered', badgeId: addressOf(1), nodeId: id }]);
    await caughtUp();
    expect(await store.alarms()).toEqual([{ kind: 'gap', of: 'node', from: 6n, to: 8n }]);
  });
});

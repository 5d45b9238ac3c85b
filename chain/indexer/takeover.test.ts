import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ChainRecords, createChainStore } from '../../storage/chain-store.ts';
import { type OwnRedis, openRedis } from '../../storage/testing.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { until } from '../../test/until.ts';
import { coveredOf, type Following, follow } from '../testing/following.ts';
import { startFullNode, type TestFullNode } from '../testing/full-node.ts';
import { addressOf, registerNodes, TestLedger } from '../testing/ledger.ts';

let own: OwnRedis<TestRedis>;
let databases = 0;
let ledger: TestLedger;
let store: ChainRecords;
let served: TestFullNode;
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
  followings = [];
});
afterEach(async () => {
  for (const following of followings) await following.stop();
  served.close();
});

const register = (checkpoints: number) => registerNodes(ledger, checkpoints);

function start(leaseMs = 1000): Following {
  const following = follow({ served, store, leaseMs });
  followings.push(following);
  return following;
}

const caughtUp = () =>
  until('the indexer catches up', async () => (await coveredOf(store)) === ledger.height);
const nodesKnown = async () => (await store.load())?.state.nodes.size;

describe('two followers', () => {
  it('take turns: one follows, the other within 5 s of the first’s death', async () => {
    // Leads and dies without a word.
    expect(await store.acquire(3000)).toBeDefined();
    const diedMs = performance.now();
    start(3000);
    await caughtUp();
    const tookMs = performance.now() - diedMs;
    expect(tookMs).toBeGreaterThan(2500);
    expect(tookMs).toBeLessThan(5000);
  });

  it('hand over at once where the first is stopped', async () => {
    const first = start(3000);
    await caughtUp();
    start(3000);
    await first.stop();
    const stoppedMs = performance.now();
    register(1);
    await caughtUp();
    expect(performance.now() - stoppedMs).toBeLessThan(2000);
  });

  it('never both write', async () => {
    start();
    await caughtUp();
    // A third party takes the lease away, as after a long pause of the process.
    await own.redis.send(undefined, ['DEL', `{chain:${addressOf(databases)}}:lease`]);
    const thief = await store.acquire(600);
    if (!thief) throw new Error('the lease was renewed in between');
    register(5);
    expect(await coveredOf(store)).toBe(5n);
    await caughtUp();
    expect(await nodesKnown()).toBe(10);
  });
});

describe('an outage of Redis', () => {
  it('costs no event', async () => {
    start();
    await caughtUp();
    own.server.signal('SIGSTOP');
    register(5);
    await new Promise((resolve) => setTimeout(resolve, 1500));
    own.server.signal('SIGCONT');
    register(5);
    await until('it is written', async () => (await coveredOf(store).catch(() => -1n)) === 15n);
    expect(await nodesKnown()).toBe(15);
    expect(await store.alarms()).toEqual([]);
  });
});

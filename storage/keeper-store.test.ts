import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { microUsdc } from '../chain/costs.ts';
import type { EndedOperation, Operation } from '../chain/keeper/operation.ts';
import type { KeeperStore } from '../chain/keeper/store.ts';
import type { Lease } from '../chain/lease.ts';
import { nodeSmallId, stackSmallId, suiAddress, taskSmallId } from '../domain/chain-ids.ts';
import { redisKinds } from '../test/redis.ts';
import { createKeeperStore } from './keeper-store.ts';
import { treasuryKeys } from './keys.ts';
import { type OwnRedis, openRedis } from './testing.ts';

const address = (value: number) => suiAddress(`0x${value.toString(16).padStart(64, '0')}`);
const big = 2n ** 64n - 1n;

const order = {
  taskId: taskSmallId(big),
  units: big,
  pricePerMillion: 1n,
  cost: microUsdc(big),
};
const sent = {
  digest: 'digest',
  bytes: Uint8Array.of(0, 255, 7),
  signatures: ['one', 'two'],
  inputs: [{ objectId: address(3), version: big, digest: 'object' }],
  lastEpoch: 4n,
  builtAtHeight: big,
};
const begun = { id: 'one', startedMs: 1_700_000_000_000 };
const coinId = address(9);
const failure = { kind: 'abort', module: 'db', code: 312_012_022n } as const;
const operations: readonly Operation[] = [
  { kind: 'funding', ...begun, order, sent },
  { kind: 'buying', ...begun, order, coinId, sent },
  { kind: 'returning', ...begun, order, coinId, failure, sent },
  { kind: 'returning', ...begun, order, coinId, failure: { kind: 'not-landed' }, sent },
  { kind: 'collecting', ...begun, sent },
];
const withdrawal = {
  reference: 'one',
  accountId: 'acc_1',
  recipient: address(5),
  amount: microUsdc(big),
};
const withdrawing: Operation = { kind: 'withdrawing', ...begun, withdrawal, sent };
const end = { endedMs: begun.startedMs + 5 };
const bought: EndedOperation = {
  kind: 'bought',
  ...begun,
  ...end,
  order,
  stackId: stackSmallId(big),
  nodeId: nodeSmallId(1n),
  digest: 'digest',
  paid: microUsdc(7n),
};
const description = 'InsufficientGas';
const endings: readonly EndedOperation[] = [
  bought,
  { kind: 'failed', ...begun, ...end, order, failure, missing: microUsdc(0n) },
  { kind: 'collected', ...begun, ...end, amount: microUsdc(8n) },
  { kind: 'not-collected', ...begun, ...end, failure: { kind: 'failure', description } },
];

describe.each(redisKinds)('the keeper’s records over $name', ({ start }) => {
  let own: OwnRedis;
  let store: KeeperStore;
  let lease: Lease;
  let treasuries = 0;

  beforeAll(async () => {
    own = await openRedis(await start());
  });
  afterAll(() => own.close());
  beforeEach(async () => {
    treasuries += 1;
    store = createKeeperStore({ redis: own.redis, chainId: 'one', address: address(treasuries) });
    const acquired = await store.acquire(60_000);
    if (!acquired) throw new Error('nobody else keeps');
    lease = acquired;
  });

  const commit = (revision: number, operation: Operation | undefined, ended?: EndedOperation) =>
    store.commit(lease, { revision, operation, ended });

  it('begin with nothing', async () => {
    expect(await store.load(0)).toEqual({ operation: undefined, revision: 0, ended: [] });
  });

  it('give back every operation as it was', async () => {
    for (const [revision, operation] of operations.entries()) {
      expect(await commit(revision, operation)).toBe('committed');
      expect(await store.load(0)).toEqual({ operation, revision: revision + 1, ended: [] });
    }
  });

  it('keep how each ended, with what comes next, and give those of late', async () => {
    for (const [index, ended] of endings.entries()) {
      const endedMs = end.endedMs + index;
      expect(await commit(index, undefined, { ...ended, endedMs })).toBe('committed');
    }
    const all = endings.map((ended, index) => ({ ...ended, endedMs: end.endedMs + index }));
    const loaded = await store.load(0);
    expect(loaded).toEqual({ operation: undefined, revision: endings.length, ended: all });
    expect((await store.load(end.endedMs + 2)).ended).toEqual(all.slice(2));
  });

  it('are of one address on one chain', async () => {
    await commit(0, operations[0]);
    const other = { chainId: 'another', address: address(treasuries) };
    const elsewhere = createKeeperStore({ redis: own.redis, ...other });
    expect(await elsewhere.load(0)).toMatchObject({ operation: undefined, revision: 0 });
    expect(await elsewhere.acquire(60_000)).toBeDefined();
  });

  it('keep the payment of a withdrawal, and how it ended', async () => {
    const keys = treasuryKeys({ chainId: 'one', address: address(treasuries) });
    const stateIs = (text: string) =>
      own.redis.send(keys.treasury, ['HSET', keys.withdrawalStates, 'one', text]);
    const digest = 'digest';
    await own.redis.send(keys.treasury, ['ZADD', keys.withdrawalTimes, '1', 'one']);
    for (const [index, ended] of [
      { kind: 'paid', ...begun, ...end, withdrawal, digest } as const,
      { kind: 'not-paid', ...begun, ...end, withdrawal, failure } as const,
    ].entries()) {
      await stateIs('queued');
      expect(await commit(2 * index, withdrawing)).toBe('committed');
      expect(await store.load(0)).toMatchObject({ operation: withdrawing });
      expect(await commit(2 * index + 1, undefined, ended)).toBe('committed');
      expect((await store.load(0)).ended).toContainEqual(ended);
    }
    await stateIs('cancelling');
    expect(await commit(4, withdrawing)).toBe('stale');
    expect(await store.load(0)).toMatchObject({ operation: undefined, revision: 4 });
  });

  it('refuse an earlier holder of the lease, and change nothing by it', async () => {
    await store.release(lease);
    expect(await store.acquire(60_000)).toBeDefined();
    expect(await commit(0, operations[0], bought)).toBe('fenced');
    expect(await store.load(0)).toEqual({ operation: undefined, revision: 0, ended: [] });
  });

  it('refuse a command that comes late, and change nothing by it', async () => {
    await commit(0, operations[0]);
    expect(await commit(0, operations[1], bought)).toBe('stale');
    expect(await store.load(0)).toEqual({ operation: operations[0], revision: 1, ended: [] });
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Alarm, Progress, StateChange } from '../chain/indexer/state.ts';
import type { Lease } from '../chain/lease.ts';
import { nodeSmallId, stackSmallId, suiAddress, taskSmallId } from '../domain/chain-ids.ts';
import { redisKinds } from '../test/redis.ts';
import { type ChainRecords, createChainStore } from './chain-store.ts';
import { type OwnRedis, openRedis } from './testing.ts';

const address = (value: number) => suiAddress(`0x${value.toString(16).padStart(64, '0')}`);
const big = 2n ** 64n - 1n;
const bytes = Uint8Array.of(0, 255, 7);
const node = { nodeId: nodeSmallId(1n), badgeId: undefined };
const ids = { taskId: taskSmallId(big), nodeId: nodeSmallId(2n) };
const stackId = stackSmallId(3n);

const progress: Progress = {
  covered: 9n,
  position: { checkpoint: 9n, transaction: big, event: 4 },
  cursor: { provider: 'one', bytes },
  next: { node: 1n, task: 2n, stack: big },
  status: { kind: 'pruned', start: 10n, lowest: 12n },
};
const alarms: readonly Alarm[] = [
  {
    kind: 'poison',
    type: 't',
    contents: bytes,
    transactionDigest: 'tx',
    checkpoint: 1n,
    reason: 'r',
  },
  { kind: 'gap', of: 'stack', from: 1n, to: big },
  { kind: 'jump', from: 1n, to: 2n },
  { kind: 'upgrade', packageId: address(9), version: 2n },
];
const changes: readonly StateChange[] = [
  { table: 'nodes', id: '1', row: node },
  { table: 'nodes', id: '2', row: { ...node, badgeId: address(7) } },
  {
    table: 'tasks',
    id: '1',
    row: {
      taskId: ids.taskId,
      role: 0,
      model: undefined,
      securityLevel: 1,
      reputationMin: 0,
      deprecatedAtEpoch: 0n,
    },
  },
  { table: 'subscriptions', id: '1/2', row: { ...ids, pricePerMillion: big, unitsMax: 1n } },
  {
    table: 'stacks',
    id: '3',
    row: { ...ids, stackId, units: big, pricePerMillion: 1n, standing: 'frozen' },
  },
  {
    table: 'keys',
    id: '2',
    row: { nodeId: ids.nodeId, source: 'event', publicKey: bytes, rotation: big, epoch: 0n },
  },
  {
    table: 'claims',
    id: '3',
    row: {
      stackId,
      nodeId: ids.nodeId,
      unitsClaimed: big,
      refund: 0n,
      transactionDigest: 'tx',
      checkpoint: 8n,
    },
  },
  { table: 'rotation', id: 'current', row: { rotation: 1n, nonce: big } },
  { table: 'evidence', id: '2', row: { evidence: bytes } },
  ...alarms.map((row, index) => ({ table: 'alarms', id: String(index), row }) as const),
];

describe.each(redisKinds)('the chain’s records over $name', ({ start }) => {
  let own: OwnRedis;
  let count = 0;
  let databaseId = address(0);
  let store: ChainRecords;

  beforeAll(async () => {
    own = await openRedis(await start());
  }, 30_000);
  afterAll(() => own.close());
  beforeEach(() => {
    count += 1;
    databaseId = address(count);
    store = createChainStore({ redis: own.redis, databaseId });
  });

  async function lead(leaseMs = 10_000): Promise<Lease> {
    const lease = await store.acquire(leaseMs);
    if (!lease) throw new Error('no lease');
    return lease;
  }
  const change = { revision: 0, progress, changes, isReset: false };

  it('are empty at first', async () => {
    expect(await store.load()).toBeUndefined();
    expect(await store.alarms()).toEqual([]);
    expect(await store.evidence('2')).toBeUndefined();
    expect(await store.committed('2')).toBeUndefined();
  });

  it('tell at once what a node has committed, and what it has not', async () => {
    const lease = await lead();
    await store.commit(lease, change);
    const of = (table: string) => changes.find((one) => one.table === table)?.row;
    expect(await store.committed('2')).toEqual({
      key: of('keys'),
      evidence: bytes,
      rotation: of('rotation'),
    });
    const bare = {
      table: 'nodes',
      id: '9',
      row: { nodeId: ids.nodeId, badgeId: undefined },
    } as const;
    await store.commit(lease, { ...change, revision: 1, changes: [bare] });
    const committed = await store.committed('9');
    expect(committed).toMatchObject({ key: undefined, evidence: undefined });
  });

  it('come back as they were written', async () => {
    const lease = await lead();
    expect(await store.commit(lease, change)).toBe('committed');
    const stored = await store.load();
    expect(stored?.progress).toEqual(progress);
    expect(stored?.revision).toBe(1);
    for (const { table, id, row } of changes) {
      if (table === 'evidence' || table === 'alarms') continue;
      expect(stored?.state[table].get(id)).toEqual(row);
    }
    const evidence = await store.evidence('2');
    expect(evidence).toEqual(bytes);
    const kept = await store.alarms();
    expect(kept).toHaveLength(alarms.length);
    expect(kept).toEqual(expect.arrayContaining([...alarms]));
  });

  it('of two contracts are apart', async () => {
    await store.commit(await lead(), change);
    const other = createChainStore({ redis: own.redis, databaseId: address(count + 10_000) });
    expect(await other.load()).toBeUndefined();
  });

  it('lose a row that a change deletes', async () => {
    const lease = await lead();
    await store.commit(lease, change);
    const gone = { table: 'nodes', id: '1', row: undefined } as const;
    await store.commit(lease, { ...change, revision: 1, changes: [gone] });
    expect([...((await store.load())?.state.nodes.keys() ?? [])]).toEqual(['2']);
  });

  it('keep claims, evidence and alarms through a reset, and nothing else', async () => {
    const lease = await lead();
    await store.commit(lease, change);
    const fresh = { table: 'nodes', id: '9', row: node } as const;
    await store.commit(lease, { revision: 1, progress, changes: [fresh], isReset: true });
    const state = (await store.load())?.state;
    expect([...(state?.nodes.keys() ?? [])]).toEqual(['9']);
    const sizes = [state?.tasks, state?.subscriptions, state?.stacks, state?.keys, state?.rotation];
    expect(sizes.map((table) => table?.size)).toEqual([0, 0, 0, 0, 0]);
    expect(state?.claims.size).toBe(1);
    expect(await store.alarms()).toHaveLength(alarms.length);
    expect(await store.evidence('2')).toEqual(bytes);
  });

  it('refuse a change that was made for another revision, whole', async () => {
    const lease = await lead();
    await store.commit(lease, change);
    const late = { ...change, progress: { ...progress, covered: 1n } };
    expect(await store.commit(lease, late)).toBe('stale');
    expect(await store.commit(lease, { ...late, revision: 2 })).toBe('stale');
    expect(await store.load()).toMatchObject({ revision: 1, progress: { covered: 9n } });
  });

  it('are led by one at a time', async () => {
    const lease = await lead();
    expect(await store.acquire(1000)).toBeUndefined();
    await store.release(lease);
    const next = await lead();
    expect(Number(next.token)).toBeGreaterThan(Number(lease.token));
    await store.release(lease);
    expect(await store.acquire(1000)).toBeUndefined();
  });

  it('refuse whoever led before, also where that one does not know', async () => {
    const paused = await lead(20);
    await sleep(40);
    const lease = await lead();
    expect(await store.commit(paused, change)).toBe('fenced');
    expect(await store.renew(paused, 1000)).toBe(false);
    expect(await store.load()).toBeUndefined();
    expect(await store.commit(lease, change)).toBe('committed');
  });

  it('let a lease that ran out be renewed while nobody has taken it', async () => {
    const lease = await lead(20);
    await sleep(40);
    expect(await store.renew(lease, 10_000)).toBe(true);
    expect(await store.acquire(1000)).toBeUndefined();
  });

  it('take in a large state in one step', async () => {
    const many = Array.from({ length: 20_000 }, (_, index) => {
      const nodeId = nodeSmallId(BigInt(index));
      return { table: 'nodes', id: String(index), row: { ...node, nodeId } } as const;
    });
    const large = { ...change, changes: many, isReset: true };
    expect(await store.commit(await lead(), large)).toBe('committed');
    expect((await store.load())?.state.nodes.size).toBe(many.length);
  });

  it('tell how far they go without their rows', async () => {
    expect(await store.progress()).toBeUndefined();
    await store.commit(await lead(), change);
    expect(await store.progress()).toEqual(progress);
  });

  it('keep how each node stands', async () => {
    expect(await store.report('nodes')).toBeUndefined();
    await store.saveReport('nodes', '[]');
    expect(await store.report('nodes')).toBe('[]');
  });

  it('ring when rows have changed', async () => {
    const rings: (string | undefined)[] = [];
    const stop = own.redis.subscriber.listen('chain-changed', (message) => rings.push(message));
    const endMs = Date.now() + 5000;
    while (!rings.includes(undefined) && Date.now() < endMs) await sleep(10);
    const lease = await lead();
    await store.commit(lease, change);
    while (!rings.includes(databaseId) && Date.now() < endMs) await sleep(10);
    stop();
    expect(rings).toContain(databaseId);
  });
});

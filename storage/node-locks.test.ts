import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { locksMax, type NodeLock } from '../domain/node-lock.ts';
import { redisKinds } from '../test/redis.ts';
import { accountKeys } from './keys.ts';
import { createNodeLocks, type NodeLocks } from './node-locks.ts';
import { type OwnRedis, openRedis } from './testing.ts';

const randomId = () => randomBytes(8).toString('hex');
const lockOf = (change: Partial<NodeLock> = {}): NodeLock => ({
  accountId: `acc_${randomId()}`,
  model: 'owner/model:1',
  stackId: '7',
  sealingKey: 'key=',
  nodeId: 'sui-1',
  address: '[2001:db8::1]:8443',
  ...change,
});
const requestFor = (terms: NodeLock, digest = randomId()) => ({ terms, digest });

describe.each(redisKinds)('locks over $name', ({ start }) => {
  let own: OwnRedis;
  let locks: NodeLocks;
  beforeAll(async () => {
    own = await openRedis(await start());
    locks = createNodeLocks({ redis: own.redis, randomId });
  });
  afterAll(() => own.close());

  async function added(change: Partial<NodeLock> = {}): Promise<NodeLock> {
    const lock = lockOf(change);
    expect(await locks.add(lock)).toBe(true);
    return lock;
  }

  it('are found as often as wanted, and taken once', async () => {
    const lock = await added();
    const request = requestFor(lock);
    expect(await locks.find(request)).toEqual(lock);
    expect(await locks.find(request)).toEqual(lock);
    expect(await locks.take(request)).toEqual(lock);
    expect(await locks.take(requestFor(lock))).toBeUndefined();
    expect(await locks.find(requestFor(lock))).toBeUndefined();
  });

  it.each([
    { accountId: 'acc_other' },
    { model: 'owner/model:12' },
    { stackId: '77' },
    { sealingKey: 'k' },
  ])('are not found where %o is another', async (change) => {
    const lock = await added();
    expect(await locks.find(requestFor({ ...lock, ...change }))).toBeUndefined();
    expect(await locks.take(requestFor({ ...lock, ...change }))).toBeUndefined();
    expect(await locks.take(requestFor(lock))).toEqual(lock);
  });

  it('are one for each request, whoever else asks at the same time', async () => {
    const lock = await added();
    await added(lock);
    await added(lock);
    const taken = await Promise.all(Array.from({ length: 20 }, () => locks.take(requestFor(lock))));
    expect(taken.filter((one) => one !== undefined)).toHaveLength(3);
  });

  it('are never given twice to one request, also where there are more', async () => {
    const lock = await added();
    await added(lock);
    const request = requestFor(lock);
    const taken = await Promise.all(Array.from({ length: 10 }, () => locks.take(request)));
    expect(taken.filter((one) => one !== undefined)).toHaveLength(1);
    expect(await locks.find(request)).toBeUndefined();
    expect(await locks.find(requestFor(lock))).toEqual(lock);
  });

  it('end by themselves, and make room', async () => {
    const lock = await added();
    for (let count = 1; count < locksMax; count += 1) await added(lock);
    expect(await locks.add(lock)).toBe(false);
    const key = accountKeys(lock.accountId).locks;
    for (const member of Object.values(
      (await own.redis.send(key, ['ZRANGE', key, '0', '-1'])) ?? [],
    )) {
      await own.redis.send(key, ['ZADD', key, 'XX', '1', String(member)]);
    }
    expect(await locks.find(requestFor(lock))).toBeUndefined();
    expect(await locks.take(requestFor(lock))).toBeUndefined();
    expect(await locks.add(lock)).toBe(true);
    expect(await locks.find(requestFor(lock))).toEqual(lock);
    expect(Number(await own.redis.send(key, ['PTTL', key]))).toBeGreaterThan(0);
  });

  it('tell which keys are in use', async () => {
    const many = Array.from({ length: 2500 }, (_, index) => `key${index}`);
    await locks.publishKeys(many);
    expect(await locks.isKeyInUse('key0')).toBe(true);
    expect(await locks.isKeyInUse('key2499')).toBe(true);
    await locks.publishKeys(['other']);
    expect([await locks.isKeyInUse('key0'), await locks.isKeyInUse('other')]).toEqual([
      false,
      true,
    ]);
    await locks.publishKeys([]);
    expect(await locks.isKeyInUse('other')).toBe(false);
  });
});

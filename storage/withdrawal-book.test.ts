import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { microUsdc } from '../domain/deposit.ts';
import { redisKinds } from '../test/redis.ts';
import { audit } from './audit.ts';
import { addressOf, openRedis } from './deposit-testing.ts';
import { accountKeys, treasuryKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { streamEntriesFrom } from './reply.ts';
import {
  longMs,
  micro,
  newWorld,
  outsideOf,
  partsOver,
  sentOf,
  treasury,
  withdrawalOf,
} from './withdrawal-testing.ts';

describe.each(redisKinds)('the book of withdrawals over $name', ({ start }) => {
  let server: { url: string; stop(): Promise<void> };
  let redis: Redis;
  let other: Redis;
  beforeAll(async () => {
    server = await start();
    redis = await openRedis(server.url);
    other = await openRedis(server.url);
  }, 30_000);
  afterAll(async () => {
    expect(await audit(redis)).toMatchObject({ ok: true, differencePico: 0n, problems: [] });
    redis.close();
    other.close();
    await server.stop();
  });

  it('takes the money at once, and once whoever orders it how often', async () => {
    const { chainId, ...world } = await newWorld(redis);
    const books = [world.book, partsOver(other, chainId).book];
    const order = withdrawalOf(world.first);
    const orderings = await Promise.all(
      Array.from({ length: 20 }, (_, index) => books[index % 2]?.order(order)),
    );
    for (const ordering of orderings) {
      expect(ordering).toMatchObject({ kind: 'ordered', booked: { withdrawal: order } });
    }
    expect(await world.book.queued()).toEqual([order]);
    expect(await outsideOf(world, world.first)).toEqual([6n, 4n]);
  });

  it('refuses a reference that another one has, and moves nothing', async () => {
    const world = await newWorld(redis);
    const order = withdrawalOf(world.first);
    await world.book.order(order);
    const others = [
      { ...order, amount: microUsdc(5n) },
      { ...order, accountId: world.second },
      { ...order, recipient: addressOf(78) },
    ];
    for (const one of others) {
      expect(await world.book.order(one)).toMatchObject({
        kind: 'reference-used',
        booked: { withdrawal: order },
      });
    }
    expect(await outsideOf(world, world.first)).toEqual([6n, 4n]);
    expect(await outsideOf(world, world.second)).toEqual([10n, 0n]);
  });

  it('refuses what the account has not, and leaves the reference free', async () => {
    const { book, first } = await newWorld(redis);
    const tooMuch = await book.order(withdrawalOf(first, { amount: 11n }));
    expect(tooMuch).toEqual({ kind: 'balance-too-low', available: 10n * micro });
    expect(await book.order(withdrawalOf('acc_0'))).toEqual({ kind: 'account-unknown' });
    expect(await book.find('one')).toBeUndefined();
    expect(await book.order(withdrawalOf(first, { amount: 10n }))).toMatchObject({
      kind: 'ordered',
    });
  });

  it('never takes more than an account has, whoever orders at once', async () => {
    const world = await newWorld(redis);
    const orderings = await Promise.all(
      Array.from({ length: 6 }, (_, n) =>
        world.book.order(withdrawalOf(world.first, { reference: `${n}` })),
      ),
    );
    const kinds = orderings.map((one) => (one.kind === 'ordered' ? one.booked.state.kind : ''));
    expect(kinds.filter((kind) => kind === 'queued')).toHaveLength(2);
    expect(await outsideOf(world, world.first)).toEqual([2n, 8n]);
  });

  it('gives the money back once, and keeps what is cancelled so', async () => {
    const world = await newWorld(redis);
    const order = withdrawalOf(world.first);
    await world.book.order(order);
    const cancelled = { state: { kind: 'cancelled' } };
    const replies = await Promise.all([1, 2, 3].map(() => world.book.cancel('one')));
    expect(replies[0]).toMatchObject(cancelled);
    expect(await world.book.order(order)).toMatchObject({ kind: 'ordered', booked: cancelled });
    expect(await world.book.queued()).toEqual([]);
    expect(await outsideOf(world, world.first)).toEqual([10n, 0n]);
    expect(await world.book.cancel('never ordered')).toBeUndefined();
  });

  it('lets nothing be paid that is cancelled after the keeper has read it', async () => {
    const world = await newWorld(redis);
    const order = withdrawalOf(world.first);
    await world.book.order(order);
    const lease = await world.keeper.acquire(longMs);
    if (!lease) throw new Error('nobody else keeps');
    const [read] = await world.book.queued();
    await world.book.cancel('one');
    const begun = { id: 'd', startedMs: 1, withdrawal: read ?? order, sent: sentOf('d') };
    const operation = { kind: 'withdrawing', ...begun } as const;
    const change = { revision: 0, operation, ended: undefined };
    expect(await world.keeper.commit(lease, change)).toBe('stale');
    expect(await world.keeper.load(0)).toMatchObject({ operation: undefined, revision: 0 });
  });

  it('is of one treasury: the same reference of another one is another withdrawal', async () => {
    const world = await newWorld(redis);
    const elsewhere = partsOver(redis, randomUUID());
    await world.book.order(withdrawalOf(world.first));
    await elsewhere.book.order(withdrawalOf(world.first));
    expect(await outsideOf(world, world.first)).toEqual([2n, 8n]);
  });

  it('pays nothing whose money is back in its account, as where one master forgot the cancelling', async () => {
    const { chainId, ...world } = await newWorld(redis);
    const order = withdrawalOf(world.first);
    await world.book.order(order);
    await world.book.cancel('one');
    const keys = treasuryKeys({ chainId, address: treasury });
    await redis.send(keys.treasury, ['HSET', keys.withdrawalStates, 'one', 'queued']);
    await redis.send(keys.treasury, ['ZADD', keys.withdrawalQueue, '1', 'one']);
    expect(await world.book.queued()).toEqual([]);
    expect(await world.book.cancel('one')).toMatchObject({ state: { kind: 'cancelled' } });
    expect(await outsideOf(world, world.first)).toEqual([10n, 0n]);
  });

  it('takes the money again where the account’s master forgot that', async () => {
    const world = await newWorld(redis);
    const order = withdrawalOf(world.first);
    await world.book.order(order);
    const { balance, entries, withdrawals } = accountKeys(world.first);
    await redis.send(balance, ['HINCRBY', balance, 'available', String(4n * micro)]);
    await redis.send(balance, ['HINCRBY', balance, 'withdrawn', String(-4n * micro)]);
    await redis.send(withdrawals, ['DEL', withdrawals]);
    const [, taken] = streamEntriesFrom(await redis.send(entries, ['XRANGE', entries, '-', '+']));
    await redis.send(entries, ['XDEL', entries, taken?.id ?? '']);
    expect(await world.book.queued()).toEqual([order]);
    expect(await outsideOf(world, world.first)).toEqual([6n, 4n]);
  });
});

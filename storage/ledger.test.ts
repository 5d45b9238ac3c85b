import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noLimits } from '../domain/api-key.ts';
import { picoUsd, picoUsdMax } from '../domain/money.ts';
import { redisKinds } from '../test/redis.ts';
import type { Storage } from './storage.ts';
import { fundedAccount, openStorage, reserveOrder, settleOrder } from './testing.ts';

const never = new AbortController().signal;

describe.each(redisKinds)('the ledger over $name', ({ start }) => {
  let server: { url: string; stop(): Promise<void> };
  let storage: Storage;
  let replica: Storage;

  beforeAll(async () => {
    server = await start();
    storage = await openStorage(server.url);
    replica = await openStorage(server.url);
  }, 30_000);
  afterAll(async () => {
    expect(await storage.audit()).toMatchObject({ ok: true, differencePico: 0n, problems: [] });
    storage.close();
    replica.close();
    await server.stop();
  });

  const reserve = (accountId: string, order: Partial<Parameters<typeof reserveOrder>[0]> = {}) =>
    storage.ledger.reserve(reserveOrder({ accountId, requestId: randomUUID(), ...order }));
  const limits = (some: Partial<typeof noLimits>) => ({ ...noLimits, ...some });

  describe('a reservation', () => {
    it('holds money and charges what a request costs', async () => {
      const accountId = await fundedAccount(storage, 100n);
      const requestId = randomUUID();
      expect(await reserve(accountId, { requestId })).toEqual({ kind: 'reserved' });
      expect(await storage.ledger.isOpen({ accountId, requestId })).toBe(true);
      expect(await storage.ledger.balance(accountId)).toMatchObject({
        available: 90n,
        reserved: 10n,
      });
      const order = settleOrder({ accountId, requestId, cost: 3n });
      expect(await storage.ledger.settle(order)).toEqual({ resolved: true, charged: 3n });
      expect(await storage.ledger.balance(accountId)).toEqual({
        available: 97n,
        reserved: 0n,
        settled: 3n,
        deposited: 100n,
        withdrawn: 0n,
      });
      expect(await storage.ledger.isOpen({ accountId, requestId })).toBe(false);
    });

    it('never charges more than is held', async () => {
      const accountId = await fundedAccount(storage, 100n);
      const requestId = randomUUID();
      await reserve(accountId, { requestId });
      const order = settleOrder({ accountId, requestId, cost: 9_000_000_000_000_000_000n });
      expect(await storage.ledger.settle(order)).toEqual({ resolved: true, charged: 10n });
    });

    it('is exact where a float is not', async () => {
      const accountId = await fundedAccount(storage, picoUsdMax);
      const requestId = randomUUID();
      await reserve(accountId, { requestId, amount: picoUsd(9_007_199_254_740_993n) });
      await storage.ledger.settle(
        settleOrder({ accountId, requestId, cost: 9_007_199_254_740_992n }),
      );
      const { available, settled } = await storage.ledger.balance(accountId);
      expect(available).toBe(picoUsdMax - 9_007_199_254_740_992n);
      expect(settled).toBe(9_007_199_254_740_992n);
    });

    it('ends a reservation once, whoever comes', async () => {
      const accountId = await fundedAccount(storage, 100n);
      const requestId = randomUUID();
      await reserve(accountId, { requestId });
      const order = settleOrder({ accountId, requestId, cost: 3n });
      const results = await Promise.all([
        storage.ledger.settle(order),
        replica.ledger.settle(order),
        replica.ledger.release(order),
      ]);
      expect(results.filter(({ resolved }) => resolved)).toHaveLength(1);
      expect(await storage.ledger.renew({ accountId, requestId, leaseMs: 1 })).toBe(false);
    });

    it('repeats the reservation of an open id without a change', async () => {
      const accountId = await fundedAccount(storage, 10n);
      const requestId = randomUUID();
      const order = { requestId, limits: limits({ requestsPerMinuteMax: 1 }) };
      expect(await reserve(accountId, order)).toMatchObject({ kind: 'reserved' });
      expect(await reserve(accountId, order)).toMatchObject({
        kind: 'reserved',
        requests: { limit: 1, remaining: 0 },
      });
      expect(await storage.ledger.balance(accountId)).toMatchObject({ reserved: 10n });
    });

    it('holds and settles requests that cost nothing', async () => {
      const accountId = await fundedAccount(storage, 0n);
      const requestId = randomUUID();
      expect(await reserve(accountId, { requestId, amount: picoUsd(0n) })).toMatchObject({
        kind: 'reserved',
      });
      expect(await storage.ledger.settle(settleOrder({ accountId, requestId }))).toEqual({
        resolved: true,
        charged: 0n,
      });
    });

    it('tells money that is missing from money that is held', async () => {
      const accountId = await fundedAccount(storage, 15n);
      const requestId = randomUUID();
      await reserve(accountId, { requestId });
      expect(await reserve(accountId)).toEqual({ kind: 'balance-held', retryAfterMs: 1000 });
      expect(await reserve(accountId, { amount: picoUsd(18n) })).toEqual({
        kind: 'balance-exhausted',
        missing: 3n,
      });
      await storage.ledger.settle(settleOrder({ accountId, requestId, cost: 10n }));
      expect(await reserve(accountId)).toEqual({ kind: 'balance-exhausted', missing: 5n });
    });

    it('lets exactly ten of two hundred through where the money is for ten', async () => {
      const accountId = await fundedAccount(storage, 100n);
      const results = await Promise.all(
        Array.from({ length: 200 }, (_, index) =>
          (index % 2 === 0 ? storage : replica).ledger.reserve(
            reserveOrder({ accountId, requestId: randomUUID() }),
          ),
        ),
      );
      expect(results.filter(({ kind }) => kind === 'reserved')).toHaveLength(10);
      expect(results.filter(({ kind }) => kind === 'balance-held')).toHaveLength(190);
      expect(await storage.ledger.balance(accountId)).toMatchObject({ available: 0n });
    });

    it('throws for an account that does not exist', async () => {
      await expect(reserve('acc_none')).rejects.toThrow('account-unknown');
    });
  });

  describe('the limits of a key', () => {
    it('allow so many requests a minute, and refuse without using any up', async () => {
      const accountId = await fundedAccount(storage, 1000n);
      const order = { limits: limits({ requestsPerMinuteMax: 2 }) };
      expect(await reserve(accountId, order)).toMatchObject({
        requests: { limit: 2, remaining: 1 },
      });
      await reserve(accountId, order);
      for (let attempt = 0; attempt < 3; attempt += 1) {
        const refusal = await reserve(accountId, order);
        if (refusal.kind !== 'requests-exceeded') throw new Error(`got ${refusal.kind}`);
        expect(refusal.limit).toBe(2);
        expect(refusal.retryAfterMs).toBeGreaterThan(20_000);
        expect(refusal.retryAfterMs).toBeLessThanOrEqual(30_000);
      }
    });

    it('allow so many tokens a minute, and get back those that were not used', async () => {
      const accountId = await fundedAccount(storage, 1000n);
      const requestId = randomUUID();
      const order = { tokens: 80, limits: limits({ tokensPerMinuteMax: 100 }) };
      expect(await reserve(accountId, { ...order, tokens: 101 })).toEqual({
        kind: 'tokens-oversized',
        limit: 100,
      });
      expect(await reserve(accountId, { ...order, requestId })).toMatchObject({
        tokens: { limit: 100, remaining: 20 },
      });
      const refusal = await reserve(accountId, order);
      if (refusal.kind !== 'tokens-exceeded') throw new Error(`got ${refusal.kind}`);
      expect(refusal.retryAfterMs).toBeGreaterThan(30_000);
      await storage.ledger.settle(settleOrder({ accountId, requestId, tokens: 10 }));
      expect(await reserve(accountId, order)).toMatchObject({ kind: 'reserved' });
    });

    it('allow so many requests in flight', async () => {
      const accountId = await fundedAccount(storage, 1000n);
      const requestId = randomUUID();
      const order = { limits: limits({ parallelRequestsMax: 1 }) };
      await reserve(accountId, { ...order, requestId });
      const refused = { kind: 'parallel-exceeded', limit: 1, retryAfterMs: 1000 };
      expect(await reserve(accountId, order)).toEqual(refused);
      await storage.ledger.release(settleOrder({ accountId, requestId }));
      expect(await reserve(accountId, order)).toMatchObject({ kind: 'reserved' });
    });

    it.each([
      { window: 'day', budget: { budgetPerDay: picoUsd(15n) } },
      { window: 'month', budget: { budgetPerMonth: picoUsd(15n) } },
      { window: 'total', budget: { budgetTotal: picoUsd(15n) } },
    ])('keep to the budget of the $window', async ({ window, budget }) => {
      const accountId = await fundedAccount(storage, 1000n);
      const requestId = randomUUID();
      const order = { limits: limits(budget) };
      await reserve(accountId, { ...order, requestId });
      expect(await reserve(accountId, order)).toEqual({
        kind: 'budget-held',
        window,
        retryAfterMs: 1000,
      });
      await storage.ledger.settle(settleOrder({ accountId, requestId, cost: 6n }));
      expect(await reserve(accountId, order)).toEqual({ kind: 'budget-exhausted', window });
      const fits = { ...order, amount: picoUsd(9n) };
      expect(await reserve(accountId, fits)).toMatchObject({ kind: 'reserved' });
    });
  });

  describe('the sweeper', () => {
    it('expires what is past its lease, once, and leaves the rest', async () => {
      const accountId = await fundedAccount(storage, 100n);
      const [late, renewed, open] = [randomUUID(), randomUUID(), randomUUID()];
      const order = { limits: limits({ parallelRequestsMax: 3 }) };
      await reserve(accountId, { ...order, requestId: late, leaseMs: 1 });
      await reserve(accountId, { ...order, requestId: renewed, leaseMs: 1 });
      await reserve(accountId, { ...order, requestId: open });
      const renewal = { accountId, requestId: renewed, leaseMs: 60_000 };
      expect(await storage.ledger.renew(renewal)).toBe(true);
      await sleep(5);
      const sweeps = await Promise.all([
        storage.sweeper.sweep(never),
        replica.sweeper.sweep(never),
      ]);
      expect(sweeps[0].expiredReservations + sweeps[1].expiredReservations).toBe(1);
      expect(await storage.ledger.balance(accountId)).toMatchObject({
        available: 80n,
        reserved: 20n,
      });
      const settled = await storage.ledger.settle(settleOrder({ accountId, requestId: late }));
      expect(settled).toEqual({ resolved: false, charged: 0n });
      expect(await reserve(accountId, order)).toMatchObject({ kind: 'reserved' });
      const page = await storage.usage.page({ accountId, before: undefined, limit: 10 });
      expect(page?.lines.map(({ record }) => record)).toMatchObject([
        { requestId: late, ending: 'expired', endpoint: 'chat', keyId: 'key_1' },
      ]);
    });
  });

  it('lists usage newest first, in pages', async () => {
    const accountId = await fundedAccount(storage, 1000n);
    const ids = Array.from({ length: 5 }, () => randomUUID());
    for (const requestId of ids) {
      await reserve(accountId, { requestId });
      await storage.ledger.settle(settleOrder({ accountId, requestId, cost: 2n, tokens: 3 }));
    }
    const first = await storage.usage.page({ accountId, before: undefined, limit: 3 });
    const second = await storage.usage.page({ accountId, before: first?.next, limit: 3 });
    const lines = [...(first?.lines ?? []), ...(second?.lines ?? [])];
    expect(lines.map(({ record }) => record.requestId)).toEqual(ids.toReversed());
    expect(lines[0]).toMatchObject({ charged: 2n, record: { usage: { outputTokens: 3 } } });
    expect(second?.next).toBeUndefined();
    expect(await storage.usage.page({ accountId, before: 'x', limit: 3 })).toBeUndefined();
  });
});

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noLimits } from '../domain/api-key.ts';
import { isKeyText } from '../domain/key-text.ts';
import type { Catalogue } from '../domain/model.ts';
import { picoUsd, picoUsdMax } from '../domain/money.ts';
import { startRedis, startRedisCluster } from '../test/redis.ts';
import { sha256Hex } from './api-keys.ts';
import type { Storage } from './storage.ts';
import { fundedAccount, openStorage, reserveOrder, settleOrder } from './testing.ts';

const never = new AbortController().signal;

describe.each([
  { name: 'one Redis', start: () => startRedis() },
  { name: 'a Redis Cluster of three masters', start: () => startRedisCluster() },
])('storage over $name', ({ start }) => {
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

  describe('the ledger', () => {
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

    it('expires holds of units', async () => {
      const model = randomUUID();
      await storage.unitPool.syncStacks(model, [{ id: 's', units: 10 }]);
      await storage.unitPool.reserve({ requestId: 'a', model, units: 10, leaseMs: 1 });
      await sleep(5);
      expect(await storage.sweeper.sweep(never)).toMatchObject({ expiredHolds: 1 });
      expect(await storage.unitPool.state(model)).toMatchObject({ free: 10, held: 0 });
    });
  });

  describe('the unit pool', () => {
    it('holds units of all stacks and charges the one that served', async () => {
      const model = `org/model ${randomUUID()}`;
      const pool = storage.unitPool;
      const order = { model, leaseMs: 60_000, requestId: 'a' };
      await pool.syncStacks(model, [
        { id: 's1', units: 10 },
        { id: 's2', units: 5 },
      ]);
      expect(await pool.reserve({ ...order, units: 12 })).toBe('reserved');
      expect(await pool.reserve({ ...order, units: 12 })).toBe('reserved');
      expect(await pool.reserve({ ...order, requestId: 'b', units: 4 })).toEqual({
        kind: 'units-exhausted',
        retryAfterMs: 1000,
      });
      expect(await pool.renew(order)).toBe(true);
      expect(await pool.settle({ ...order, stackId: 's1', units: 4 })).toBe(true);
      expect(await pool.settle({ ...order, stackId: 's1', units: 4 })).toBe(false);
      expect(await pool.renew(order)).toBe(false);
      expect(await pool.state(model)).toEqual({
        free: 11,
        held: 0,
        stacks: [
          { id: 's1', units: 10, used: 4, free: 6, live: true },
          { id: 's2', units: 5, used: 0, free: 5, live: true },
        ],
      });
    });

    it('keeps the use of a stack that goes and comes back', async () => {
      const model = randomUUID();
      const pool = storage.unitPool;
      const stack = { id: 's1', units: 10 };
      await pool.syncStacks(model, [stack]);
      await pool.reserve({ requestId: 'a', model, units: 3, leaseMs: 60_000 });
      await pool.syncStacks(model, []);
      expect(await pool.state(model)).toMatchObject({ free: 0, held: 3 });
      await pool.settle({ requestId: 'a', model, stackId: 's1', units: 3 });
      await pool.syncStacks(model, [stack]);
      expect(await pool.state(model)).toMatchObject({ free: 7, held: 0, stacks: [{ used: 3 }] });
    });
  });

  describe('accounts', () => {
    it('take a deposit once per reference', async () => {
      const { id: accountId } = await storage.accounts.create({ name: 'Ann' });
      const deposit = { accountId, amount: picoUsd(5n), reference: 'r1' };
      const { accounts } = storage;
      expect(await accounts.credit(deposit)).toEqual({ kind: 'credited' });
      expect(await accounts.credit(deposit)).toEqual({ kind: 'repeated' });
      const other = await accounts.credit({ ...deposit, amount: picoUsd(6n) });
      expect(other).toEqual({ kind: 'reference-used', amount: 5n });
      const huge = { ...deposit, reference: 'r2', amount: picoUsdMax };
      expect(await accounts.credit(huge)).toEqual({ kind: 'deposits-exceeded' });
      expect(await accounts.credit({ ...deposit, accountId: 'acc_none' })).toEqual({
        kind: 'account-unknown',
      });
      const account = await accounts.get(accountId);
      expect(account).toMatchObject({ name: 'Ann', balance: { available: 5n, deposited: 5n } });
      expect(await accounts.list()).toContainEqual(account);
      expect(await accounts.get('acc_none')).toBeUndefined();
    });
  });

  describe('API keys', () => {
    const order = {
      name: 'laptop',
      expiresMs: undefined,
      scopes: ['chat'],
      models: ['small'],
      limits: { ...noLimits, budgetTotal: picoUsd(9_007_199_254_740_993n) },
    } as const;

    it('are found by the hash of their text, and stay so when revoked', async () => {
      const { apiKeys } = storage;
      const { key, text } = await apiKeys.create({ ...order, accountId: 'acc_k1' });
      expect(isKeyText(text)).toBe(true);
      expect(text.startsWith(key.hint.slice(0, -1))).toBe(true);
      expect(await apiKeys.find(sha256Hex(text))).toEqual(key);
      expect(await apiKeys.list('acc_k1')).toEqual([key]);
      const changed: (string | undefined)[] = [];
      const unlisten = replica.apiKeys.onChange((sha256hex) => changed.push(sha256hex));
      await expect.poll(() => changed).toEqual([undefined]);
      await apiKeys.revoke(key.id);
      await expect.poll(() => changed).toContain(sha256Hex(text));
      unlisten();
      expect((await apiKeys.find(sha256Hex(text)))?.revokedMs).toBeGreaterThan(0);
      expect(await apiKeys.rotate({ keyId: key.id, graceMs: 0 })).toBeUndefined();
      expect(await apiKeys.revoke('key_none')).toBeUndefined();
    });

    it('rotate: the old text ends at once or after the grace, and revoking ends all', async () => {
      const { apiKeys } = storage;
      const first = await apiKeys.create({ ...order, accountId: 'acc_k2' });
      const keyId = first.key.id;
      const second = await apiKeys.rotate({ keyId, graceMs: 0 });
      expect((await apiKeys.find(sha256Hex(first.text)))?.revokedMs).toBeGreaterThan(0);
      const third = await apiKeys.rotate({ keyId, graceMs: 60_000 });
      const old = await apiKeys.find(sha256Hex(second?.text ?? ''));
      expect(old?.revokedMs).toBeUndefined();
      expect(old?.expiresMs).toBeGreaterThan(Date.now());
      expect(await apiKeys.find(sha256Hex(third?.text ?? ''))).toEqual(third?.key);
      await apiKeys.revoke(keyId);
      for (const text of [second?.text, third?.text]) {
        expect((await apiKeys.find(sha256Hex(text ?? '')))?.revokedMs).toBeGreaterThan(0);
      }
      expect(await apiKeys.list('acc_k2')).toHaveLength(1);
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

  it('keeps prices, and gives equal prices the same version', async () => {
    const offered = { ...zeroPrice, inputToken: picoUsd(3n), image: picoUsd(2n ** 60n) };
    let changes = 0;
    const unlisten = replica.prices.onChange(() => {
      changes += 1;
    });
    await expect.poll(() => changes).toBe(1);
    const one = await storage.prices.set('one', offered);
    const two = await storage.prices.set('two', offered);
    expect(one).toEqual(two);
    expect((await storage.prices.list()).get('one')).toEqual(one);
    expect(await storage.prices.remove('one')).toBe(true);
    expect(await storage.prices.remove('one')).toBe(false);
    await expect.poll(() => changes).toBeGreaterThanOrEqual(4);
    unlisten();
  });

  it('publishes the catalogue to subscribers', async () => {
    const model = {
      id: 'small',
      createdSeconds: 1,
      ownedBy: 'x',
      endpoints: ['chat'],
      protocols: ['openai'],
      contextTokensMax: 1,
      outputTokensMax: 1,
      mediaTokensMax: 1,
      price: undefined,
    } as const;
    const priced = { ...model, id: 'priced', price: { version: 'v', ...zeroPrice } };
    const catalogue: Catalogue = { version: 'c1', models: [model, priced] };
    const seen: Catalogue[] = [];
    const unsubscribe = replica.catalogue.subscribe((next) => seen.push(next));
    await expect.poll(() => seen).toEqual([{ version: '', models: [] }]);
    await storage.catalogue.publish(catalogue);
    await expect.poll(() => seen.at(-1)).toEqual(catalogue);
    unsubscribe();
    expect(await storage.catalogue.read()).toEqual(catalogue);
  });
});

const zero = picoUsd(0n);
const zeroPrice = {
  inputToken: zero,
  cachedInputToken: zero,
  outputToken: zero,
  image: zero,
  imagePixel: zero,
};

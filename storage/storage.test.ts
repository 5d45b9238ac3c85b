import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noLimits } from '../domain/api-key.ts';
import { isKeyText } from '../domain/key-text.ts';
import type { Catalogue } from '../domain/model.ts';
import { picoUsd, picoUsdMax } from '../domain/money.ts';
import { redisKinds } from '../test/redis.ts';
import { sha256Hex } from './api-keys.ts';
import type { Storage } from './storage.ts';
import { openStorage } from './testing.ts';

const never = new AbortController().signal;

describe.each(redisKinds)('storage over $name', ({ start }) => {
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
          { id: 's1', units: 10, used: 4, free: 6, live: true, refused: 'no' },
          { id: 's2', units: 5, used: 0, free: 5, live: true, refused: 'no' },
        ],
      });
    });

    it('expires holds of units', async () => {
      const model = randomUUID();
      await storage.unitPool.syncStacks(model, [{ id: 's', units: 10 }]);
      await storage.unitPool.reserve({ requestId: 'a', model, units: 10, leaseMs: 1 });
      await sleep(5);
      expect(await storage.sweeper.sweep(never)).toMatchObject({ expiredHolds: 1 });
      expect(await storage.unitPool.state(model)).toMatchObject({ free: 10, held: 0 });
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
      const huge = { ...deposit, reference: 'r2', amount: picoUsd(picoUsdMax) };
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

import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { startRedis, type TestRedis } from '../test/redis.ts';
import type { Storage } from './storage.ts';
import { fundedAccount, openStorage, reserveOrder, settleOrder } from './testing.ts';

let server: TestRedis;
let storage: Storage;
beforeEach(async () => {
  server = await startRedis();
  storage = await openStorage(server.url);
}, 30_000);
afterEach(async () => {
  storage.close();
  await server.stop();
});

const answers = () =>
  storage.ping().then(
    () => true,
    () => false,
  );
const poll = { timeout: 8000, interval: 50 };

it('keeps what it has acknowledged through a kill of Redis, and loads its scripts again', async () => {
  const accountId = await fundedAccount(storage, 100n);
  const requestId = randomUUID();
  await storage.ledger.reserve(reserveOrder({ accountId, requestId }));
  await server.kill();
  const start = performance.now();
  await expect(storage.ledger.balance(accountId)).rejects.toThrow();
  expect(performance.now() - start).toBeLessThan(1500);
  await server.start();
  await expect.poll(answers, poll).toBe(true);
  const settled = await storage.ledger.settle(settleOrder({ accountId, requestId, cost: 4n }));
  expect(settled).toEqual({ resolved: true, charged: 4n });
  expect(await storage.audit()).toMatchObject({ ok: true });
}, 20_000);

it('fails fast while Redis hangs, and comes back by itself', async () => {
  const accountId = await fundedAccount(storage, 100n);
  server.signal('SIGSTOP');
  const start = performance.now();
  await expect(storage.ledger.balance(accountId)).rejects.toThrow('did not answer');
  expect(performance.now() - start).toBeLessThan(1500);
  server.signal('SIGCONT');
  await expect.poll(answers, poll).toBe(true);
}, 20_000);

it('tells listeners when notices may have been missed', async () => {
  const heard: (string | undefined)[] = [];
  storage.apiKeys.onChange((sha256hex) => heard.push(sha256hex));
  await expect.poll(() => heard.length, poll).toBe(1);
  await server.kill();
  await server.start();
  await expect.poll(() => heard, poll).toEqual([undefined, undefined]);
}, 20_000);

it('stays exact when Redis is killed under load', async () => {
  const accountId = await fundedAccount(storage, 1_000_000n);
  const acknowledged: bigint[] = [];
  const ended = new AbortController();
  async function request(): Promise<void> {
    const requestId = randomUUID();
    await storage.ledger.reserve(reserveOrder({ accountId, requestId, leaseMs: 100 }));
    const { charged } = await storage.ledger.settle(
      settleOrder({ accountId, requestId, cost: 3n }),
    );
    acknowledged.push(charged);
  }
  const caller = async () => {
    while (!ended.signal.aborted) await request().catch(() => sleep(20));
  };
  const callers = Array.from({ length: 8 }, caller);
  await sleep(200);
  await server.kill();
  await server.start();
  await expect.poll(answers, poll).toBe(true);
  await sleep(200);
  ended.abort();
  await Promise.all(callers);
  await sleep(150);
  await storage.sweeper.sweep(new AbortController().signal);
  const { reserved, settled } = await storage.ledger.balance(accountId);
  expect(reserved).toBe(0n);
  expect(settled).toBeGreaterThanOrEqual(acknowledged.reduce((sum, charged) => sum + charged, 0n));
  expect(await storage.audit()).toMatchObject({ ok: true });
}, 30_000);

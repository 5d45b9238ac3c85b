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

it('keeps what Redis has written through a kill, and loads its scripts again', async () => {
  const accountId = await fundedAccount(storage, 100n);
  const requestId = randomUUID();
  await storage.ledger.reserve(reserveOrder({ accountId, requestId }));
  await server.written();
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
  let acknowledged = 0n;
  const ended = new AbortController();
  async function request(): Promise<void> {
    const requestId = randomUUID();
    await storage.ledger.reserve(reserveOrder({ accountId, requestId, leaseMs: 100 }));
    const { charged } = await storage.ledger.settle(
      settleOrder({ accountId, requestId, cost: 3n }),
    );
    acknowledged += charged;
  }
  const caller = async () => {
    while (!ended.signal.aborted) await request().catch(() => sleep(20));
  };
  const callers = Array.from({ length: 8 }, caller);
  await sleep(200);
  await server.kill();
  await server.start();
  await expect.poll(answers, poll).toBe(true);
  // What was answered just before the kill may be gone, as a whole; what was answered since may not.
  const before = { acknowledged, ...(await storage.ledger.balance(accountId)) };
  await sleep(200);
  ended.abort();
  await Promise.all(callers);
  await sleep(150);
  await storage.sweeper.sweep(new AbortController().signal);
  const { reserved, settled } = await storage.ledger.balance(accountId);
  expect(reserved).toBe(0n);
  expect(settled - before.settled).toBeGreaterThan(0n);
  // Those that were under way when the balance was read count on either side.
  const underWay = 8n * 3n;
  expect(settled - before.settled + underWay).toBeGreaterThanOrEqual(
    acknowledged - before.acknowledged,
  );
  expect(await storage.audit()).toMatchObject({ ok: true });
}, 30_000);

import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toKeysDocument, toReceiptDocument } from '../receipts/publishing.ts';
import { sealAll } from '../receipts/sealing.ts';
import { keyIdOf } from '../receipts/signing.ts';
import { keyOf } from '../receipts/testing.ts';
import { verifyChain, verifyDocument } from '../receipts/verification.ts';
import { redisKinds } from '../test/redis.ts';
import { until } from '../test/until.ts';
import { mortal, openRedis } from './deposit-testing.ts';
import { accountKeys } from './keys.ts';
import { createSealingStore } from './receipt-book.ts';
import {
  evidence,
  key,
  never,
  type Parts,
  partsOver,
  reserveAndSettle,
  sealOnce,
} from './receipt-testing.ts';
import type { Redis } from './redis.ts';
import { fundedAccount, openStorage, reserveOrder, settleOrder } from './testing.ts';

/** At which command a process dies, if it does, and whether Redis executes that one. */
const death = fc.option(fc.record({ at: fc.integer({ min: 1, max: 30 }), executes: fc.boolean() }));
const step = fc.record({
  kind: fc.constantFrom('settle' as const, 'release' as const, 'seal' as const),
  account: fc.nat({ max: 2 }),
  death,
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
type Request = { readonly accountId: string; readonly requestId: string };

const mortalBy = (redis: Redis, { death }: Step, at = death?.at ?? 0): Redis =>
  death ? mortal(redis, { ...death, at }) : redis;

async function end({ ledger }: Parts, kind: 'settle' | 'release', request: Request) {
  await ledger[kind](settleOrder({ ...request, cost: 3n, evidence }));
}

describe.each(redisKinds)('receipts over $name', ({ start }) => {
  let server: { url: string; stop(): Promise<void> };
  let redis: Redis;
  let parts: Parts;
  let accounts: readonly string[];
  beforeAll(async () => {
    server = await start();
    redis = await openRedis(server.url);
    parts = partsOver(redis);
    const storage = await openStorage(server.url);
    accounts = await Promise.all([1, 2, 3].map(() => fundedAccount(storage, 10n ** 15n)));
    storage.close();
    const publicKey = Buffer.from(key.publicKey).toString('hex');
    await parts.book.announceKey({ keyId: keyIdOf(key.publicKey), publicKey, fromMs: 1 });
  }, 30_000);
  afterAll(async () => {
    redis.close();
    await server.stop();
  });

  const published = async () => toKeysDocument(await parts.book.keys()).receipt_signing_keys;

  async function allRoots() {
    const roots = [];
    for (let page = await parts.book.roots({ after: 0, limit: 100 }); page.length > 0; ) {
      roots.push(...page);
      page = await parts.book.roots({ after: roots.length, limit: 100 });
    }
    return roots;
  }

  it('are pending once settled, then sealed, and the same in both', async () => {
    const [accountId = '', other = ''] = accounts;
    const requestId = await reserveAndSettle(parts, { accountId });
    const kept = await parts.book.find({ accountId, requestId });
    if (kept?.kind !== 'pending') throw new Error(`got ${kept?.kind}`);
    const pending = toReceiptDocument(kept, key);
    expect(pending).toMatchObject({ status: 'pending', receipt: { receipt_id: requestId } });
    await sealOnce(parts.store);
    const sealed = await parts.book.find({ accountId, requestId });
    if (sealed?.kind !== 'sealed') throw new Error(`got ${sealed?.kind}`);
    const document = toReceiptDocument(sealed, key);
    expect(document.receipt).toEqual(pending.receipt);
    expect(verifyDocument(document, await published())).toEqual({ kind: 'valid' });
    expect(await parts.book.find({ accountId: other, requestId })).toBeUndefined();
    expect(await parts.book.find({ accountId, requestId: randomUUID() })).toBeUndefined();
  });

  it('take any text, also through a sealing that broke off', async () => {
    const [accountId = ''] = accounts;
    const record = { model: 'a b\n"\u2028"\u{1f600}', nodeId: ' {"' };
    const requestId = randomUUID();
    await parts.ledger.reserve(reserveOrder({ accountId, requestId }));
    await parts.ledger.settle(settleOrder({ accountId, requestId, cost: 1n, evidence, record }));
    const { store } = parts;
    const dead = async () => Promise.reject(new Error('dead'));
    await expect(sealOnce({ ...store, handOut: dead })).rejects.toThrow('dead');
    await sealOnce(store);
    const kept = await parts.book.find({ accountId, requestId });
    if (kept?.kind !== 'sealed') throw new Error(`got ${kept?.kind}`);
    const document = toReceiptDocument(kept, key);
    expect(document.receipt).toMatchObject({ model: record.model, node: record.nodeId });
    expect(verifyDocument(document, await published())).toEqual({ kind: 'valid' });
  });

  it('do not exist for what is released, expired, or settled without evidence', async () => {
    const [accountId = ''] = accounts;
    const { ledger, book, sweeper } = parts;
    const [released, expired, plain] = [randomUUID(), randomUUID(), randomUUID()];
    await ledger.reserve(reserveOrder({ accountId, requestId: released }));
    await ledger.release(settleOrder({ accountId, requestId: released, evidence }));
    await ledger.reserve(reserveOrder({ accountId, requestId: expired, leaseMs: 0 }));
    await sweeper.sweep(never);
    await ledger.settle(settleOrder({ accountId, requestId: expired, cost: 1n, evidence }));
    await ledger.reserve(reserveOrder({ accountId, requestId: plain }));
    await ledger.settle(settleOrder({ accountId, requestId: plain, cost: 1n }));
    for (const requestId of [released, expired, plain]) {
      expect(await book.find({ accountId, requestId })).toBeUndefined();
    }
  });

  it('say what was charged, not what was asked for', async () => {
    const [accountId = ''] = accounts;
    const requestId = await reserveAndSettle(parts, { accountId, cost: 9_000_000n });
    const kept = await parts.book.find({ accountId, requestId });
    expect(kept).toMatchObject({ kind: 'pending', settled: { charged: 10n } });
  });

  it('exist for each charge and for nothing else, in one tree each, whoever dies at which command', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { maxLength: 5 }), { minLength: 1, maxLength: 4 }),
        async (batches) => {
          const tried: Request[] = [];
          const take = async (one: Step) => {
            if (one.kind === 'seal') return sealOnce(partsOver(mortalBy(redis, one)).store);
            const request = { accountId: accounts[one.account] ?? '', requestId: randomUUID() };
            tried.push(request);
            await parts.ledger.reserve(reserveOrder(request));
            await end(partsOver(mortalBy(redis, one, 1)), one.kind, request);
          };
          for (const batch of batches) await Promise.allSettled(batch.map(take));
          // The dead hold no lease for ever; whoever comes next finishes what they began.
          await redis.send('{receipts}', ['DEL', '{receipts}:lease']);
          await sealOnce(parts.store);
          await expectOneReceiptPerCharge(tried);
        },
      ),
      { numRuns: 60 },
    );
    expect(verifyChain(await allRoots(), { keys: await published() })).toEqual({ kind: 'valid' });
  });

  async function expectOneReceiptPerCharge(tried: readonly Request[]): Promise<void> {
    const keys = await published();
    const roots = await allRoots();
    for (const { accountId, requestId } of tried) {
      const page = await parts.usage.page({ accountId, before: undefined, limit: 100 });
      const line = page?.lines.find(({ record }) => record.requestId === requestId);
      const kept = await parts.book.find({ accountId, requestId });
      // A release has a line too, and costs nothing.
      expect([requestId, kept !== undefined]).toEqual([requestId, (line?.charged ?? 0n) > 0n]);
      if (!kept) continue;
      expect(kept.kind).toBe('sealed');
      const document = toReceiptDocument(kept, key);
      expect(verifyDocument(document, keys)).toEqual({ kind: 'valid' });
    }
    const covered = roots.reduce((sum, { size }) => sum + size, 0);
    expect(covered).toBe(await sealedCount());
  }

  /** No receipt is forgotten in these tests, so that this is how many there are. */
  async function sealedCount(): Promise<number> {
    const lengths = await Promise.all(
      accounts.map((id) => {
        const list = accountKeys(id).receiptsSealed;
        return redis.send(list, ['LLEN', list]);
      }),
    );
    return lengths.reduce((sum: number, length) => sum + Number(length), 0);
  }

  it.each([false, true])(
    'survive a death at every single command of sealing, executed: %s',
    async (executes) => {
      let at = 1;
      for (let isDead = true; isDead; at += 1) {
        const ids = await Promise.all(
          accounts.map((id) => reserveAndSettle(parts, { accountId: id })),
        );
        const { store } = partsOver(mortal(redis, { at, executes }));
        isDead = await sealOnce(store).then(
          () => false,
          () => true,
        );
        await redis.send('{receipts}', ['DEL', '{receipts}:lease']);
        await sealOnce(parts.store);
        await expectOneReceiptPerCharge(
          ids.map((requestId, index) => ({ accountId: accounts[index] ?? '', requestId })),
        );
      }
      expect(at).toBeGreaterThan(14);
    },
  );

  it('are not touched by one that lost its lease and goes on late', async () => {
    const [accountId = ''] = accounts;
    const { store } = parts;
    const late: (() => Promise<void>)[] = [];
    const slow: typeof store = {
      ...store,
      handOut: async (...call) => void late.push(() => store.handOut(...call)),
      finish: async (...call) => void late.push(() => store.finish(...call)),
    };
    const first = await reserveAndSettle(parts, { accountId });
    await sealOnce(slow);
    await sealOnce(store);
    const second = await reserveAndSettle(parts, { accountId });
    await sealOnce({ ...slow, handOut: async () => {}, finish: async () => {} });
    const underway = await store.underway();
    await expect(sealOnce({ ...store, underway: async () => undefined })).rejects.toThrow(
      /is stale/,
    );
    for (const call of late) await call();
    expect(await store.underway()).toEqual(underway);
    expect(underway?.leaves.map(({ requestId }) => requestId)).toEqual([second]);
    await sealOnce(store);
    await expectOneReceiptPerCharge([first, second].map((requestId) => ({ accountId, requestId })));
  });

  it('are sealed by nobody whose lease is over', async () => {
    const [accountId = ''] = accounts;
    await reserveAndSettle(parts, { accountId });
    const { store } = parts;
    const early = await store.lease.acquire(1);
    if (!early) throw new Error('no lease');
    await until(
      'the lease has run out',
      async () => (await store.lease.acquire(60_000)) !== undefined,
    );
    const sealing = { store, signer: async () => key, nowMs: () => Date.now(), onRoot: () => {} };
    await expect(sealAll(sealing, early, never)).rejects.toThrow(/is fenced/);
    await redis.send('{receipts}', ['DEL', '{receipts}:lease']);
    await sealOnce(store);
  });

  it('keep the newest of an account, and all roots', async () => {
    const [accountId = ''] = accounts;
    const ids = [];
    for (let count = 0; count < 6; count += 1)
      ids.push(await reserveAndSettle(parts, { accountId }));
    await sealOnce(createSealingStore({ redis, keptMax: 4 }));
    const found = await Promise.all(
      ids.map((requestId) => parts.book.find({ accountId, requestId })),
    );
    expect(found.map((kept) => kept?.kind)).toEqual([
      ...[undefined, undefined],
      ...['sealed', 'sealed', 'sealed', 'sealed'],
    ]);
    expect(verifyChain(await allRoots(), { keys: await published() })).toEqual({ kind: 'valid' });
  });

  it('tell until when a key has signed', async () => {
    const [accountId = ''] = accounts;
    const next = keyOf(2);
    const keyId = keyIdOf(next.publicKey);
    const publicKey = Buffer.from(next.publicKey).toString('hex');
    await parts.book.announceKey({ keyId, publicKey, fromMs: 2 });
    expect((await published()).map(({ until: end }) => end)).toEqual([null, null]);
    await reserveAndSettle(parts, { accountId });
    await sealOnce(parts.store, next);
    const [old, current] = await published();
    const last = (await allRoots()).at(-1);
    expect([old?.until, current?.until]).toEqual([last?.sealed_at, null]);
    expect(verifyChain(await allRoots(), { keys: await published() })).toEqual({ kind: 'valid' });
    await reserveAndSettle(parts, { accountId });
    await sealOnce(parts.store, key);
    expect((await published())[0]?.until).toBeNull();
  });
});

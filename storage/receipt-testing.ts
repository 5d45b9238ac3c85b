/** For tests of receipts: what settles and what seals over one connection, and single steps of both. */
import { randomUUID } from 'node:crypto';
import { sealAll } from '../receipts/sealing.ts';
import { keyOf, settledOf } from '../receipts/testing.ts';
import { createLedger } from './ledger.ts';
import { createReceiptBook, createSealingStore } from './receipt-book.ts';
import type { Redis } from './redis.ts';
import { createSweeper } from './sweeper.ts';
import { reserveOrder, settleOrder } from './testing.ts';
import { createUsageList } from './usage-list.ts';

export const key = keyOf(1);
const keptMax = 10_000;
const leaseMs = 60_000;
export const never = new AbortController().signal;
export const { evidence } = settledOf();

export function partsOver(redis: Redis) {
  return {
    ledger: createLedger(redis),
    book: createReceiptBook(redis),
    store: createSealingStore({ redis, keptMax }),
    sweeper: createSweeper(redis),
    usage: createUsageList(redis),
  };
}

export type Parts = ReturnType<typeof partsOver>;

/** What a control plane does in one look, as long as it lives. */
export async function sealOnce(store: Parts['store'], by = key): Promise<void> {
  const lease = await store.lease.acquire(leaseMs);
  if (!lease) return;
  const sealing = { store, signer: async () => by, nowMs: () => Date.now(), onRoot: () => {} };
  try {
    await sealAll(sealing, lease, never);
  } finally {
    await store.lease.release(lease);
  }
}

/** The id of a request that has cost so much. */
export async function reserveAndSettle(
  { ledger }: Pick<Parts, 'ledger'>,
  { accountId, cost = 3n }: { accountId: string; cost?: bigint },
): Promise<string> {
  const requestId = randomUUID();
  await ledger.reserve(reserveOrder({ accountId, requestId }));
  await ledger.settle(settleOrder({ accountId, requestId, cost, evidence }));
  return requestId;
}

/**
 * Follows the chain: one loop lists, judges and stores; everything else only wakes it. One process at a time holds the
 * lease; the others wait to take over.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type IndexerOptions, runIndexer } from './indexer.ts';
import type { ChainStore, Lease } from './store.ts';

export type FollowerOptions = Omit<IndexerOptions, 'lease'> & {
  readonly leaseMs?: number;
};

const leaseMsDefault = 3000;
/** Renewals and attempts to take over, per lease. */
const looksPerLease = 4;

/** Runs until the signal ends. Never rejects: what fails is logged and tried again. */
export async function followChain(options: FollowerOptions, signal: AbortSignal): Promise<void> {
  const { store, log, leaseMs = leaseMsDefault } = options;
  const lookMs = leaseMs / looksPerLease;
  while (!signal.aborted) {
    try {
      const lease = await store.acquire(leaseMs);
      if (lease) await lead({ ...options, lease }, signal);
    } catch (cause) {
      log.warn({ err: cause }, 'the chain cannot be followed');
    }
    await sleep(lookMs, undefined, { signal }).catch(() => {});
  }
}

async function lead(
  options: FollowerOptions & { readonly lease: Lease },
  outer: AbortSignal,
): Promise<void> {
  const { store, lease, log, leaseMs = leaseMsDefault } = options;
  const ending = new AbortController();
  const signal = AbortSignal.any([outer, ending.signal]);
  log.info('following the chain');
  const renewing = renew({ store, lease, leaseMs, signal }).finally(() => ending.abort());
  try {
    await runIndexer(options, signal);
  } finally {
    ending.abort();
    await renewing;
    // Where Redis is away the lease runs out by itself.
    await store.release(lease).catch(() => {});
  }
}

/** Ends when the lease is lost, or has not been renewed for as long as it lasts. */
async function renew(options: {
  store: ChainStore;
  lease: Lease;
  leaseMs: number;
  signal: AbortSignal;
}): Promise<void> {
  const { store, lease, leaseMs, signal } = options;
  let renewedMs = performance.now();
  while (!signal.aborted) {
    await sleep(leaseMs / looksPerLease, undefined, { signal }).catch(() => {});
    if (signal.aborted) return;
    try {
      if (!(await store.renew(lease, leaseMs))) return;
      renewedMs = performance.now();
    } catch {
      if (performance.now() - renewedMs > leaseMs) return;
    }
  }
}

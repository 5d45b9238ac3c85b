/** One process at a time does what must not be done twice: it holds a lease, and the others wait to take over. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from '../runtime/log.ts';

/** A lease by its fencing token: a later holder has a higher one, and what an earlier one still writes is refused. */
export type Lease = { readonly token: string };

export type LeaseStore = {
  /** Nothing where another process holds the lease. */
  acquire(leaseMs: number): Promise<Lease | undefined>;
  /** False where the lease has ended, and another may hold it. */
  renew(lease: Lease, leaseMs: number): Promise<boolean>;
  release(lease: Lease): Promise<void>;
};

type Leading = {
  readonly store: LeaseStore;
  readonly leaseMs: number;
  readonly log: Logger;
  /** What is done under the lease, as the log names it. */
  readonly task: string;
  /** Its signal ends where the lease is lost. */
  readonly run: (lease: Lease, signal: AbortSignal) => Promise<void>;
};

/** Renewals and attempts to take over, per lease. */
const looksPerLease = 4;

/** Runs until the signal ends. Never rejects: what fails is logged and tried again. */
export async function leadInTurn(options: Leading, signal: AbortSignal): Promise<void> {
  const { store, leaseMs, log, task } = options;
  while (!signal.aborted) {
    try {
      const lease = await store.acquire(leaseMs);
      if (lease) await lead({ ...options, lease }, signal);
    } catch (cause) {
      log.warn({ err: cause, task }, 'a task under a lease fails');
    }
    await sleep(leaseMs / looksPerLease, undefined, { signal }).catch(() => {});
  }
}

async function lead(
  options: Leading & { readonly lease: Lease },
  outer: AbortSignal,
): Promise<void> {
  const { store, lease, log, task, run } = options;
  const ending = new AbortController();
  const signal = AbortSignal.any([outer, ending.signal]);
  log.info({ task }, 'leading');
  const renewing = renew(options, signal).finally(() => ending.abort());
  try {
    await run(lease, signal);
  } finally {
    ending.abort();
    await renewing;
    // Where the store is away the lease runs out by itself.
    await store.release(lease).catch(() => {});
  }
}

/** Ends when the lease is lost, or has not been renewed for as long as it lasts. */
async function renew(
  { store, lease, leaseMs }: Leading & { readonly lease: Lease },
  signal: AbortSignal,
): Promise<void> {
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

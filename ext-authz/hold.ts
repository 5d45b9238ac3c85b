/**
 * Holds money and units for a request, and lets go of both where nobody will use them: the pool refused, the answer came
 * too late, the caller left, or Redis did not say whether it had reserved.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { answers, type Failure } from '../domain/failure.ts';
import { picoUsd } from '../domain/money.ts';
import type { Ending, Ledger, Reserved, ReserveOrder, UnitPool } from '../domain/reservation.ts';
import { noUsage } from '../domain/usage.ts';
import type { Logger } from '../runtime/log.ts';

type HoldOrder = {
  readonly money: ReserveOrder;
  /** 0 where no node of the model needs a stack. */
  readonly units: number;
  readonly priceVersion: string;
  /** Taken last: what must be used once, and is there only if all else is held; a failure where it is gone. */
  readonly use: (() => Promise<Failure | undefined>) | undefined;
};

export type Holding = {
  /** What is held stays held only if this resolves to `reserved`. */
  hold(order: HoldOrder, signal: AbortSignal): Promise<Reserved | Failure>;
  /** Makes the remaining attempts to let go without pauses, and waits for them. */
  close(): Promise<void>;
};

/** The reason of a signal that aborts because nobody waits for the answer any more. */
export const callerGone = new Error('the caller is gone');

/**
 * Pauses before each attempt to release. Attempts go on where nothing was held yet, since a reservation whose answer got
 * lost may still be on its way. What none of them reaches is expired by the sweeper after its lease.
 */
const releasePausesMs = [0, 100, 400, 1600, 3200, 6400] as const;
const releasesMax = 10_000;

type Reason = { readonly ending: Ending; readonly status: number };
const refused: Reason = { ending: 'refused', status: 503 };
const failed: Reason = { ending: 'gateway-failed', status: 503 };
const left: Reason = { ending: 'client-aborted', status: 499 };

export function createHolding(options: {
  readonly ledger: Ledger;
  readonly unitPool: UnitPool;
  readonly nowMs: () => number;
  readonly log: Logger;
}): Holding {
  const { ledger, unitPool, nowMs, log } = options;
  const releases = new Set<Promise<void>>();
  const closing = new AbortController();

  async function reserveBoth(order: HoldOrder): Promise<Reserved | Failure> {
    const reserved = await ledger.reserve(order.money);
    if (reserved.kind !== 'reserved') return reserved;
    const objection = (await holdUnits(order)) ?? (await order.use?.());
    if (!objection) return reserved;
    await startRelease(order, { ...refused, status: answers[objection.kind].status });
    return objection;
  }

  async function holdUnits({ money, units }: HoldOrder): Promise<Failure | undefined> {
    if (units === 0) return undefined;
    const { requestId, model, leaseMs } = money;
    const pool = await unitPool.reserve({ requestId, model, units, leaseMs });
    return pool === 'reserved' ? undefined : pool;
  }

  /** Whether money was held. */
  async function release({ money, units, priceVersion }: HoldOrder, reason: Reason) {
    const { requestId, accountId, keyId, model, endpoint } = money;
    const usage = { usage: noUsage, estimated: false, nodeId: '', timeMs: nowMs(), ...reason };
    const record = { requestId, keyId, model, endpoint, priceVersion, ...usage };
    const { resolved } = await ledger.release({ requestId, accountId, cost: picoUsd(0n), record });
    if (units > 0) await unitPool.settle({ requestId, model, stackId: undefined, units: 0 });
    return resolved;
  }

  async function releaseWithRetries(order: HoldOrder, reason: Reason): Promise<void> {
    const { requestId } = order.money;
    let reached = false;
    for (const pauseMs of releasePausesMs) {
      await sleep(pauseMs, undefined, { signal: closing.signal }).catch(() => undefined);
      try {
        if (await release(order, reason)) return;
        reached = true;
      } catch (cause) {
        log.debug({ err: cause, requestId }, 'could not release, trying again');
      }
    }
    if (!reached) log.error({ requestId }, 'could not release: held until its lease ends');
  }

  function startRelease(order: HoldOrder, reason: Reason): Promise<void> {
    const { requestId } = order.money;
    if (releases.size >= releasesMax) {
      log.error({ requestId }, 'too many releases: held until its lease ends');
      return Promise.resolve();
    }
    const done = releaseWithRetries(order, reason).finally(() => releases.delete(done));
    releases.add(done);
    return done;
  }

  return {
    async hold(order, signal) {
      signal.throwIfAborted();
      try {
        const result = await reserveBoth(order);
        if (result.kind === 'reserved') signal.throwIfAborted();
        return result;
      } catch (cause) {
        // Without an answer nothing says whether money is held; releasing what is not held changes nothing.
        void startRelease(order, signal.reason === callerGone ? left : failed);
        throw cause;
      }
    },
    async close() {
      closing.abort();
      await Promise.all(releases);
    },
  };
}

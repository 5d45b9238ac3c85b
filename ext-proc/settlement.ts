/** Ends reservations at the ledger, again and again until it answers; bounded, and drained before the process ends. */
import type { Counter } from 'prom-client';
import type { Ledger, SettleOrder, UnitPool } from '../domain/reservation.ts';
import type { Logger } from '../runtime/log.ts';

export type SettlementJob = {
  readonly kind: 'settle' | 'release';
  readonly order: SettleOrder;
  readonly unitsHeld: number;
  readonly unitsUsed: number;
  readonly stackId: string | undefined;
};

/** Beyond this many, a settlement is left to the sweeper: memory stays bounded while the ledger is away. */
const pendingMax = 100_000;
const backoffMsMin = 100;
/** Below the reconciler's grace, so that a settlement goes before a release. */
const backoffMsMax = 1000;
/** How many ended exchanges are remembered until their access log entry arrives. */
const endedMax = 50_000;

export function createSettlements(options: {
  readonly ledger: Ledger;
  readonly units: UnitPool;
  readonly log: Logger;
  readonly retries: Counter;
  readonly late: Counter;
  readonly random: () => number;
}) {
  const { ledger, units, log, retries, late, random } = options;
  const pending = new Set<Promise<void>>();
  const ended = new Set<string>();
  const stopping = new AbortController();

  async function apply(job: SettlementJob): Promise<void> {
    const { order, kind } = job;
    const { resolved } = await ledger[kind](order);
    if (!resolved && kind === 'settle' && order.cost > 0n) {
      late.inc();
      log.warn({ requestId: order.requestId }, 'the reservation had ended before its settlement');
    }
    if (job.unitsHeld === 0) return;
    await units.settle({
      requestId: order.requestId,
      model: order.record.model,
      stackId: kind === 'settle' ? job.stackId : undefined,
      units: kind === 'settle' ? job.unitsUsed : 0,
    });
  }

  async function applyUntilAnswered(job: SettlementJob): Promise<void> {
    for (let waitMs = backoffMsMin; ; waitMs = Math.min(waitMs * 2, backoffMsMax)) {
      try {
        await apply(job);
        return;
      } catch (cause) {
        const requestId = job.order.requestId;
        if (stopping.signal.aborted) {
          log.error({ err: cause, requestId }, 'left to the sweeper');
          return;
        }
        retries.inc();
        log.warn({ err: cause, requestId }, 'the ledger did not answer');
        await pause(waitMs * (0.5 + random() / 2), stopping.signal);
      }
    }
  }

  function remember(requestId: string): void {
    ended.add(requestId);
    if (ended.size <= endedMax) return;
    for (const oldest of ended) {
      ended.delete(oldest);
      return;
    }
  }

  return {
    /** Returns at once. The ledger ends a reservation once, whoever else tries. */
    submit(job: SettlementJob): void {
      const { requestId } = job.order;
      remember(requestId);
      if (pending.size >= pendingMax) {
        log.error({ requestId }, 'too many settlements wait, left to the sweeper');
        return;
      }
      const work = applyUntilAnswered(job).finally(() => pending.delete(work));
      pending.add(work);
    },
    /** Whether this process has ended the exchange; asking forgets it. */
    takeEnded: (requestId: string): boolean => ended.delete(requestId),
    /** Waits for what is pending, at most this long, then gives up. */
    async drain(deadlineMs: number): Promise<void> {
      const timer = setTimeout(() => stopping.abort(), deadlineMs);
      while (pending.size > 0) await Promise.all(pending);
      clearTimeout(timer);
    },
  };
}

export type Settlements = ReturnType<typeof createSettlements>;

function pause(waitMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    signal.addEventListener('abort', done);
  });
}

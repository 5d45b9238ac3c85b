/** Reads Envoy's access log: says why an answer broke off, and ends what this service never saw. */
import type { Counter } from 'prom-client';
import type { Exchange } from '../domain/exchange.ts';
import { picoUsd } from '../domain/money.ts';
import type { Ending, Ledger } from '../domain/reservation.ts';
import { noUsage } from '../domain/usage.ts';
import type { Logger } from '../runtime/log.ts';
import type { Causes } from './causes.ts';
import type { SettlementJob, Settlements } from './settlement.ts';

/** One finished request; Envoy writes an entry only when nothing of it is left. */
export type LogEntry = {
  readonly exchange: Exchange;
  readonly status: number;
  readonly details: string;
  readonly isCallerGone: boolean;
};

/** Long enough for another replica to settle what it saw; its own retries are faster than this. */
const graceMs = 2000;
const tickMs = 500;
/** Entries beyond this are left to the sweeper. */
const waitingMax = 50_000;
const attemptsMax = 5;

type Waiting = { readonly entry: LogEntry; readonly dueMs: number; readonly attempt: number };

export function createReconciler(options: {
  readonly ledger: Ledger;
  readonly settlements: Settlements;
  readonly causes: Causes;
  readonly reconciled: Counter;
  readonly log: Logger;
  readonly nowMs: () => number;
  readonly graceMs?: number;
}) {
  const { ledger, settlements, causes, reconciled, log, nowMs } = options;
  const delayMs = options.graceMs ?? graceMs;
  // In the order of their due times, since all wait equally long.
  let waiting: Waiting[] = [];

  function wait(entry: LogEntry, attempt: number): void {
    if (waiting.length >= waitingMax || attempt > attemptsMax) return;
    waiting.push({ entry, dueMs: nowMs() + delayMs, attempt });
  }

  async function resolve({ entry, attempt }: Waiting): Promise<void> {
    const { requestId, accountId } = entry.exchange;
    if (settlements.takeEnded(requestId)) return;
    try {
      if (!(await ledger.isOpen({ requestId, accountId }))) return;
      reconciled.inc();
      log.warn({ requestId, details: entry.details }, 'released a reservation that nobody ended');
      settlements.submit(toRelease(entry, nowMs()));
    } catch (cause) {
      log.warn({ err: cause, requestId }, 'a reservation could not be looked up');
      wait(entry, attempt + 1);
    }
  }

  function tick(): void {
    const isDue = ({ dueMs }: Waiting) => dueMs <= nowMs();
    const due = waiting.filter(isDue);
    if (due.length === 0) return;
    waiting = waiting.filter((item) => !isDue(item));
    for (const item of due) void resolve(item);
  }

  const timer = setInterval(tick, Math.min(tickMs, delayMs));

  return {
    receive(entry: LogEntry): void {
      const { requestId } = entry.exchange;
      const { status, details } = entry;
      if (details !== 'via_upstream') log.info({ requestId, status, details }, 'ended early');
      if (settlements.takeEnded(requestId)) return;
      if (!causes.tell(requestId, endingOf(entry))) wait(entry, 1);
    },
    close: (): void => clearInterval(timer),
  };
}

export type Reconciler = ReturnType<typeof createReconciler>;

function toRelease(entry: LogEntry, timeMs: number): SettlementJob {
  const { exchange, status } = entry;
  return {
    kind: 'release',
    order: {
      requestId: exchange.requestId,
      accountId: exchange.accountId,
      cost: picoUsd(0n),
      record: {
        timeMs,
        requestId: exchange.requestId,
        keyId: exchange.keyId,
        model: exchange.model,
        endpoint: exchange.endpoint,
        nodeId: '',
        priceVersion: exchange.price.version,
        usage: noUsage,
        estimated: false,
        status,
        ending: endingOf(entry),
      },
      evidence: undefined,
    },
    unitsHeld: exchange.units,
    unitsUsed: 0,
    stackId: undefined,
  };
}

function endingOf({ isCallerGone, details }: LogEntry): Ending {
  // Envoy names every failure of a node; a caller's reset without an error code (HTTP/2) leaves no mark at all.
  if (isCallerGone || details === 'via_upstream') return 'client-aborted';
  if (details.includes('ext_proc')) return 'gateway-failed';
  if (details.includes('timeout')) return 'timed-out';
  return details.includes('after_response_started') ? 'node-truncated' : 'node-failed';
}

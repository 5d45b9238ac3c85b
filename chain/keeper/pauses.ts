/** What follows from failures: how long nothing is bought, of that task or at all, or a withdrawal not paid. Pure. */
import { type AbortResponse, readAbort } from '../aborts.ts';
import type { EndedOperation, Failure } from './operation.ts';
import { dayMs, hourMs, type Pause } from './plan.ts';

type Consequence = {
  readonly scope: 'task' | 'all';
  /** Doubles with each failure in a row, up to a day. */
  readonly pauseMs: number;
  /** Whether an operator has to look. */
  readonly isAlarm: boolean;
};

const minuteMs = 60_000;
/** What a purchase cannot meet, unless the contract is another than the one known. */
const strange: Consequence = { scope: 'all', pauseMs: hourMs, isAlarm: true };

const consequences: Readonly<Record<AbortResponse, Consequence>> = {
  'refresh-prices': { scope: 'task', pauseMs: minuteMs, isAlarm: false },
  'refresh-state': { scope: 'task', pauseMs: minuteMs, isAlarm: false },
  'drop-task': { scope: 'task', pauseMs: dayMs, isAlarm: false },
  // The coin is exact: the contract asks more than the cost that was computed.
  fund: { scope: 'task', pauseMs: hourMs, isAlarm: true },
  'own-bug': { scope: 'all', pauseMs: dayMs, isAlarm: true },
  'node-key-fault': strange,
  'not-our-call': strange,
  'distrust-node': strange,
  'freeze-stack': strange,
  log: strange,
  'operator-error': strange,
};

/** What follows from one failure. */
export function consequenceOf(failure: Failure): Consequence {
  switch (failure.kind) {
    case 'abort': {
      const abort = readAbort(failure);
      return abort.kind === 'known' ? consequences[abort.response] : strange;
    }
    case 'failure':
      // Such as too little gas, or congestion.
      return { scope: 'all', pauseMs: 10 * minuteMs, isAlarm: true };
    case 'not-landed':
      return { scope: 'task', pauseMs: minuteMs, isAlarm: false };
  }
}

/** The pauses after these operations, which are in the order in which they ended. */
export function pausesAfter(ended: readonly EndedOperation[]): readonly Pause[] {
  const pauses = new Map<string, Pause & { readonly inARow: number }>();
  for (const operation of ended) {
    if (operation.kind === 'bought') {
      pauses.delete(String(operation.order.taskId));
      pauses.delete('all');
    }
    if (operation.kind !== 'failed') continue;
    const { scope, pauseMs } = consequenceOf(operation.failure);
    const taskId = scope === 'task' ? operation.order.taskId : undefined;
    const key = taskId === undefined ? 'all' : String(taskId);
    const inARow = (pauses.get(key)?.inARow ?? 0) + 1;
    const untilMs = operation.endedMs + Math.min(dayMs, pauseMs * 2 ** (inARow - 1));
    pauses.set(key, { taskId, untilMs, inARow });
  }
  return [...pauses.values()].map(({ taskId, untilMs }) => ({ taskId, untilMs }));
}

/** Until when that withdrawal is not tried again; each of its failures in a row doubles the pause, up to a day. */
export function payableFromMs(reference: string, ended: readonly EndedOperation[]): number {
  const failures = ended.filter(
    (operation) => operation.kind === 'not-paid' && operation.withdrawal.reference === reference,
  );
  const last = failures.at(-1);
  if (last?.kind !== 'not-paid') return 0;
  const { pauseMs } = consequenceOf(last.failure);
  return last.endedMs + Math.min(dayMs, pauseMs * 2 ** (failures.length - 1));
}

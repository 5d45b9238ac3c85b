/**
 * Examines evidence for everybody who asks, once: what was found is kept by the hash of all that went into it, a few
 * examinations run at a time, and each has its time. Whoever cannot wait is told that nothing is known yet.
 */
import { createHash } from 'node:crypto';
import { type Committed, type Examination, examine, unexamined } from './examine.ts';
import type { Verifier } from './verifier.ts';

export type Examiner = {
  /** Never rejects. */
  examine(committed: Committed, signal: AbortSignal): Promise<Examination>;
};

export type ExaminerPorts = {
  readonly verifiers: readonly Verifier[];
  readonly nowMs: () => number;
  readonly onFailure: (cause: unknown, verifier: string) => void;
};

const parallelMax = 2;
const waitingMax = 256;
const budgetMs = 5000;
const keptMax = 1024;
/** Certificates run out, and what a plugin asks elsewhere changes. */
const keptMsMax = 3_600_000;

type Kept = { readonly sinceMs: number; readonly examination: Promise<Examination> };

export function createExaminer(ports: ExaminerPorts): Examiner {
  const { verifiers, nowMs, onFailure } = ports;
  const kept = new Map<string, Kept>();
  const slots = createSlots(parallelMax);

  const run = (id: string, committed: Committed) =>
    slots.run(() => {
      const signal = AbortSignal.timeout(budgetMs);
      const fail: ExaminerPorts['onFailure'] = (cause, verifier) => {
        // What could not be found out now may be later.
        kept.delete(id);
        onFailure(cause, verifier);
      };
      return examine(committed, { verifiers, nowMs: nowMs(), signal, onFailure: fail });
    });

  function find(committed: Committed): Promise<Examination> | undefined {
    const id = idOf(committed);
    const known = kept.get(id);
    kept.delete(id);
    const isUsable = known && nowMs() - known.sinceMs < keptMsMax;
    if (!isUsable && slots.waiting() >= waitingMax) return undefined;
    const entry = isUsable ? known : { sinceMs: nowMs(), examination: run(id, committed) };
    // Put back as the newest; the one that was asked for longest ago goes.
    kept.set(id, entry);
    const [oldest] = kept.keys();
    if (kept.size > keptMax && oldest !== undefined) kept.delete(oldest);
    return entry.examination;
  }

  return {
    async examine(committed, signal) {
      const examination = find(committed);
      const later = unexamined(verifiers, 'has not been looked at yet: ask again');
      return examination && !signal.aborted
        ? Promise.race([examination, afterAbort(signal, later)])
        : later;
    },
  };
}

function idOf({ key, compressed }: Committed): string {
  const { publicKey, rotation, rotationNonce, isEvidenceOwn } = key;
  const evidence = compressed && createHash('sha256').update(compressed).digest('hex');
  const own = Buffer.from(publicKey).toString('hex');
  return [own, rotation, rotationNonce, isEvidenceOwn, evidence].join('/');
}

const afterAbort = <Value>(signal: AbortSignal, value: Value): Promise<Value> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(value), { once: true });
  });

/** At most `max` at a time, the others in the order in which they came. */
function createSlots(max: number) {
  const queue: (() => void)[] = [];
  let free = max;
  return {
    waiting: () => queue.length,
    async run<Value>(work: () => Promise<Value>): Promise<Value> {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => queue.push(resolve));
      try {
        return await work();
      } finally {
        const next = queue.shift();
        if (next) next();
        else free += 1;
      }
    },
  };
}

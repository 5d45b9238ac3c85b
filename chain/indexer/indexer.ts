/** One holder's loop: step after step, with pauses that a new checkpoint cuts short and failures make longer. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createDoorbell } from './doorbell.ts';
import { Worker, type WorkerOptions } from './worker.ts';

export type IndexerOptions = WorkerOptions & {
  /** Between two looks while the doorbell is silent. */
  readonly pollMs: number;
  /** After the `attempt`th failure in a row, counted from 1. */
  readonly backoffMs: (attempt: number) => number;
};

/** Works until the signal ends or the lease is lost. */
export async function runIndexer(options: IndexerOptions, signal: AbortSignal): Promise<void> {
  const { fullNode, pollMs, backoffMs } = options;
  const doorbell = createDoorbell({ fullNode, retryMs: pollMs, signal });
  const worker = new Worker(options, signal);
  let failures = 0;
  while (!signal.aborted) {
    const after = await worker.step();
    if (after === 'fenced') return;
    failures = after === 'failed' ? failures + 1 : 0;
    if (after === 'wait') await doorbell.wait(pollMs);
    if (after === 'failed') await sleep(backoffMs(failures), undefined, { signal }).catch(() => {});
  }
}

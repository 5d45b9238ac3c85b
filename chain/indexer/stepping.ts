/** The loop of whoever follows the ledger: step after step, with pauses that a new checkpoint cuts short and failures make longer. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FullNode } from '../full-node.ts';
import { createDoorbell } from './doorbell.ts';

export type Stepping = {
  readonly fullNode: FullNode;
  /** Between two looks while the doorbell is silent. */
  readonly pollMs: number;
  /** After the `attempt`th failure in a row, counted from 1. */
  readonly backoffMs: (attempt: number) => number;
};

/** What comes after a step; `fenced` ends the loop. */
export type After = 'again' | 'wait' | 'failed' | 'fenced';

/** Takes steps until the signal ends or one is fenced. `step` never rejects. */
export async function keepStepping(
  { fullNode, pollMs, backoffMs }: Stepping,
  { step, signal }: { step: () => Promise<After>; signal: AbortSignal },
): Promise<void> {
  const doorbell = createDoorbell({ fullNode, retryMs: pollMs, signal });
  let failures = 0;
  while (!signal.aborted) {
    const after = await step();
    if (after === 'fenced') return;
    failures = after === 'failed' ? failures + 1 : 0;
    if (after === 'wait') await doorbell.wait(pollMs);
    if (after === 'failed') await sleep(backoffMs(failures), undefined, { signal }).catch(() => {});
  }
}

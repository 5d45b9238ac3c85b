/**
 * Wakes the indexer as checkpoints are executed. Only a hint: what it misses, the next look at the ledger finds, so nothing
 * depends on the subscription.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { FullNode } from '../full-node.ts';

export type Doorbell = {
  /** Ends at the next ring, at once where it has rung since the last wait, or when the time is over. */
  wait(timeoutMs: number): Promise<void>;
};

/** Subscribes, and again after each end, until the signal ends. */
export function createDoorbell(options: {
  fullNode: FullNode;
  retryMs: number;
  signal: AbortSignal;
}): Doorbell {
  const { fullNode, retryMs, signal } = options;
  let hasRung = false;
  let wake = () => {};

  function ring(): void {
    hasRung = true;
    wake();
  }

  async function listen(): Promise<void> {
    while (!signal.aborted) {
      try {
        for await (const _height of fullNode.followHeights(signal)) ring();
      } catch {
        // Broken or not offered: the indexer looks by itself meanwhile.
      }
      await sleep(retryMs, undefined, { signal }).catch(() => {});
    }
    ring();
  }
  void listen();

  return {
    wait(timeoutMs) {
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(timer);
          wake = () => {};
          hasRung = false;
          resolve();
        };
        const timer = setTimeout(done, timeoutMs);
        wake = done;
        if (hasRung || signal.aborted) done();
      });
    },
  };
}

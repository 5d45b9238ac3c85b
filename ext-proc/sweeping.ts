/** Expires reservations past their lease, in a jittered loop so that replicas take turns. */
import type { Counter } from 'prom-client';
import type { Logger } from '../runtime/log.ts';

/** `sweep` expires what is due and tells how many those were. */
export function startSweeping(options: {
  readonly sweep: (signal: AbortSignal) => Promise<number>;
  readonly everyMs: number;
  readonly swept: Counter;
  readonly log: Logger;
  readonly random: () => number;
}): { close(): Promise<void> } {
  const { sweep, everyMs, swept, log, random } = options;
  const closed = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let timer = schedule();

  function schedule() {
    return setTimeout(run, everyMs * (0.5 + random()));
  }

  function run(): void {
    running = sweepOnce().then(() => {
      if (!closed.signal.aborted) timer = schedule();
    });
  }

  async function sweepOnce(): Promise<void> {
    try {
      swept.inc(await sweep(closed.signal));
    } catch (cause) {
      log.warn({ err: cause }, 'a sweep failed');
    }
  }

  return {
    close() {
      closed.abort();
      clearTimeout(timer);
      return running;
    },
  };
}

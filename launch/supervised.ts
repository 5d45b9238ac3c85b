/** Keeps one process running: what ends without being asked is started again after a pause. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Launched } from './child.ts';

export type Supervised = {
  readonly name: string;
  /** The process that runs now. */
  pid(): number;
  kill(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
};

export type SuperviseOptions = {
  readonly name: string;
  readonly start: () => Promise<Launched>;
  readonly restartDelayMs: number;
  readonly onExit: (name: string) => void;
};

/** Resolves once the first process runs; a start that fails at first is thrown, later ones are tried again. */
export async function supervise(options: SuperviseOptions): Promise<Supervised> {
  const stopping = new AbortController();
  let current = await options.start();

  async function watch(): Promise<void> {
    while (!stopping.signal.aborted) {
      await current.exited;
      if (stopping.signal.aborted) return;
      options.onExit(options.name);
      const next = await startAgain();
      if (next) current = next;
    }
  }

  /** Nothing where we were stopped while waiting. */
  async function startAgain(): Promise<Launched | undefined> {
    while (!stopping.signal.aborted) {
      try {
        await delay(options.restartDelayMs, undefined, { signal: stopping.signal });
        return await options.start();
      } catch {
        // Stopped, or not startable yet: the loop's condition tells which.
      }
    }
    return undefined;
  }

  const watching = watch();
  return {
    name: options.name,
    pid: () => current.pid,
    kill: (signal) => current.kill(signal),
    async stop() {
      stopping.abort();
      await current.stop();
      await watching;
      // A process that was being started while we stopped.
      await current.stop();
    },
  };
}

/** Ends a process in the reverse order of its start, once, within a deadline. */
import type { Logger } from './log.ts';

export type Close = () => void | Promise<void>;

/** A list of what to close; the last added is closed first, and one failure does not keep the others open. */
export function createClosing(log: Logger) {
  const steps: { name: string; close: Close }[] = [];
  let closed: Promise<void> | undefined;

  async function closeAll(): Promise<void> {
    for (const { name, close } of steps.reverse()) {
      try {
        await close();
      } catch (cause) {
        log.error({ err: cause, step: name }, 'could not close');
      }
    }
  }

  return {
    add(name: string, close: Close): void {
      steps.push({ name, close });
    },
    /** Repeated calls wait for the first. */
    close(): Promise<void> {
      closed ??= closeAll();
      return closed;
    },
  };
}

export type Closing = ReturnType<typeof createClosing>;

/**
 * Closes on SIGTERM and SIGINT, and exits with 1 where that takes longer than `deadlineMs` or a bug was thrown past
 * every handler.
 */
export function closeOnSignals(
  closing: Closing,
  options: { log: Logger; deadlineMs: number },
): void {
  const end = (code: number) => {
    setTimeout(() => process.exit(1), options.deadlineMs).unref();
    void closing.close().then(() => process.exit(code));
  };
  process.once('SIGTERM', () => end(0));
  process.once('SIGINT', () => end(0));
  process.on('uncaughtException', (cause) => {
    options.log.fatal({ err: cause }, 'uncaught exception');
    end(1);
  });
}

/** Ways for bytes to leave: as they are, compressed, or a few at a time. */
import type { ServerResponse } from 'node:http';
import { constants, createGzip } from 'node:zlib';
import type { Fault } from './faults.ts';

export type Sink = {
  write(text: string): Promise<void>;
  /** Ends the body in good form. */
  end(): void;
  /** Breaks the connection once what was written has left. */
  cut(): void;
};

/** Resolves after the time, or at once where the signal is or becomes aborted. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
  });
}

/** Resolves when the caller is gone. */
export function gone(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    signal.addEventListener('abort', () => resolve(), { once: true });
  });
}

/** The sink that the fault asks for; the signal ends all waiting. */
export function createSink(
  response: ServerResponse,
  options: { fault: Fault | undefined; signal: AbortSignal },
): Sink {
  const { fault, signal } = options;
  if (fault?.kind === 'gzip') return gzipSink(response);
  const plain = plainSink(response, signal);
  return fault?.kind === 'slow-drip' ? dripSink(plain, { ...fault, signal }) : plain;
}

function plainSink(response: ServerResponse, signal: AbortSignal): Sink {
  return {
    async write(text) {
      if (!signal.aborted && !response.write(text)) await drained(response);
    },
    end: () => response.end(),
    cut: () => response.socket?.destroySoon(),
  };
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

function gzipSink(response: ServerResponse): Sink {
  const gzip = createGzip();
  gzip.pipe(response);
  return {
    write: (text) =>
      new Promise((resolve) => {
        gzip.write(text);
        // Each write must be readable at once, as a streaming server compresses.
        gzip.flush(constants.Z_SYNC_FLUSH, () => resolve());
      }),
    end: () => gzip.end(),
    cut: () => response.socket?.destroySoon(),
  };
}

function dripSink(
  plain: Sink,
  options: { bytes: number; intervalMs: number; signal: AbortSignal },
): Sink {
  const { bytes, intervalMs, signal } = options;
  return {
    ...plain,
    async write(text) {
      for (let at = 0; at < text.length && !signal.aborted; at += bytes) {
        await plain.write(text.slice(at, at + bytes));
        await sleep(intervalMs, signal);
      }
    },
  };
}

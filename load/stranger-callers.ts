/** Callers without a valid key: half of them push 20 MiB as fast as they can, half send one byte a second. */
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { StrangersAnswer, StrangersOrder } from './orders.ts';

const bodyBytes = 20 * 1024 * 1024;
const block = Buffer.alloc(64 * 1024, ' ');
const slowPauseMs = 1000;
const reconnectPauseMs = 100;

/** Keeps all connections busy for the given time. */
export async function runStrangers(order: StrangersOrder): Promise<StrangersAnswer> {
  const answer: StrangersAnswer = { bytesSent: 0, outcomes: {} };
  const endMs = performance.now() + order.durationMs;
  const { hostname, port } = new URL(order.url);

  async function stranger(index: number): Promise<void> {
    const isSlow = index % 2 === 1;
    while (performance.now() < endMs) {
      const outcome = await attempt({ hostname, port: Number(port), isSlow, endMs, answer });
      answer.outcomes[outcome] = (answer.outcomes[outcome] ?? 0) + 1;
      await delay(reconnectPauseMs);
    }
  }

  await Promise.all(Array.from({ length: order.connections }, (_, index) => stranger(index)));
  return answer;
}

/** One connection; resolves with the status that it was answered, or how it ended. */
function attempt(options: {
  hostname: string;
  port: number;
  isSlow: boolean;
  endMs: number;
  answer: StrangersAnswer;
}): Promise<string> {
  const { hostname, port, isSlow, endMs, answer } = options;
  return new Promise((resolve) => {
    const socket = connect(port, hostname);
    let left = bodyBytes;
    let status = 'closed';
    const pump = () => {
      const piece = isSlow ? block.subarray(0, 1) : block;
      while (!socket.destroyed && left > 0) {
        left -= piece.length;
        answer.bytesSent += piece.length;
        if (!socket.write(piece) || isSlow) return;
      }
    };
    const timer = isSlow ? setInterval(pump, slowPauseMs) : undefined;
    const timeout = setTimeout(() => {
      status = 'still open at the end';
      socket.destroy();
    }, endMs - performance.now());
    socket.on('connect', () => {
      socket.write(headOf());
      pump();
    });
    if (!isSlow) socket.on('drain', pump);
    socket.on('data', (data) => {
      const match = /^HTTP\/1\.1 (\d{3})/.exec(data.toString('latin1'));
      if (match?.[1]) status = match[1];
      // An answer is all that a stranger waits for; he then tries again.
      socket.destroy();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(timer);
      clearTimeout(timeout);
      resolve(status);
    });
  });
}

const headOf = () =>
  [
    'POST /v1/chat/completions HTTP/1.1',
    'host: gateway',
    'content-type: application/json',
    `authorization: Bearer ${randomBytes(24).toString('hex')}`,
    `content-length: ${bodyBytes}`,
    '',
    '',
  ].join('\r\n');

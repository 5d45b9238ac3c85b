/** A private Redis whose data is kept: the ledger's append-only file is flushed to disk every second. */
import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { type Launched, startChild } from './child.ts';

export type RedisOptions = {
  readonly binary: string;
  readonly port: number;
  /** Where the data stays. */
  readonly folder: string;
  readonly logFile: string;
  readonly guard: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
};

const readyAttempts = 200;
const pollMs = 50;

/** Resolves when it answers, its data loaded. @throws where it ends or does not answer. */
export async function startRedis(options: RedisOptions): Promise<Launched> {
  await mkdir(options.folder, { recursive: true });
  const child = await startChild({
    command: options.binary,
    args: [
      ...['--port', String(options.port), '--bind', '127.0.0.1', '--dir', options.folder],
      ...['--appendonly', 'yes', '--appendfsync', 'everysec', '--save', ''],
      ...['--maxmemory-policy', 'noeviction', '--daemonize', 'no'],
    ],
    env: options.env,
    logFile: options.logFile,
    stopDeadlineMs: 5000,
    guard: options.guard,
  });
  let ended = false;
  void child.exited.then(() => {
    ended = true;
  });
  for (let attempt = 0; attempt < readyAttempts; attempt += 1) {
    if (await answersPing(options.port)) return child;
    if (ended) break;
    await delay(pollMs);
  }
  await child.stop();
  throw new Error(`Redis did not start; ${join(options.logFile)} tells why.`);
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('PING\r\n'));
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => finish(false));
    socket.once('error', () => finish(false));
    socket.once('data', (data) => finish(data.toString().startsWith('+PONG')));
  });
}

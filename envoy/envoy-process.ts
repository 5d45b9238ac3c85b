/**
 * Runs one Envoy. It dies with the process that started it, and a bare SIGTERM would cut streams and lose log entries:
 * `drain` lets them finish first.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { askAdmin, readStat } from './admin.ts';
import { type BootstrapSettings, createBootstrap } from './bootstrap.ts';

export type EnvoyOptions = BootstrapSettings & {
  readonly binary: string;
  /** Holds the bootstrap and Envoy's log. */
  readonly folder: string;
  /** Worker threads. */
  readonly concurrency: number;
};

export type EnvoyProcess = {
  readonly pid: number;
  readonly exited: Promise<void>;
  /** Refuses new requests, waits for open ones up to the deadline, then quits. */
  drain(deadlineMs: number): Promise<void>;
  kill(signal: NodeJS.Signals): void;
};

const statPrefix = 'gateway';
const pollMs = 50;

/** Starts Envoy; it serves once the control plane has configured it. */
export async function startEnvoy(options: EnvoyOptions): Promise<EnvoyProcess> {
  await mkdir(options.folder, { recursive: true });
  const file = join(options.folder, 'bootstrap.json');
  await writeFile(file, JSON.stringify(createBootstrap(options), undefined, 2));

  const child = spawn(
    options.binary,
    [
      ...['-c', file, '--use-dynamic-base-id', '--log-level', 'warning'],
      ...['--concurrency', String(options.concurrency)],
      ...['--drain-time-s', '5', '--drain-strategy', 'immediate'],
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const log = createWriteStream(join(options.folder, 'envoy.log'), { flags: 'a' });
  child.stdout.pipe(log);
  child.stderr.pipe(log);
  const pid = await started(child);
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));

  return {
    pid,
    exited,
    kill: (signal) => void child.kill(signal),
    async drain(deadlineMs) {
      await Promise.race([exited, drainRequests(options, deadlineMs)]);
      await askAdmin(options.admin, '/quitquitquit', 'POST');
      const waiting = new AbortController();
      const late = delay(1000, undefined, { signal: waiting.signal }).then(
        () => void child.kill('SIGKILL'),
        () => undefined,
      );
      await exited;
      waiting.abort();
      await late;
    },
  };
}

function started(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
}

async function drainRequests({ admin }: EnvoyOptions, deadlineMs: number): Promise<void> {
  await askAdmin(admin, '/healthcheck/fail', 'POST');
  await askAdmin(admin, '/drain_listeners?graceful', 'POST');
  const attempts = Math.ceil(deadlineMs / pollMs);
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    const active = await readStat(admin, `http.${statPrefix}.downstream_rq_active`);
    if (active === undefined || active === 0) return;
    await delay(pollMs);
  }
}

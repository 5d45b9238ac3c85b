/** Real Redis servers for tests: one, or a cluster of three masters; on free ports, in a directory of their own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import { createClient } from 'redis';
import { freePorts, isFree } from '../launch/ports.ts';
import { resolveRedisServer } from '../launch/tools/redis.ts';
import { until } from './until.ts';

export type TestRedis = {
  readonly url: string;
  /** Waits until all that it has answered is written to its file; a flush that is still running holds that up. */
  written(): Promise<void>;
  /** Ends it by SIGKILL. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data. */
  start(): Promise<void>;
  /** Sends a signal, such as SIGSTOP. */
  signal(name: NodeJS.Signals): void;
  stop(): Promise<void>;
};

const host = '127.0.0.1';
const startDeadlineMs = 10_000;
const slots = 16_384;
/** A node's cluster bus listens at its port plus this. */
const busOffset = 10_000;

const binary = resolveRedisServer({ env, progress: () => {} });

/** Both ports stay below those that systems give to outgoing connections. */
async function freePort(cluster: boolean): Promise<number> {
  for (;;) {
    const [port = 0] = await freePorts(1);
    if (!cluster) return port;
    const bus = port + busOffset;
    if (bus < 32_000 && (await isFree({ host, port: bus }))) return port;
  }
}

/** Runs commands over a connection of their own. */
async function command(port: number, ...commands: string[][]): Promise<unknown> {
  const client = createClient({
    url: `redis://${host}:${port}`,
    RESP: 2,
    socket: { reconnectStrategy: false },
  });
  client.on('error', () => {});
  await client.connect();
  try {
    let reply: unknown;
    for (const args of commands) reply = await client.sendCommand(args);
    return reply;
  } finally {
    client.destroy();
  }
}

/** A server that does not answer yet counts as not there yet. */
const untilThere = (what: string, check: () => Promise<boolean>): Promise<void> =>
  until(what, () => check().catch(() => false), startDeadlineMs);

/** One server that writes an append-only file. */
export async function startRedis(): Promise<TestRedis> {
  return startServer(await freePort(false), []);
}

async function startServer(port: number, args: readonly string[]): Promise<TestRedis> {
  const directory = await mkdtemp(join(tmpdir(), 'atoma-redis-'));
  const options = `--port ${port} --bind ${host} --dir ${directory} --save`.split(' ');
  const durable = '--appendonly yes --appendfsync everysec --loglevel warning'.split(' ');
  let child: ChildProcess | undefined;

  async function start(): Promise<void> {
    child = spawn(await binary, [...options, '', ...durable, ...args], { stdio: 'ignore' });
    child.on('error', () => {});
    await untilThere('Redis starts', async () => (await command(port, ['PING'])) === 'PONG');
  }
  async function kill(): Promise<void> {
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async function isWritten(): Promise<boolean> {
    const info = String(await command(port, ['INFO', 'persistence']));
    return info.includes('aof_buffer_length:0') && info.includes('aof_pending_bio_fsync:0');
  }

  await start();
  return {
    url: `redis://${host}:${port}`,
    start,
    written: () => untilThere('Redis writes its file', isWritten),
    kill,
    signal: (name) => void child?.kill(name),
    async stop() {
      await kill();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

type TestCluster = { readonly url: string; stop(): Promise<void> };

/** Three masters that share all slots. */
export async function startRedisCluster(): Promise<TestCluster> {
  const ports: number[] = [];
  while (ports.length < 3) ports.push(await freePort(true));
  const clustered = '--cluster-enabled yes --cluster-node-timeout 2000'.split(' ');
  const servers = await Promise.all(
    ports.map((port) => startServer(port, [...clustered, '--cluster-config-file', `${port}.conf`])),
  );
  for (const [index, port] of ports.entries()) {
    const first = Math.floor((index * slots) / ports.length);
    const last = Math.floor(((index + 1) * slots) / ports.length);
    const own = Array.from({ length: last - first }, (_, offset) => String(first + offset));
    const epoch = ['CLUSTER', 'SET-CONFIG-EPOCH', String(index + 1)];
    await command(port, epoch, ['CLUSTER', 'ADDSLOTS', ...own]);
  }
  const [seed = 0, ...others] = ports;
  for (const port of others) await command(seed, ['CLUSTER', 'MEET', host, String(port)]);
  await Promise.all(
    ports.map((port) =>
      untilThere('the cluster forms', async () => {
        const info = String(await command(port, ['CLUSTER', 'INFO']));
        return info.includes('cluster_state:ok') && info.includes('cluster_known_nodes:3');
      }),
    ),
  );
  return {
    url: `redis+cluster://${ports.map((port) => `${host}:${port}`).join(',')}`,
    stop: async () => void (await Promise.all(servers.map((server) => server.stop()))),
  };
}

/** What a behaviour suite of storage runs over. */
export const redisKinds = [
  { name: 'one Redis', start: startRedis },
  { name: 'a Redis Cluster of three masters', start: startRedisCluster },
] as const;

import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../runtime/silent-log.ts';
import { createStorage } from '../storage/storage.ts';
import { startRedis } from '../test/redis.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : 0);
    });
  });
  await new Promise((resolve) => {
    server.close(resolve);
  });
  return port;
}

const nodes = (weight: number) => `models:
  - id: small
    endpoints: [chat]
    context_tokens: 100
    output_tokens_max: 10
    price: { input: 1, output: 1 }
nodes:
  - { id: a, url: 'http://127.0.0.1:9', models: [small], weight: ${weight} }
`;

/** The process itself, with a file of nodes of its own. */
async function startProcess(redisUrl: string) {
  const folder = await mkdtemp(join(tmpdir(), 'control-plane-'));
  closers.push(() => rm(folder, { recursive: true }));
  const file = join(folder, 'nodes.yaml');
  await writeFile(file, nodes(1));
  const [xds, api, metrics] = [await freePort(), await freePort(), await freePort()];
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: {
      REDIS_URL: redisUrl,
      ATOMA_CONTROL_PLANE_LISTEN: `127.0.0.1:${xds}`,
      ATOMA_API_LISTEN: `127.0.0.1:${api}`,
      ATOMA_CONTROL_PLANE_METRICS_LISTEN: `127.0.0.1:${metrics}`,
      ATOMA_NODES_FILE: file,
    },
  });
  closers.push(() => child.kill('SIGKILL'));
  let output = '';
  child.stderr.on('data', (chunk) => {
    output += String(chunk);
  });
  await expect.poll(() => output, { timeout: 20_000 }).toContain('"msg":"ready"');
  const read = async (port: number, path: string) =>
    (await fetch(`http://127.0.0.1:${port}${path}`)).text();
  return {
    child,
    metrics: () => read(metrics, '/metrics'),
    health: () => read(api, '/health'),
  };
}

const exitOf = (child: ChildProcess) =>
  new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
  });

describe('the control plane', () => {
  it('publishes what the file of nodes holds, and ends on SIGTERM', async () => {
    const redis = await startRedis();
    closers.push(() => redis.stop());
    const log = silentLog;
    const storage = await createStorage({ redisUrl: redis.url, log });
    closers.push(() => storage.close());
    const { child, metrics, health } = await startProcess(redis.url);
    await expect
      .poll(async () => (await storage.catalogue.read()).models, { timeout: 3000 })
      .toMatchObject([{ id: 'small', protocols: ['openai'], price: { inputToken: 1_000_000n } }]);
    expect(await health()).toContain('"status":"ok"');
    expect(await metrics()).toMatch(/atoma_fleet_models\{[^}]*state="callable"[^}]*\} 1/);
    const exited = exitOf(child);
    child.kill('SIGTERM');
    expect(await exited).toBe(0);
  });

  it('comes up without Redis, and publishes once Redis is there', async () => {
    const redis = await startRedis();
    closers.push(() => redis.stop());
    await redis.kill();
    const { metrics, health } = await startProcess(redis.url);
    expect(await health()).toContain('unavailable');
    expect(await metrics()).toMatch(/atoma_fleet_nodes\{[^}]*\} 1/);
    await redis.start();
    const log = silentLog;
    const storage = await createStorage({ redisUrl: redis.url, log });
    closers.push(() => storage.close());
    await expect
      .poll(async () => (await storage.catalogue.read()).models.length, { timeout: 10_000 })
      .toBe(1);
  });
});

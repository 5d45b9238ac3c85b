/** A whole gateway as processes of this machine: Redis, control plane, ext-authz, ext-proc and Envoy, in this order. */
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isReady } from '../envoy/admin.ts';
import { startEnvoy } from '../envoy/envoy-process.ts';
import type { HostPort } from '../runtime/config.ts';
import { type Launched, startChild } from './child.ts';
import { freePorts, toText } from './ports.ts';
import { startRedis } from './redis-process.ts';
import { planServices, portsOf, type Replicas, type ServicePlan } from './service-plan.ts';
import { type Supervised, supervise } from './supervised.ts';
import { resolveEnvoy } from './tools/envoy.ts';
import { type Env, findOnPath } from './tools/path.ts';
import { resolveRedisServer } from './tools/redis.ts';

export type GatewayOptions = {
  /** Data of Redis, logs, Envoy's bootstrap. */
  readonly dataDir: string;
  /** Settings of the services, and the PATH on which tools are looked for. */
  readonly env: Env;
  readonly listen: HostPort;
  readonly envoyAdmin: HostPort;
  /** Uses this Redis instead of a private one. */
  readonly redisUrl?: string | undefined;
  readonly replicas: Replicas;
  readonly envoyConcurrency: number;
  /** How long a process that ended stays away. */
  readonly restartDelayMs: number;
  readonly progress: (text: string) => void;
  /** Told at the very start how to stop whatever has started by then. */
  readonly onStarting?: (close: () => Promise<void>) => void;
};

export type Gateway = {
  readonly baseUrl: string;
  readonly envoyAdmin: HostPort;
  readonly redisUrl: string;
  readonly metricsUrls: Readonly<Record<string, string>>;
  readonly processes: readonly Supervised[];
  process(name: string): Supervised;
  close(): Promise<void>;
};

const root = join(import.meta.dirname, '..');
const serviceStopMs = 3000;
const envoyDrainMs = 3000;
const readyMs = 30_000;
const heapBytesMax = 2 * 1024 ** 3;
const connectionsMax = 20_000;

/** Resolves when a request through Envoy reaches the services. What was started is stopped where anything fails. */
export async function startGateway(options: GatewayOptions): Promise<Gateway> {
  const starter = await createStarter(options);
  options.onStarting?.(starter.close);
  try {
    const redisUrl = options.redisUrl ?? (await starter.redis());
    const { services, xds } = await starter.services(redisUrl);
    await starter.envoy(xds);
    const baseUrl = `http://${toText(options.listen)}`;
    await waitUntilServing(baseUrl, options.envoyAdmin);
    return {
      baseUrl,
      envoyAdmin: options.envoyAdmin,
      redisUrl,
      metricsUrls: Object.fromEntries(
        services.map(({ name, metrics }) => [name, `http://${toText(metrics)}/metrics`]),
      ),
      processes: starter.processes,
      process(name) {
        const found = starter.processes.find((process) => process.name === name);
        if (!found) throw new Error(`there is no process ${name}`);
        return found;
      },
      close: starter.close,
    };
  } catch (cause) {
    await starter.close();
    throw cause;
  }
}

async function createStarter(options: GatewayOptions) {
  const { dataDir, env, progress, restartDelayMs } = options;
  const logsDir = join(dataDir, 'logs');
  await mkdir(logsDir, { recursive: true });
  const guard = await findOnPath('setpriv', env);
  const processes: Supervised[] = [];
  const [redisPort = 0, ...ports] = await freePorts(1 + portsOf(options.replicas));

  let isClosed = false;

  async function add(name: string, start: () => Promise<Launched>): Promise<void> {
    if (isClosed) throw new Error('stopped while starting');
    const onExit = () => progress(`${name} ended; it is started again`);
    const added = await supervise({ name, start, restartDelayMs, onExit });
    processes.push(added);
    if (isClosed) await added.stop();
  }

  const startService = ({ name, folder, settings }: ServicePlan) =>
    add(name, () =>
      startChild({
        command: process.execPath,
        args: [join(root, folder, 'main.ts')],
        env: { ...env, ...settings },
        logFile: join(logsDir, `${name}.log`),
        stopDeadlineMs: serviceStopMs,
        guard,
      }),
    );

  return {
    processes,

    async redis(): Promise<string> {
      const binary = await resolveRedisServer({ env, progress });
      const folder = join(dataDir, 'redis');
      const logFile = join(logsDir, 'redis.log');
      await add('redis', () =>
        startRedis({ binary, port: redisPort, folder, logFile, guard, env }),
      );
      return `redis://127.0.0.1:${redisPort}`;
    },

    async services(redisUrl: string) {
      const { listen, replicas } = options;
      const plan = planServices({ redisUrl, listen, replicas, ports });
      await Promise.all(plan.services.map(startService));
      return plan;
    },

    async envoy(controlPlane: HostPort): Promise<void> {
      const binary = await resolveEnvoy({ env, progress });
      await add('envoy', async () => {
        const envoy = await startEnvoy({
          binary,
          nodeId: env.ATOMA_ENVOY_ID ?? 'envoy-1',
          folder: join(dataDir, 'envoy'),
          admin: options.envoyAdmin,
          controlPlanes: [controlPlane],
          concurrency: options.envoyConcurrency,
          heapBytesMax,
          connectionsMax,
        });
        return { ...envoy, stop: () => envoy.drain(envoyDrainMs) };
      });
    },

    /** Envoy lets its requests end first, Redis goes last. */
    async close(): Promise<void> {
      isClosed = true;
      const stop = (names: RegExp) =>
        Promise.all(processes.filter(({ name }) => names.test(name)).map((one) => one.stop()));
      await stop(/^envoy$/);
      await stop(/^(ext-authz|ext-proc|control-plane)/);
      await stop(/^redis$/);
    },
  };
}

/** A request without a key that is refused by ext-authz has passed Envoy's listener, routes and our service. */
async function waitUntilServing(baseUrl: string, admin: HostPort): Promise<void> {
  const endMs = performance.now() + readyMs;
  while (performance.now() < endMs) {
    if (await isReady(admin)) {
      const [health, models] = [
        await statusOf(`${baseUrl}/health`),
        await statusOf(`${baseUrl}/v1/models`),
      ];
      if (health === 200 && models === 401) return;
    }
    await delay(50);
  }
  throw new Error(
    'The gateway did not become ready in time; the logs in the data folder tell why.',
  );
}

const statusOf = (url: string): Promise<number> =>
  fetch(url, { signal: AbortSignal.timeout(1000) }).then(
    async (response) => {
      await response.arrayBuffer();
      return response.status;
    },
    () => 0,
  );

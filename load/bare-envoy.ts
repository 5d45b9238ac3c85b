/** Envoy alone before the same node: the same binary and threads, one listener, one cluster, no services. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { isReady } from '../envoy/admin.ts';
import { type Launched, startChild } from '../launch/child.ts';
import { freePorts } from '../launch/ports.ts';
import { resolveEnvoy } from '../launch/tools/envoy.ts';
import { findOnPath } from '../launch/tools/path.ts';
import { env, note } from './env.ts';

export type BareEnvoy = { readonly url: string; readonly process: Launched };

const readyMs = 10_000;
const pollMs = 50;
const stopDeadlineMs = 3000;
const host = '127.0.0.1';

/** Resolves when it proxies to the node. */
export async function startBareEnvoy(options: {
  readonly dataDir: string;
  readonly nodeUrl: string;
  readonly concurrency: number;
}): Promise<BareEnvoy> {
  const binary = await resolveEnvoy({ env, progress: note });
  const [port = 0, adminPort = 0] = await freePorts(2);
  const folder = join(options.dataDir, 'bare-envoy');
  await mkdir(folder, { recursive: true });
  const file = join(folder, 'envoy.json');
  const nodePort = Number(new URL(options.nodeUrl).port);
  await writeFile(file, JSON.stringify(configOf({ port, adminPort, nodePort })));
  const child = await startChild({
    command: binary,
    args: [
      ...['-c', file, '--use-dynamic-base-id', '--log-level', 'warning'],
      ...['--concurrency', String(options.concurrency)],
    ],
    env,
    logFile: join(folder, 'envoy.log'),
    stopDeadlineMs,
    guard: await findOnPath('setpriv', env),
  });
  const endMs = performance.now() + readyMs;
  while (!(await isReady({ host, port: adminPort }))) {
    if (performance.now() > endMs) throw new Error(`The bare Envoy is not ready; see ${folder}.`);
    await delay(pollMs);
  }
  return { url: `http://${host}:${port}`, process: child };
}

const addressOf = (port: number) => ({ socket_address: { address: host, port_value: port } });

const typeOf = (name: string) => ({ '@type': `type.googleapis.com/${name}` });

function configOf(ports: { port: number; adminPort: number; nodePort: number }): object {
  return {
    admin: { address: addressOf(ports.adminPort) },
    static_resources: {
      listeners: [
        {
          name: 'bare',
          address: addressOf(ports.port),
          // As the gateway spreads its connections over its threads.
          enable_reuse_port: false,
          connection_balance_config: { exact_balance: {} },
          filter_chains: [{ filters: [connectionManager] }],
        },
      ],
      clusters: [
        {
          name: 'node',
          type: 'STATIC',
          connect_timeout: '1s',
          circuit_breakers: {
            thresholds: [
              { max_connections: 100_000, max_requests: 100_000, max_pending_requests: 100_000 },
            ],
          },
          load_assignment: {
            cluster_name: 'node',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: addressOf(ports.nodePort) } }] }],
          },
        },
      ],
    },
  };
}

const connectionManager = {
  name: 'envoy.filters.network.http_connection_manager',
  typed_config: {
    ...typeOf('envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager'),
    stat_prefix: 'bare',
    route_config: {
      virtual_hosts: [
        {
          name: 'all',
          domains: ['*'],
          routes: [{ match: { prefix: '/' }, route: { cluster: 'node', timeout: '0s' } }],
        },
      ],
    },
    http_filters: [
      {
        name: 'envoy.filters.http.router',
        typed_config: typeOf('envoy.extensions.filters.http.router.v3.Router'),
      },
    ],
  },
};

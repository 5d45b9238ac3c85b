/** Opens connections to one Redis or to a cluster behind one small interface; neither queues commands while offline. */
import { createClient, createCluster } from 'redis';
import type { Logger } from '../runtime/log.ts';

/** Connections to one server or one cluster. */
export type Link = {
  /** Goes to the master that owns the key, or to any where there is no key. */
  send(request: {
    key: string | undefined;
    args: readonly string[];
    signal: AbortSignal;
  }): Promise<unknown>;
  destroy(): void;
};

export type Address = {
  /** One URL for a single server, several for the known nodes of a cluster. */
  readonly urls: readonly string[];
  readonly cluster: boolean;
};

const connectTimeoutMs = 1000;
const reconnectPauseMsMin = 50;
const reconnectPauseMsMax = 1000;
const topologyRefreshMs = 500;

/** Reads `redis://…`, `rediss://…` or `redis+cluster://[user:password@]host:port,host:port`. */
export function parseRedisUrl(url: string): Address {
  const match = /^redis\+cluster:\/\/(?:([^@]*)@)?(.+)$/.exec(url);
  if (!match) return { urls: [url], cluster: false };
  const [, credentials, hosts = ''] = match;
  const login = credentials === undefined ? '' : `${credentials}@`;
  return { urls: hosts.split(',').map((host) => `redis://${login}${host}`), cluster: true };
}

/** Never gives up: pauses double up to a second and differ, so that replicas do not return in step. */
export function reconnectPauseMs(retries: number): number {
  const pauseMs = Math.min(reconnectPauseMsMax, reconnectPauseMsMin * 2 ** Math.min(retries, 10));
  return pauseMs / 2 + (Math.random() * pauseMs) / 2;
}

const connection = {
  RESP: 2,
  disableOfflineQueue: true,
  // Each command has a deadline of its own, see redis.ts; 0 turns off the client's.
  commandOptions: { timeout: 0 },
  maintNotifications: 'disabled',
  socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: reconnectPauseMs },
} as const;

/** Starts to connect and keeps at it until destroyed; commands fail while there is no connection. */
export function openLink(address: Address, log: Logger): Link {
  return address.cluster ? openCluster(address, log) : openSingle(address, log);
}

function openSingle({ urls }: Address, log: Logger): Link {
  const client = createClient({ url: urls[0] ?? '', ...connection });
  client.on('error', (cause: unknown) => log.warn({ err: cause }, 'Redis connection failed'));
  client
    .connect()
    .catch((cause: unknown) => log.debug({ err: cause }, 'Redis connection given up'));
  return {
    send: ({ args, signal }) => client.sendCommand([...args], { abortSignal: signal }),
    destroy: () => client.destroy(),
  };
}

function openCluster({ urls }: Address, log: Logger): Link {
  const { username, password } = new URL(urls[0] ?? '');
  const login = {
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
  };
  const cluster = createCluster({
    rootNodes: urls.map((url) => ({ url, socket: { connectTimeout: connectTimeoutMs } })),
    defaults: { ...connection, ...login },
    RESP: 2,
    commandOptions: { timeout: 0 },
    // One master that hangs must not keep the others from being used.
    minimizeConnections: true,
    topologyRefreshOnReconnectionAttemptStrategy: topologyRefreshMs,
  });
  cluster.on('error', (cause: unknown) => log.warn({ err: cause }, 'Redis Cluster failed'));
  const destroyed = new AbortController();

  async function connect(): Promise<void> {
    for (let retries = 0; !destroyed.signal.aborted; retries += 1) {
      try {
        await cluster.connect();
        return;
      } catch (cause) {
        log.warn({ err: cause }, 'Redis Cluster cannot be reached');
        await new Promise((resolve) => setTimeout(resolve, reconnectPauseMs(retries)));
      }
    }
  }
  void connect();
  return {
    send: ({ key, args, signal }) =>
      cluster.sendCommand(key, false, [...args], { abortSignal: signal }),
    destroy: () => {
      destroyed.abort();
      if (cluster.isOpen) cluster.destroy();
    },
  };
}

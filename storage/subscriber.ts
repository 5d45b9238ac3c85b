/**
 * Listens to channels over a connection of its own, to any node: a cluster passes messages on to all. What is missed while
 * there is no connection is missed, so listeners hear of every new subscription.
 */
import { createClient } from 'redis';
import type { Logger } from '../runtime/log.ts';
import { reconnectPauseMs } from './redis-link.ts';

/** Nothing stands for "connected anew: messages may have been missed". */
type Listener = (message: string | undefined) => void;

export type Subscriber = {
  /** The returned function ends it. */
  listen(channel: string, listener: Listener): () => void;
  close(): void;
};

const connectTimeoutMs = 1000;
const heartbeatMs = 1000;
const heartbeatDeadlineMs = 2000;

export function createSubscriber(options: { urls: readonly string[]; log: Logger }): Subscriber {
  const { urls, log } = options;
  const listeners = new Map<string, Set<Listener>>();
  let current: Connection | undefined;
  let attempts = 0;
  let closed = false;
  let retry: NodeJS.Timeout | undefined;

  const tell = (channel: string, message: string | undefined) => {
    for (const listener of listeners.get(channel) ?? []) listener(message);
  };

  function dial(): void {
    const url = urls[attempts % urls.length] ?? '';
    attempts += 1;
    current = connectOnce({
      url,
      channels: [...listeners.keys()],
      tell,
      onReady,
      onSubscribed,
      onEnd,
    });
  }
  function onReady(): void {
    attempts = 0;
    for (const channel of listeners.keys()) tell(channel, undefined);
  }
  const onSubscribed = (channel: string) => tell(channel, undefined);
  function onEnd(cause: unknown): void {
    if (closed) return;
    log.warn({ err: cause }, 'Redis subscription lost');
    retry = setTimeout(dial, reconnectPauseMs(attempts));
  }

  return {
    listen(channel, listener) {
      const known = listeners.get(channel);
      const group = known ?? new Set<Listener>();
      listeners.set(channel, group.add(listener));
      if (!current) dial();
      else if (!known) current.add(channel);
      return () => group.delete(listener);
    },
    close() {
      closed = true;
      clearTimeout(retry);
      current?.end();
    },
  };
}

type Connection = { add(channel: string): void; end(): void };

/** One connection until it fails; `onEnd` is called once, not after `end`. */
function connectOnce(options: {
  url: string;
  channels: readonly string[];
  tell: (channel: string, message: string) => void;
  onReady: () => void;
  onSubscribed: (channel: string) => void;
  onEnd: (cause: unknown) => void;
}): Connection {
  const { url, tell } = options;
  const client = createClient({
    url,
    RESP: 2,
    maintNotifications: 'disabled',
    socket: { connectTimeout: connectTimeoutMs, reconnectStrategy: false },
  });
  let ended = false;
  let heartbeat: NodeJS.Timeout | undefined;

  function end(): void {
    ended = true;
    clearInterval(heartbeat);
    client.destroy();
  }
  function fail(cause: unknown): void {
    if (ended) return;
    end();
    options.onEnd(cause);
  }
  const subscribe = (channels: readonly string[]) =>
    client.subscribe([...channels], (message, channel) => tell(channel, message));

  async function start(): Promise<void> {
    await client.connect();
    await subscribe(options.channels);
    let lastPongMs = performance.now();
    heartbeat = setInterval(() => {
      if (performance.now() - lastPongMs > heartbeatMs + heartbeatDeadlineMs) {
        fail(new Error('the subscription is silent'));
        return;
      }
      client.ping().then(() => {
        lastPongMs = performance.now();
      }, fail);
    }, heartbeatMs);
    options.onReady();
  }

  client.on('error', fail);
  client.on('end', () => fail(new Error('the connection ended')));
  start().catch(fail);
  const add = (channel: string) => {
    subscribe([channel]).then(() => options.onSubscribed(channel), fail);
  };
  return { add, end };
}

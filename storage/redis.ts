/**
 * The one way to Redis, single or cluster: each command has a deadline, fails at once while there is no connection, and is
 * never executed for a caller who has been told that it failed to be sent.
 */
import type { Logger } from '../runtime/log.ts';
import { type Address, type Link, openLink, parseRedisUrl } from './redis-link.ts';
import { createSubscriber, type Subscriber } from './subscriber.ts';

export type Redis = {
  /** Sends one command; in a cluster `key` tells the master. */
  send(key: string | undefined, args: readonly string[]): Promise<unknown>;
  readonly subscriber: Subscriber;
  /** Waits until commands are answered or the time is over; tells which. */
  waitUntilReady(timeoutMs: number): Promise<boolean>;
  close(): void;
};

const commandDeadlineMs = 1000;
/** A server that is connected and answers nothing for this long is dialled again. */
const silenceMsMax = 3000;
const readyPollMs = 25;

/** Starts to connect; whoever needs Redis at once waits with `waitUntilReady`. */
export function connectRedis(options: { redisUrl: string; log: Logger }): Redis {
  const { log } = options;
  const address = parseRedisUrl(options.redisUrl);
  const commands = createCommands(address, log);
  const subscriber = createSubscriber({ urls: address.urls, log });

  return {
    send: commands.send,
    subscriber,
    async waitUntilReady(timeoutMs) {
      const endMs = performance.now() + timeoutMs;
      while (performance.now() < endMs) {
        try {
          await commands.send('ready', ['GET', 'ready']);
          return true;
        } catch {
          await new Promise((resolve) => setTimeout(resolve, readyPollMs));
        }
      }
      return false;
    },
    close() {
      subscriber.close();
      commands.close();
    },
  };
}

function createCommands(address: Address, log: Logger) {
  let link: Link = openLink(address, log);
  let lastReplyMs = performance.now();

  function replaceSilentLink(): void {
    if (performance.now() - lastReplyMs < silenceMsMax) return;
    log.warn('Redis is silent: connecting again');
    lastReplyMs = performance.now();
    link.destroy();
    link = openLink(address, log);
  }

  return {
    send(key: string | undefined, args: readonly string[]): Promise<unknown> {
      return new Promise((resolve, reject) => {
        // Aborting takes the command out of the client's queue if it has not been written yet.
        const abort = new AbortController();
        const timer = setTimeout(() => {
          abort.abort();
          reject(new Error(`Redis did not answer ${args[0]} within ${commandDeadlineMs} ms`));
          replaceSilentLink();
        }, commandDeadlineMs);
        link.send({ key, args, signal: abort.signal }).then(
          (reply) => {
            clearTimeout(timer);
            lastReplyMs = performance.now();
            resolve(reply);
          },
          (cause: unknown) => {
            clearTimeout(timer);
            reject(cause instanceof Error ? cause : new Error('Redis failed', { cause }));
          },
        );
      });
    },
    close: () => link.destroy(),
  };
}

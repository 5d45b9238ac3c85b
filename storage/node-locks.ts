/** Locks on nodes over Redis, each used once, in the account's slot; and which keys of nodes are in use. */
import { type LockTerms, lockLifeMs, locksMax, type NodeLock } from '../domain/node-lock.ts';
import { accountKeys, globalKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { maybeTextFrom } from './reply.ts';
import { scripts } from './script.ts';

/** SDKs repeat a request for an hour at most; a repetition after that finds no lock. */
const sealedMemoryMs = 3_600_000;

/** What a sealed request is recognised by; `digest` is of all that makes it this one. */
export type SealedRequest = { readonly terms: LockTerms; readonly digest: string };

export type NodeLocks = {
  /** False where the account has `locksMax` open ones. */
  add(lock: NodeLock): Promise<boolean>;
  /** The lock that the request would use; nothing where there is none, or the request has had one before. */
  find(request: SealedRequest): Promise<NodeLock | undefined>;
  /** The same, and uses it up. */
  take(request: SealedRequest): Promise<NodeLock | undefined>;
  /** Publishes the keys that are in use, all of them. */
  publishKeys(sealingKeys: readonly string[]): Promise<void>;
  isKeyInUse(sealingKey: string): Promise<boolean>;
};

export function createNodeLocks(options: { redis: Redis; randomId: () => string }): NodeLocks {
  const { redis, randomId } = options;

  async function look({ terms, digest }: SealedRequest, memoryMs: string) {
    const { locks, sealedPrefix } = accountKeys(terms.accountId);
    const reply = await scripts.lockTake(redis, {
      keys: [locks, `${sealedPrefix}${digest}`],
      args: [beginningOf(terms), memoryMs],
    });
    const text = maybeTextFrom(reply);
    return text === undefined ? undefined : lockFrom(text, terms);
  }

  return {
    async add(lock) {
      const text = `${beginningOf(lock)}${lock.nodeId}\n${lock.address}\n${randomId()}`;
      const args = [text, String(lockLifeMs), String(locksMax)];
      const { locks } = accountKeys(lock.accountId);
      return (await scripts.lockAdd(redis, { keys: [locks], args })) === 1;
    },

    find: (request) => look(request, ''),
    take: (request) => look(request, String(sealedMemoryMs)),

    async publishKeys(sealingKeys) {
      await scripts.sealingKeys(redis, { keys: [globalKeys.sealingKeys], args: sealingKeys });
    },

    async isKeyInUse(sealingKey) {
      const key = globalKeys.sealingKeys;
      return (await redis.send(key, ['SISMEMBER', key, sealingKey])) === 1;
    },
  };
}

/** No id, key or name of a model that is on offer holds the end of a line. */
const beginningOf = ({ stackId, sealingKey, model }: LockTerms) =>
  `${stackId}\n${sealingKey}\n${model}\n`;

function lockFrom(text: string, terms: LockTerms): NodeLock {
  const [nodeId, address] = text.slice(beginningOf(terms).length).split('\n');
  if (nodeId === undefined || address === undefined) throw new TypeError('expected a lock');
  return { ...terms, nodeId, address };
}

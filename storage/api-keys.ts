/**
 * API keys, stored by the SHA-256 of their text and found in one lookup. A key's index names every text it has had, so that
 * revoking it reaches all of them.
 */
import { hash } from 'node:crypto';
import type { ApiKey, KeyLimits, Scope } from '../domain/api-key.ts';
import { keyHint, keyTextFrom } from '../domain/key-text.ts';
import { apiKeyFromJson, apiKeyToJson } from './codecs.ts';
import { accountKeys, channels, keyIndexKey, keyRecordKey } from './keys.ts';
import type { Redis } from './redis.ts';
import { fieldsFrom, maybeTextFrom, textsFrom } from './reply.ts';

export type NewKey = {
  readonly accountId: string;
  readonly name: string;
  readonly expiresMs: number | undefined;
  readonly scopes: readonly Scope[];
  readonly models: readonly string[] | undefined;
  readonly limits: KeyLimits;
};

/** The text is shown once and stored nowhere. */
type IssuedKey = { readonly key: ApiKey; readonly text: string };

export type ApiKeys = {
  /** One lookup; revoked and expired keys are found as such. */
  find(sha256hex: string): Promise<ApiKey | undefined>;
  create(order: NewKey): Promise<IssuedKey>;
  get(keyId: string): Promise<ApiKey | undefined>;
  list(accountId: string): Promise<readonly ApiKey[]>;
  /** Nothing where there is no such key; repeating changes nothing. */
  revoke(keyId: string): Promise<ApiKey | undefined>;
  /** Gives the key a new text; the old one lives on for the grace. Nothing where there is no such key or it is revoked. */
  rotate(options: { keyId: string; graceMs: number }): Promise<IssuedKey | undefined>;
  /** Called with the SHA-256 of a changed key, or nothing where changes may have been missed. */
  onChange(listener: (sha256hex: string | undefined) => void): () => void;
};

/** The hash under which a key is stored. */
export const sha256Hex = (text: string) => hash('sha256', text, 'hex');

const secretPrefix = 'secret:';
const secretBytes = 32;

type Options = {
  readonly redis: Redis;
  readonly nowMs: () => number;
  readonly randomId: () => string;
  readonly randomBytes: (count: number) => Uint8Array;
};

export function createApiKeys(options: Options): ApiKeys {
  const { redis, nowMs, randomId } = options;
  const records = createKeyRecords(redis);

  function newText() {
    const text = keyTextFrom(options.randomBytes(secretBytes));
    return { text, sha256hex: sha256Hex(text), hint: keyHint(text) };
  }

  async function revoke(keyId: string): Promise<ApiKey | undefined> {
    if (!(await records.index(keyId))) return undefined;
    await records.markRevoked(keyId, nowMs());
    // Read after marking: a rotation that adds a text later sees the mark.
    const index = await records.index(keyId);
    if (!index) return undefined;
    for (const sha256hex of index.secrets) await records.write(sha256hex, index.key);
    return index.key;
  }

  return {
    find: records.find,
    revoke,

    async create(order) {
      const { text, sha256hex, hint } = newText();
      const id = `key_${randomId()}`;
      const key = { ...order, id, hint, createdMs: nowMs(), revokedMs: undefined };
      await records.addSecret(key, sha256hex);
      await records.addToAccount(key);
      // Last, so that a key that works can always be found and revoked.
      await records.write(sha256hex, key);
      return { key, text };
    },

    async get(keyId) {
      return (await records.index(keyId))?.key;
    },

    async list(accountId) {
      const ids = await records.idsOf(accountId);
      const found = await Promise.all(ids.map((id) => records.index(id)));
      return found
        .flatMap((index) => (index ? [index.key] : []))
        .sort((left, right) => left.createdMs - right.createdMs || (left.id < right.id ? -1 : 1));
    },

    async rotate({ keyId, graceMs }) {
      const before = await records.index(keyId);
      if (!before || before.key.revokedMs !== undefined) return undefined;
      const { text, sha256hex, hint } = newText();
      const key = { ...before.key, hint };
      await records.addSecret(key, sha256hex);
      await records.write(sha256hex, key);
      for (const old of before.secrets) await records.end(old, { nowMs: nowMs(), graceMs });
      const after = await records.index(keyId);
      if (after?.key.revokedMs === undefined) return { key, text };
      await revoke(keyId);
      return undefined;
    },

    onChange: (listener) => redis.subscriber.listen(channels.keys, listener),
  };
}

type KeyIndex = { readonly key: ApiKey; readonly secrets: readonly string[] };

function createKeyRecords(redis: Redis) {
  async function find(sha256hex: string): Promise<ApiKey | undefined> {
    const record = keyRecordKey(sha256hex);
    const json = maybeTextFrom(await redis.send(record, ['GET', record]));
    return json === undefined ? undefined : apiKeyFromJson(json);
  }
  async function write(sha256hex: string, key: ApiKey): Promise<void> {
    const record = keyRecordKey(sha256hex);
    await redis.send(record, ['SET', record, apiKeyToJson(key)]);
    await redis.send(undefined, ['PUBLISH', channels.keys, sha256hex]);
  }

  return {
    find,
    write,

    async index(keyId: string): Promise<KeyIndex | undefined> {
      const index = keyIndexKey(keyId);
      const fields = fieldsFrom(await redis.send(index, ['HGETALL', index]));
      const json = fields.get('key');
      if (json === undefined) return undefined;
      const revoked = fields.get('revokedMs');
      const key = apiKeyFromJson(json);
      const secrets = [...fields.keys()]
        .filter((field) => field.startsWith(secretPrefix))
        .map((field) => field.slice(secretPrefix.length));
      return {
        key: { ...key, revokedMs: revoked === undefined ? undefined : Number(revoked) },
        secrets,
      };
    },

    async addSecret(key: ApiKey, sha256hex: string): Promise<void> {
      const index = keyIndexKey(key.id);
      const secret = `${secretPrefix}${sha256hex}`;
      await redis.send(index, ['HSET', index, secret, '1', 'key', apiKeyToJson(key)]);
    },

    async markRevoked(keyId: string, revokedMs: number): Promise<void> {
      const index = keyIndexKey(keyId);
      await redis.send(index, ['HSETNX', index, 'revokedMs', String(revokedMs)]);
    },

    /** Lets an old text end after the grace, or sooner where it ends sooner anyway. */
    async end(sha256hex: string, times: { nowMs: number; graceMs: number }): Promise<void> {
      const key = await find(sha256hex);
      if (!key || key.revokedMs !== undefined) return;
      const endMs = Math.min(
        times.nowMs + times.graceMs,
        key.expiresMs ?? Number.POSITIVE_INFINITY,
      );
      const ended = times.graceMs > 0 ? { expiresMs: endMs } : { revokedMs: times.nowMs };
      await write(sha256hex, { ...key, ...ended });
    },

    async addToAccount(key: ApiKey): Promise<void> {
      const ids = accountKeys(key.accountId).keys;
      await redis.send(ids, ['SADD', ids, key.id]);
    },

    async idsOf(accountId: string): Promise<readonly string[]> {
      const ids = accountKeys(accountId).keys;
      return textsFrom(await redis.send(ids, ['SMEMBERS', ids]));
    },
  };
}

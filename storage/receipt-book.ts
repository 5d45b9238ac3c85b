/** Receipts over Redis: an account's receipts stand with its money, the roots and their keys in a slot of their own. */
import type { ReceiptBook, SealingStore } from '../receipts/store.ts';
import { accountIds } from './accounts.ts';
import { accountKeys, receiptKeys } from './keys.ts';
import { createLeaseStore } from './lease-store.ts';
import {
  batchFromText,
  batchToText,
  keyFromJson,
  keyToJson,
  receiptFrom,
  rootFromJson,
  rootToJson,
  sealedToText,
  settledFromJson,
} from './receipt-codecs.ts';
import type { Redis } from './redis.ts';
import { fieldsFrom, listFrom, maybeTextFrom, textFrom, textsFrom } from './reply.ts';
import { scripts } from './script.ts';

const { roots: rootsKey, batch: batchKey, keys: keysKey } = receiptKeys;
const keyPrefix = 'key:';

export function createReceiptBook(redis: Redis): ReceiptBook {
  return {
    async find({ accountId, requestId }) {
      const key = accountKeys(accountId).receipts;
      const json = maybeTextFrom(await redis.send(key, ['HGET', key, requestId]));
      if (json === undefined) return undefined;
      const receipt = receiptFrom(accountId, json);
      if ('evidence' in receipt) return { kind: 'pending', settled: receipt };
      const at = String(receipt.rootNumber - 1);
      const root = rootFromJson(textFrom(await redis.send(rootsKey, ['LINDEX', rootsKey, at])));
      return { kind: 'sealed', sealed: receipt, root };
    },

    async roots({ after, limit }) {
      const range = [String(after), String(after + limit - 1)];
      return textsFrom(await redis.send(rootsKey, ['LRANGE', rootsKey, ...range])).map(
        rootFromJson,
      );
    },

    async keys() {
      const fields = fieldsFrom(await redis.send(keysKey, ['HGETALL', keysKey]));
      return [...fields]
        .filter(([name]) => name.startsWith(keyPrefix))
        .map(([name, json]) => {
          const keyId = name.slice(keyPrefix.length);
          const until = fields.get(`until:${keyId}`);
          const untilMs = until === undefined ? undefined : Number(until);
          return { keyId, ...keyFromJson(json), untilMs };
        });
    },

    async announceKey({ keyId, publicKey, fromMs }) {
      const json = keyToJson({ publicKey, fromMs });
      await redis.send(keysKey, ['HSETNX', keysKey, `${keyPrefix}${keyId}`, json]);
    },
  };
}

/** Few accounts at a time, and a part of each, so that little is in memory and busy accounts do not hold up others. */
const sliceSize = 20;
const perAccountMax = 2000;

/** Keeps `keptMax` sealed receipts of each account. */
export function createSealingStore({
  redis,
  keptMax,
}: {
  redis: Redis;
  keptMax: number;
}): SealingStore {
  return {
    lease: createLeaseStore({ redis, keys: receiptKeys }),

    async *unsealed() {
      for (let first = 0; ; first += sliceSize) {
        const ids = await accountIds(redis, { first, last: first + sliceSize - 1 });
        const found = await Promise.all(ids.map((id) => unsealedOf(redis, id)));
        yield found.flat();
        if (ids.length < sliceSize) return;
      }
    },

    async lastRoot() {
      const json = maybeTextFrom(await redis.send(rootsKey, ['LINDEX', rootsKey, '-1']));
      return json === undefined ? undefined : rootFromJson(json);
    },

    async underway() {
      const json = maybeTextFrom(await redis.send(batchKey, ['HGET', batchKey, 'text']));
      return json === undefined ? undefined : batchFromText(json);
    },

    async commit({ token }, batch) {
      const { root } = batch;
      const sealedMs = String(Date.parse(root.sealed_at));
      const reply = await scripts.receiptCommit(redis, {
        keys: [receiptKeys.fence, rootsKey, batchKey, keysKey],
        args: [
          token,
          String(root.number),
          rootToJson(root),
          batchToText(batch),
          root.key_id,
          sealedMs,
        ],
      });
      if (reply !== 'committed') throw new Error(`root ${root.number} is ${textFrom(reply)}`);
    },

    async handOut(accountId, sealed) {
      const { receipts, receiptsUnsealed, receiptsSealed } = accountKeys(accountId);
      const pairs = sealed.flatMap((one) => [one.requestId, sealedToText(one.sealed)]);
      await scripts.receiptHandOut(redis, {
        keys: [receipts, receiptsUnsealed, receiptsSealed],
        args: [String(keptMax), ...pairs],
      });
    },

    async finish(rootNumber) {
      await scripts.receiptFinish(redis, { keys: [batchKey], args: [String(rootNumber)] });
    },
  };
}

async function unsealedOf(redis: Redis, accountId: string) {
  const { receipts, receiptsUnsealed: list } = accountKeys(accountId);
  const ids = textsFrom(await redis.send(list, ['LRANGE', list, '0', String(perAccountMax - 1)]));
  if (ids.length === 0) return [];
  const found = listFrom(await redis.send(receipts, ['HMGET', receipts, ...ids]));
  return found.map((json) => settledFromJson(accountId, textFrom(json)));
}

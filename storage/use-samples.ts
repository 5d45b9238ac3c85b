/** Samples of how much of all stacks had been used, over Redis: from them the runway of a model is reckoned. */
import { z } from 'zod';
import type { SuiAddress } from '../domain/chain-ids.ts';
import { chainKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { textsFrom } from './reply.ts';

/** What had been used of all stacks of each model, ever, at one moment; a total never falls. */
export type UseSample = {
  readonly atMs: number;
  readonly totals: ReadonlyMap<string, bigint>;
};

export type UseSamples = {
  /** Oldest first. */
  list(): Promise<readonly UseSample[]>;
  /** Keeps the newest only. */
  add(sample: UseSample): Promise<void>;
};

/** A day of them, with room to spare. */
const samplesMax = 320;

const sampleJson = z.object({
  atMs: z.number(),
  totals: z.array(z.tuple([z.string(), z.string().regex(/^\d{1,20}$/)])),
});

/** The samples of one contract, by the id of its database. */
export function createUseSamples({
  redis,
  databaseId,
}: {
  redis: Redis;
  databaseId: SuiAddress;
}): UseSamples {
  const { useSamples: key } = chainKeys(databaseId);
  return {
    async list() {
      return textsFrom(await redis.send(key, ['LRANGE', key, '0', '-1'])).map(fromJson);
    },

    async add({ atMs, totals }) {
      const json = JSON.stringify({
        atMs,
        totals: [...totals].map(([model, units]) => [model, String(units)]),
      });
      await redis.send(key, ['RPUSH', key, json]);
      await redis.send(key, ['LTRIM', key, String(-samplesMax), '-1']);
    },
  };
}

function fromJson(json: string): UseSample {
  const { atMs, totals } = sampleJson.parse(JSON.parse(json));
  return { atMs, totals: new Map(totals.map(([model, units]) => [model, BigInt(units)])) };
}

/** Reads a hash of any size, some fields at a time. */
import type { Redis } from './redis.ts';
import { fieldsFrom, listFrom, textFrom } from './reply.ts';

const fieldsPerRead = 1000;

/** Every field that is there during the whole reading. */
export async function readHash(redis: Redis, key: string): Promise<ReadonlyMap<string, string>> {
  const all = new Map<string, string>();
  let cursor = '0';
  do {
    const reply = await redis.send(key, ['HSCAN', key, cursor, 'COUNT', String(fieldsPerRead)]);
    const [next, fields] = listFrom(reply);
    for (const [field, value] of fieldsFrom(fields)) all.set(field, value);
    cursor = textFrom(next);
  } while (cursor !== '0');
  return all;
}

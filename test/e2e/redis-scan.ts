/** Every key of a Redis with all that it holds, as texts: to show that something is nowhere in it. */
import { createClient } from 'redis';

const readers: Readonly<Record<string, (key: string) => string[]>> = {
  string: (key) => ['GET', key],
  hash: (key) => ['HGETALL', key],
  list: (key) => ['LRANGE', key, '0', '-1'],
  set: (key) => ['SMEMBERS', key],
  zset: (key) => ['ZRANGE', key, '0', '-1', 'WITHSCORES'],
  stream: (key) => ['XRANGE', key, '-', '+'],
};

/** @throws where a key is of a type that is not read here. */
export async function everythingIn(url: string): Promise<readonly string[]> {
  const client = createClient({ url });
  await client.connect();
  try {
    const texts: string[] = [];
    for await (const keys of client.scanIterator()) {
      for (const key of keys) {
        const type = String(await client.sendCommand(['TYPE', key]));
        const read = readers[type];
        if (!read) throw new Error(`nobody reads a ${type}`);
        texts.push(key, JSON.stringify(await client.sendCommand(read(key))));
      }
    }
    return texts;
  } finally {
    client.destroy();
  }
}

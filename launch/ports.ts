/** Free ports of the loopback interface. */
import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';
import type { HostPort } from '../runtime/config.ts';

const host = '127.0.0.1';

/** Below the ports that systems give to outgoing connections, which could take one before its process listens. */
const portMin = 10_240;
const portEnd = 32_000;

/** What this process has been given may be kept for something that does not listen yet. */
const given = new Set<number>();

/**
 * As many different ports as asked for, free at the time of asking, and each given once by this process. They are neighbours from a random start, so that
 * instances that start at the same moment rarely choose the same.
 */
export async function freePorts(count: number): Promise<number[]> {
  const found: number[] = [];
  const range = portEnd - portMin;
  const start = randomInt(range);
  for (let offset = 0; offset < range && found.length < count; offset += 1) {
    const port = portMin + ((start + offset) % range);
    if (given.has(port)) continue;
    given.add(port);
    if (await isFree({ host, port })) found.push(port);
    else given.delete(port);
  }
  if (found.length < count) throw new Error(`no ${count} ports of ${host} are free`);
  return found;
}

/** Whether nobody listens there. */
export function isFree({ host, port }: HostPort): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, host, () => server.close(() => resolve(true)));
  });
}

export const toText = ({ host, port }: HostPort): string => `${host}:${port}`;

/** Asks name servers for strangers' hosts: within a time, and without the few threads that the system's lookup shares. */
import { Resolver } from 'node:dns/promises';
import type { LookupAll } from './node-place.ts';

const timeoutMs = 1000;
const tries = 2;

/** IPv4 first. The machine's own list of hosts is not asked: its names are not for strangers. */
export function createLookupAll(): LookupAll {
  const resolver = new Resolver({ timeout: timeoutMs, tries });
  return async (host) => {
    const answers = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)]);
    return answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
  };
}

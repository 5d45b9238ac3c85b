/** Finds the addresses of hosts, remembers them, and keeps the last known one where a name server is away. */
import { lookup as lookupOnce } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Fleet, FleetNode } from '../../domain/fleet.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Declaration, DeclaredNode } from './declaration.ts';
import type { Lookup } from './source.ts';

/** IPv4 first: a host with both addresses may well listen on that one only, as `localhost` often does. */
export const systemLookup: Lookup = async (host) =>
  (await lookupOnce(host, { order: 'ipv4first' })).address;

export type Resolver = {
  /** Waits for unknown hosts up to `waitMs`; nodes without an address are left out, with a logged reason. */
  resolve(declaration: Declaration): Promise<Fleet>;
  /** Asks again for every host of the declaration. */
  refresh(declaration: Declaration): Promise<void>;
  /** Whether a host of the declaration has no address. */
  isMissing(declaration: Declaration): boolean;
};

export function createResolver(options: {
  readonly lookup: Lookup;
  readonly log: Logger;
  readonly waitMs: number;
}): Resolver {
  const { lookup, log, waitMs } = options;
  const known = new Map<string, string>();
  const reported = new Set<string>();
  const leftOut = new Set<string>();

  const addressOf = (host: string) => (isIP(host) === 0 ? known.get(host) : host);

  async function ask(host: string): Promise<void> {
    try {
      known.set(host, await lookup(host));
      reported.delete(host);
    } catch (cause) {
      if (!reported.has(host)) {
        log.warn({ err: cause, host, kept: known.get(host) }, 'the host has no address');
      }
      reported.add(host);
    }
  }

  const askAll = (hosts: Iterable<string>) => within(waitMs, Promise.all([...hosts].map(ask)));

  return {
    async resolve(declaration) {
      const unknown = namesIn(declaration).filter((host) => !known.has(host));
      if (unknown.length > 0) await askAll(unknown);
      const withAddress = (node: DeclaredNode): FleetNode[] => {
        const ip = addressOf(node.host);
        if (ip !== undefined) {
          leftOut.delete(node.id);
          return [{ ...node, ip }];
        }
        if (!leftOut.has(node.id)) {
          log.warn({ node: node.id, host: node.host }, 'the node is left out: it has no address');
        }
        leftOut.add(node.id);
        return [];
      };
      return { models: declaration.models, nodes: declaration.nodes.flatMap(withAddress) };
    },
    async refresh(declaration) {
      await askAll(namesIn(declaration));
    },
    isMissing: ({ nodes }) => nodes.some(({ host }) => addressOf(host) === undefined),
  };
}

function namesIn({ nodes }: Declaration): string[] {
  return [...new Set(nodes.map(({ host }) => host))].filter((host) => isIP(host) === 0);
}

/** Late answers are not lost: they are known at the next refresh. */
async function within(timeMs: number, work: Promise<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeMs);
  });
  await Promise.race([work, timeout]);
  clearTimeout(timer);
}

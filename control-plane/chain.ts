/** Everything that the control plane has to do with the chain, composed from its settings. */
import { createEventTypes } from '../chain/bcs/event-types.ts';
import { createFullNode } from '../chain/client.ts';
import { followChain } from '../chain/indexer/follower.ts';
import type { Logger } from '../runtime/log.ts';
import type { createChainMetrics } from '../runtime/metrics.ts';
import type { Storage } from '../storage/storage.ts';
import type { ChainSettings } from './chain-settings.ts';
import { watchChain } from './chain-watch.ts';
import type { DiscoverySource } from './discovery/source.ts';
import { createSuiSource } from './discovery/sui.ts';
import { createAddressBook } from './nodes/address-book.ts';
import { createNodeDesk, type NodeDesk } from './nodes/desk.ts';
import { createLookupAll } from './nodes/lookup.ts';
import { createAddressRule } from './nodes/public-address.ts';

export type ChainParts = {
  readonly source: DiscoverySource;
  readonly desk: NodeDesk;
  close(): Promise<void>;
};

/** Between two looks while no checkpoint is announced. */
const pollMs = 500;
const watchMs = 2000;
const pauseMsMax = 5000;
const pauseMs = (attempt: number) => Math.min(pauseMsMax, 50 * 2 ** Math.min(attempt, 10));

/** Begins to follow the chain at once; the source tells what Redis already knows of it. */
export function startChain(
  settings: ChainSettings,
  tools: {
    readonly storage: Pick<Storage, 'chain' | 'nodeRegistrations'>;
    readonly metrics: ReturnType<typeof createChainMetrics>;
    readonly countFailure: (source: string) => void;
    readonly log: Logger;
  },
): ChainParts {
  const { ids, owner, knownPackages, jumpsWhenPruned, defaults } = settings;
  const { storage, metrics, countFailure, log } = tools;
  const { signal, abort } = endingOf();
  const fullNode = createFullNode({ ...settings, pauseMs });
  const records = storage.chain(ids.databaseId);
  const registrations = storage.nodeRegistrations(ids.databaseId);
  const lookupAll = createLookupAll();
  const isAllowed = createAddressRule(settings.addressesAllowed);
  const book = createAddressBook({ fullNode, lookupAll, isAllowed, signal, log });
  const { definingPackage } = ids;
  const following = followChain(
    {
      fullNode,
      store: records,
      types: createEventTypes(knownPackages),
      definingPackage,
      knownPackages,
      owner,
      jumpsWhenPruned,
      nowMs: () => performance.now(),
      log,
      pollMs,
      backoffMs: pauseMs,
    },
    signal,
  );
  const watching = watchChain({ records, fullNode, metrics, log }, { signal, periodMs: watchMs });
  const observe = createNodeObserver(metrics);
  return {
    source: createSuiSource({ records, registrations, book, defaults, observe, countFailure, log }),
    desk: createNodeDesk({
      fullNode,
      registrations,
      evidence: records.evidence,
      lookupAll,
      isAllowed,
      log,
    }),
    async close() {
      abort();
      await Promise.all([following, watching]);
      fullNode.close();
    },
  };
}

function endingOf() {
  const ending = new AbortController();
  return { signal: ending.signal, abort: () => ending.abort() };
}

function createNodeObserver({ nodes }: ReturnType<typeof createChainMetrics>) {
  return (standings: readonly { readonly reason: string | undefined }[]): void => {
    const routable = standings.filter(({ reason }) => reason === undefined).length;
    nodes.set({ state: 'routable' }, routable);
    nodes.set({ state: 'unroutable' }, standings.length - routable);
  };
}

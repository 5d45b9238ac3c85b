/** Everything that the control plane has to do with the chain, composed from its settings. */
import type { Verifier } from '../attestation/verifier.ts';
import { createEventTypes } from '../chain/bcs/event-types.ts';
import { createFullNode } from '../chain/client.ts';
import { backoffMs } from '../chain/grpc/retry.ts';
import { followChain } from '../chain/indexer/follower.ts';
import type { Logger } from '../runtime/log.ts';
import type { createChainMetrics, createTreasuryMetrics } from '../runtime/metrics.ts';
import type { Storage } from '../storage/storage.ts';
import type { DepositPorts } from './api/deposits.ts';
import { type Attestor, createAttestor } from './attestation/attestor.ts';
import type { ChainSettings } from './chain-settings.ts';
import { watchChain } from './chain-watch.ts';
import type { DiscoverySource } from './discovery/source.ts';
import { createSuiSource } from './discovery/sui.ts';
import { createAddressBook } from './nodes/address-book.ts';
import { createNodeDesk, type NodeDesk } from './nodes/desk.ts';
import { createLookupAll } from './nodes/lookup.ts';
import { createAddressRule } from './nodes/public-address.ts';
import type { Parties } from './treasury/keys.ts';
import { createStanding } from './treasury/standing.ts';
import { startTreasury } from './treasury/treasury.ts';

export type ChainParts = {
  readonly source: DiscoverySource;
  readonly desk: NodeDesk;
  readonly attestor: Attestor;
  /** Nothing where there is no treasury. */
  readonly deposits: DepositPorts | undefined;
  close(): Promise<void>;
};

export type ChainTools = {
  readonly storage: Storage;
  readonly metrics: ReturnType<typeof createChainMetrics>;
  readonly treasuryMetrics: ReturnType<typeof createTreasuryMetrics>;
  /** They judge the evidence that nodes commit. */
  readonly verifiers: readonly Verifier[];
  readonly countFailure: (source: string) => void;
  readonly log: Logger;
};

/** Between two looks while no checkpoint is announced. */
const pollMs = 500;
const watchMs = 2000;
const pauseMs = (attempt: number) => backoffMs({ attempt, random: Math.random() });

/** Begins to follow the chain at once; the source tells what Redis already knows of it. */
export function startChain(
  settings: ChainSettings & { readonly parties: Parties },
  tools: ChainTools,
): ChainParts {
  const { ids, parties, knownPackages, jumpsWhenPruned, defaults } = settings;
  const { storage, metrics, countFailure, log } = tools;
  const { signal, abort } = endingOf();
  const fullNode = createFullNode({ ...settings, pauseMs });
  const records = storage.chain(ids.databaseId);
  const registrations = storage.nodeRegistrations(ids.databaseId);
  const lookupAll = createLookupAll();
  const isAllowed = createAddressRule(settings.addressesAllowed);
  const book = createAddressBook({ fullNode, lookupAll, isAllowed, signal, log });
  const standing = createStanding({
    unitPool: storage.unitPool,
    samples: storage.useSamples(ids.databaseId),
    metrics: tools.treasuryMetrics,
    nowMs: () => Date.now(),
    log,
  });
  const { definingPackage } = ids;
  const following = followChain(
    {
      fullNode,
      store: records,
      types: createEventTypes(knownPackages),
      definingPackage,
      knownPackages,
      owner: parties.stackOwner.address,
      jumpsWhenPruned,
      nowMs: () => performance.now(),
      log,
      pollMs,
      backoffMs: pauseMs,
    },
    signal,
  );
  const watching = watchChain({ records, fullNode, metrics, log }, { signal, periodMs: watchMs });
  const treasury = startTreasury(
    { ...settings, fullNode, records, book, standing, pollMs, backoffMs: pauseMs },
    { tools, signal },
  );
  const observe = createNodeObserver(metrics);
  return {
    source: createSuiSource({
      records,
      registrations,
      book,
      defaults,
      observe,
      judge: standing.judge,
      countFailure,
      log,
    }),
    desk: createNodeDesk({
      fullNode,
      registrations,
      evidence: records.evidence,
      lookupAll,
      isAllowed,
      log,
    }),
    attestor: createAttestor({
      records,
      verifiers: tools.verifiers,
      nowMs: () => Date.now(),
      log,
    }),
    deposits: treasury.deposits,
    async close() {
      abort();
      await Promise.all([following, watching, treasury.running]);
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

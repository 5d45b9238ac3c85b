/** Followers for tests, with pauses that a test can wait for. */
import type { SuiAddress } from '../../domain/chain-ids.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { createEventTypes } from '../bcs/event-types.ts';
import { followChain } from '../indexer/follower.ts';
import type { ChainStore } from '../indexer/store.ts';
import { connectTo } from './client.ts';
import { addressOf, definingPackage } from './ledger.ts';

export const owner = addressOf(0xb0b);
export const types = createEventTypes([definingPackage]);

const streamSilenceMsMax = 10_000;

export type Following = { stop(): Promise<void> };

/** Follows through that node until stopped. */
export function follow(options: {
  served: { readonly host: string };
  store: ChainStore;
  jumpsWhenPruned?: boolean;
  knownPackages?: readonly SuiAddress[];
  leaseMs?: number;
  pollMs?: number;
  nowMs?: () => number;
}): Following {
  const { served, store } = options;
  const ending = new AbortController();
  const fullNode = connectTo(served, { streamSilenceMsMax });
  const running = followChain(
    {
      fullNode,
      store,
      types,
      definingPackage,
      owner,
      knownPackages: options.knownPackages ?? [definingPackage],
      jumpsWhenPruned: options.jumpsWhenPruned ?? false,
      nowMs: options.nowMs ?? (() => performance.now()),
      log: silentLog,
      pollMs: options.pollMs ?? 20,
      backoffMs: () => 5,
      leaseMs: options.leaseMs ?? 1000,
    },
    ending.signal,
  );
  return {
    async stop() {
      ending.abort();
      await running;
      fullNode.close();
    },
  };
}

/** How far the store goes; -1 before the first commit. */
export const coveredOf = async (store: ChainStore): Promise<bigint> =>
  (await store.load())?.progress.covered ?? -1n;

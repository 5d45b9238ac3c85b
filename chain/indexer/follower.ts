/**
 * Follows the chain: one loop lists, judges and stores; everything else only wakes it. One process at a time holds the
 * lease; the others wait to take over.
 */
import { leadInTurn } from '../lease.ts';
import { type IndexerOptions, runIndexer } from './indexer.ts';

export type FollowerOptions = Omit<IndexerOptions, 'lease'> & {
  readonly leaseMs?: number;
};

const leaseMsDefault = 3000;

/** Runs until the signal ends. Never rejects: what fails is logged and tried again. */
export function followChain(options: FollowerOptions, signal: AbortSignal): Promise<void> {
  const { store, log, leaseMs = leaseMsDefault } = options;
  return leadInTurn(
    {
      store,
      log,
      leaseMs,
      task: 'follow the chain',
      run: (lease, ending) => runIndexer({ ...options, lease }, ending),
    },
    signal,
  );
}

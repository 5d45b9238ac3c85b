/** The port to what the indexer keeps: its rows and how far it has read, changed together or not at all. */
import type { Lease, LeaseStore } from '../lease.ts';
import type { ChainState, Progress, StateChange } from './state.ts';

export type StoredChain = {
  readonly progress: Progress;
  readonly state: ChainState;
  /** Counts the commits, from 1; 0 stands for none. */
  readonly revision: number;
};

export type ChainStore = LeaseStore & {
  /** Nothing before the first commit. */
  load(): Promise<StoredChain | undefined>;
  /**
   * One atomic step: the rows, and how far they go. `isReset` first removes the rows of everything that the contract's
   * objects tell. Nothing is written where a later holder of the lease exists, which is `fenced`, or where the store has
   * another revision than the change was made for, which is `stale`: a command that timed out may be executed late.
   */
  commit(
    lease: Lease,
    change: {
      readonly revision: number;
      readonly progress: Progress;
      readonly changes: readonly StateChange[];
      readonly isReset: boolean;
    },
  ): Promise<'committed' | 'fenced' | 'stale'>;
};

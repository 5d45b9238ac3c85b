/** The port to what the keeper keeps: the operation under way, and how each earlier one ended. */
import type { Lease, LeaseStore } from '../lease.ts';
import type { EndedOperation, Operation } from './operation.ts';

export type StoredKeeper = {
  readonly operation: Operation | undefined;
  /** Counts the commits, from 1; 0 stands for none. */
  readonly revision: number;
  /** In the order in which they ended. */
  readonly ended: readonly EndedOperation[];
};

export type KeeperStore = LeaseStore & {
  /** What is under way, and what ended at or after that time. */
  load(sinceMs: number): Promise<StoredKeeper>;
  /**
   * One atomic step: what is under way from now on, and what has ended with it. Nothing is written where a later holder of
   * the lease exists (`fenced`), or where another revision is stored than the one that was loaded (`stale`).
   */
  commit(
    lease: Lease,
    change: {
      readonly revision: number;
      readonly operation: Operation | undefined;
      readonly ended: EndedOperation | undefined;
    },
  ): Promise<'committed' | 'fenced' | 'stale'>;
};

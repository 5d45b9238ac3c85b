/** The ports to what the keeper keeps, the operation under way and how each earlier one ended, and to what it has to pay. */
import type { SuiAddress } from '../../domain/chain-ids.ts';
import type { Withdrawal } from '../../domain/withdrawal.ts';
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
  /** Tells all who sign with the stack owner's key that what is under way here may bring coins to it. */
  announce(stackOwner: SuiAddress): Promise<void>;
  /** What is under way, and what ended at or after that time. */
  load(sinceMs: number): Promise<StoredKeeper>;
  /**
   * One atomic step: what is under way from now on, what has ended with it, and the state of the withdrawal that either is
   * about. Nothing is written where a later holder of the lease exists (`fenced`), or where another revision is stored than
   * the one that was loaded, or the withdrawal is not to be paid any more (`stale`).
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

export type WithdrawalQueue = {
  /** Takes or gives back the accounts' money where a crash left that open. */
  settle(): Promise<void>;
  /** What is to be paid, oldest first, as far as its money is out of the account. */
  queued(): Promise<readonly Withdrawal[]>;
};

/** The port to the book of deposits: what the follower and the look-up by digest write into it. */
import type { Deposit } from '../../domain/deposit.ts';
import type { LedgerCursor } from '../full-node.ts';
import type { FollowStatus } from '../indexer/state.ts';

export type DepositProgress = {
  /** Every deposit up to and including this checkpoint has been recorded. */
  readonly covered: bigint;
  /** Where to go on with the provider that gave it. */
  readonly cursor: LedgerCursor | undefined;
  readonly status: FollowStatus;
};

export type StoredProgress = {
  readonly progress: DepositProgress;
  /** Counts the commits, from 1; 0 stands for none. */
  readonly revision: number;
};

export type Recording = {
  readonly kind: 'recorded';
  /** Ids of deposits that stand in the book with other contents, which stay. */
  readonly conflicts: readonly string[];
};

export type DepositStore = {
  /** Nothing before the first commit. */
  load(): Promise<StoredProgress | undefined>;
  /** Deposits and progress in one step, or nothing where the revision is another. */
  commit(change: {
    readonly revision: number;
    readonly progress: DepositProgress;
    readonly deposits: readonly Deposit[];
  }): Promise<Recording | { readonly kind: 'stale' }>;
  /** Deposits without progress; each is recorded once, however often it is given. */
  record(deposits: readonly Deposit[]): Promise<Recording>;
  /** Credits what has an owner, once; makes good what a crash left open. */
  settle(): Promise<void>;
};

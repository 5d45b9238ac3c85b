/**
 * What the indexer knows of the contract, as tables of rows. Each row says how things stand, never what changed, so that
 * an event applied twice, or over a state that has it already, does no harm.
 */
import type { NodeSmallId, StackSmallId, SuiAddress, TaskSmallId } from '../../domain/chain-ids.ts';
import type { LedgerCursor, LedgerPosition } from '../full-node.ts';

type KnownNode = {
  readonly nodeId: NodeSmallId;
  /** Unknown for a node that registered before the indexer began. */
  readonly badgeId: SuiAddress | undefined;
};

type KnownTask = {
  readonly taskId: TaskSmallId;
  readonly role: number;
  readonly model: string | undefined;
  readonly securityLevel: number;
  readonly reputationMin: number;
  readonly deprecatedAtEpoch: bigint | undefined;
};

type Subscription = {
  readonly taskId: TaskSmallId;
  readonly nodeId: NodeSmallId;
  readonly pricePerMillion: bigint;
  readonly unitsMax: bigint;
};

/** A stack of our own. Frozen means that it is being settled or disputed: nothing more can be used of it. */
export type KnownStack = {
  readonly stackId: StackSmallId;
  readonly taskId: TaskSmallId;
  readonly nodeId: NodeSmallId;
  readonly units: bigint;
  readonly pricePerMillion: bigint;
  readonly standing: 'open' | 'frozen' | 'claimed';
};

/** The key in use is the one of the last event; what the contract stores may be older. */
export type NodeKey = {
  readonly nodeId: NodeSmallId;
  readonly source: 'event' | 'stored';
  readonly publicKey: Uint8Array;
  readonly rotation: bigint;
  readonly epoch: bigint;
};

/** What a node took for one of our stacks. */
export type StackClaim = {
  readonly stackId: StackSmallId;
  readonly nodeId: NodeSmallId;
  readonly unitsClaimed: bigint;
  readonly refund: bigint;
  readonly transactionDigest: string;
  readonly checkpoint: bigint;
};

type Rotation = { readonly rotation: bigint; readonly nonce: bigint };

/** What an operator has to look at; kept for ever. */
export type Alarm =
  /** An event of the contract that cannot be read, with its bytes. */
  | {
      readonly kind: 'poison';
      readonly type: string;
      readonly contents: Uint8Array;
      readonly transactionDigest: string;
      readonly checkpoint: bigint;
      readonly reason: string;
    }
  /** Ids were skipped: events between them never came. */
  | { readonly kind: 'gap'; readonly of: CountedId; readonly from: bigint; readonly to: bigint }
  /** By the operator's leave, history was skipped and the state read anew. */
  | { readonly kind: 'jump'; readonly from: bigint; readonly to: bigint }
  /** A version of the package that nobody has approved. */
  | { readonly kind: 'upgrade'; readonly packageId: SuiAddress; readonly version: bigint };

export type CountedId = 'node' | 'task' | 'stack';

/** The row of each table. */
export type Rows = {
  readonly nodes: KnownNode;
  readonly tasks: KnownTask;
  readonly subscriptions: Subscription;
  readonly stacks: KnownStack;
  readonly keys: NodeKey;
  readonly claims: StackClaim;
  /** One row, `current`. */
  readonly rotation: Rotation;
  /** What a node committed its key with; large, and kept in the store only. */
  readonly evidence: { readonly evidence: Uint8Array };
  /** Kept in the store only. */
  readonly alarms: Alarm;
};

export type TableName = keyof Rows;
/** The tables that the indexer holds in memory. */
export type HeldTable = Exclude<TableName, 'evidence' | 'alarms'>;
type ChangeOf<Table extends TableName> = {
  readonly table: Table;
  readonly id: string;
  /** Nothing deletes the row. */
  readonly row: Rows[Table] | undefined;
};
export type StateChange = { [Table in TableName]: ChangeOf<Table> }[TableName];
type HeldChange = { [Table in HeldTable]: ChangeOf<Table> }[HeldTable];

export type ChainState = { readonly [Table in HeldTable]: Map<string, Rows[Table]> };

/** How far the ledger has been read, and how that goes. */
export type Progress = {
  /** Every event up to and including this checkpoint has been taken in. */
  readonly covered: bigint;
  /** The last event taken in; nothing at or before it is taken in again. */
  readonly position: LedgerPosition | undefined;
  /** Where to go on with the provider that gave it. */
  readonly cursor: LedgerCursor | undefined;
  /** The ids that come next. */
  readonly next: Readonly<Record<CountedId, bigint>>;
  readonly status: FollowStatus;
};

export type FollowStatus =
  | { readonly kind: 'following' }
  /** What comes next is not to be had from this node any more. */
  | { readonly kind: 'pruned'; readonly start: bigint; readonly lowest: bigint }
  /** The node is of another chain, or breaks the protocol: nothing of it is believed. */
  | { readonly kind: 'halted'; readonly reason: string };

export const emptyState = (): ChainState => ({
  nodes: new Map(),
  tasks: new Map(),
  subscriptions: new Map(),
  stacks: new Map(),
  keys: new Map(),
  claims: new Map(),
  rotation: new Map(),
});

/** Brings a state up to date; changes of tables that are only stored are passed over. */
export function applyChanges(state: ChainState, changes: readonly StateChange[]): void {
  for (const change of changes) {
    if (change.table !== 'evidence' && change.table !== 'alarms') applyChange(state, change);
  }
}

function applyChange<Table extends HeldTable>(
  state: { readonly [Name in Table]: Map<string, Rows[Name]> },
  change: HeldChange & ChangeOf<Table>,
): void {
  const rows: Map<string, Rows[Table]> = state[change.table];
  if (change.row === undefined) rows.delete(change.id);
  else rows.set(change.id, change.row);
}

/** The row id of a subscription. */
export const subscriptionId = (ids: { taskId: TaskSmallId; nodeId: NodeSmallId }): string =>
  `${ids.taskId}/${ids.nodeId}`;

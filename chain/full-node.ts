/**
 * The port to the chain: what the gateway asks of one full node, in words of the domain. Every call takes a signal, has a
 * deadline of its own, and throws a `FullNodeError` where it gets no usable answer.
 */
import type { NodeSmallId, StackSmallId, SuiAddress, TaskSmallId } from '../domain/chain-ids.ts';
import type {
  AtomaDatabase,
  ChainTable,
  NodeBadge,
  NodeEntry,
  NodePrice,
  StackEntry,
  Task,
} from '../domain/chain-object.ts';

/** Where an event stands in the ledger; the order of positions is the order of events. */
export type LedgerPosition = {
  readonly checkpoint: bigint;
  readonly transaction: bigint;
  readonly event: number;
};

/** An event as it was emitted, of any type; digest and index are its identity. */
export type LedgerEvent = {
  readonly type: string;
  readonly contents: Uint8Array;
  readonly transactionDigest: string;
  readonly position: LedgerPosition;
};

/** A transaction as far as it moved money; its position stands for it among all that is listed. */
export type LedgerTransaction = {
  readonly digest: string;
  /** An aborted transaction has moved nothing but gas. */
  readonly isSuccess: boolean;
  /** What each address has more or less of each coin afterwards. */
  readonly balanceChanges: readonly BalanceChange[];
  readonly position: LedgerPosition;
  readonly timeMs: number;
};

export type BalanceChange = {
  readonly address: SuiAddress;
  /** In normal form, where it has one. */
  readonly coinType: string;
  readonly amount: bigint;
};

type LedgerView = {
  /** The last executed checkpoint. */
  readonly height: bigint;
  /** Older checkpoints are not there any more. */
  readonly lowestCheckpoint: bigint;
};

/** From where to where to list. */
export type ListingBounds = {
  /** Only what comes after this cursor, which the same provider gave. */
  readonly after: Uint8Array | undefined;
  /** Inclusive. */
  readonly startCheckpoint: bigint;
  /** Exclusive. */
  readonly endCheckpoint: bigint;
};

export type EventQuery = ListingBounds & {
  /** Full types; any of them matches. */
  readonly types: readonly string[];
};

export type TransactionQuery = ListingBounds & {
  /** Only transactions that changed something of this address. */
  readonly address: SuiAddress;
};

/** Where a listing goes on, with the provider that gave the cursor. */
export type LedgerCursor = { readonly provider: string; readonly bytes: Uint8Array };

/** Why a listing stopped. */
export type EndReason =
  | 'item-limit'
  | 'scan-limit'
  | 'checkpoint-bound'
  | 'cursor-bound'
  | 'ledger-tip';

/** One step of a listing, with or without an item. */
export type ListingFrame<Item> = {
  readonly item: Item | undefined;
  /** From here a listing can go on, also where this one breaks. */
  readonly cursor: Uint8Array;
  /** Every matching item up to and including this checkpoint has been given; unset before the first boundary. */
  readonly covered: bigint | undefined;
  /** Set on the last frame of a complete listing only. */
  readonly end: EndReason | undefined;
};

/** The shared object in which the contract keeps everything. */
export type DatabaseObject = {
  readonly type: string;
  /** Nothing where the object is not shared; a transaction names it. */
  readonly initialSharedVersion: bigint | undefined;
  readonly database: AtomaDatabase;
};

/** One row of a table. */
export type Row<Id, Value> = { readonly id: Id; readonly value: Value };
type Pages<Id, Value> = AsyncIterable<readonly Row<Id, Value>[]>;

export type PackageVersion = { readonly packageId: SuiAddress; readonly version: bigint };

type SignedText = {
  readonly address: SuiAddress;
  readonly text: string;
  readonly signature: Uint8Array;
};

export type FullNode = {
  /** Who answers: cursors are valid with this provider only. */
  readonly provider: string;
  /** Throws `wrong-chain` where the node is of another chain than the pinned one. */
  view(signal: AbortSignal): Promise<LedgerView>;
  /** Whether the node lists events at this height; some do not implement it. */
  canListEvents(height: bigint, signal: AbortSignal): Promise<boolean>;
  listEvents(query: EventQuery, signal: AbortSignal): AsyncIterable<ListingFrame<LedgerEvent>>;
  /** All events of a checkpoint, in order. */
  checkpointEvents(height: bigint, signal: AbortSignal): Promise<readonly LedgerEvent[]>;
  /** Heights as checkpoints are executed; may skip some, and ends only by an error or the signal. */
  followHeights(signal: AbortSignal): AsyncIterable<bigint>;
  listTransactions(
    query: TransactionQuery,
    signal: AbortSignal,
  ): AsyncIterable<ListingFrame<LedgerTransaction>>;
  /** All transactions of a checkpoint, in order. */
  checkpointTransactions(
    height: bigint,
    signal: AbortSignal,
  ): Promise<readonly LedgerTransaction[]>;
  /** Nothing where the node does not know it; `not-final` before it stands in a checkpoint. */
  listedTransaction(
    digest: string,
    signal: AbortSignal,
  ): Promise<LedgerTransaction | 'not-final' | undefined>;
  /** Whether the node finds that the address has signed the text as a personal message; of any scheme. */
  vouchesFor(signed: SignedText, signal: AbortSignal): Promise<boolean>;
  packageVersions(packageId: SuiAddress, signal: AbortSignal): Promise<readonly PackageVersion[]>;
  database(signal: AbortSignal): Promise<DatabaseObject>;
  /** Pages are read one after the other and are not one snapshot. */
  nodes(table: ChainTable, signal: AbortSignal): Pages<NodeSmallId, NodeEntry>;
  tasks(table: ChainTable, signal: AbortSignal): Pages<TaskSmallId, Task>;
  subscriptions(table: ChainTable, signal: AbortSignal): Pages<NodeSmallId, NodePrice>;
  stacks(table: ChainTable, signal: AbortSignal): Pages<StackSmallId, StackEntry>;
  /** The stacks that have a settlement ticket. */
  settlingStacks(table: ChainTable, signal: AbortSignal): AsyncIterable<readonly StackSmallId[]>;
  /** The nodes' badges that the address holds now. */
  nodeBadges(owner: SuiAddress, signal: AbortSignal): AsyncIterable<readonly NodeBadge[]>;
  close(): void;
};

export type FullNodeErrorKind =
  /** Away, overloaded or too slow: worth trying again. */
  | 'unavailable'
  /** The node does not offer this call. */
  | 'unimplemented'
  /** No such object or checkpoint here. */
  | 'not-found'
  /** The node refuses the request as it stands. */
  | 'refused'
  /** The answer breaks the protocol or does not decode: not to be believed. */
  | 'protocol'
  /** The node belongs to another chain. */
  | 'wrong-chain'
  /** The caller's signal ended the call. */
  | 'aborted';

export class FullNodeError extends Error {
  override readonly name = 'FullNodeError';
  readonly kind: FullNodeErrorKind;

  constructor(kind: FullNodeErrorKind, message: string, options?: { cause: unknown }) {
    super(`${kind}: ${message}`, options);
    this.kind = kind;
  }
}

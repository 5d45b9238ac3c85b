/**
 * The port through which transactions are made: what has to be known to build one offline, its execution, and what became
 * of it. Every call takes a signal and throws a `FullNodeError` where it gets no usable answer.
 */
import type { SuiAddress } from '../domain/chain-ids.ts';

/** One version of an object, as a transaction names its input. */
export type ObjectRef = {
  readonly objectId: SuiAddress;
  readonly version: bigint;
  readonly digest: string;
};

export type OwnedCoin = ObjectRef & { readonly balance: bigint };

export type ObjectOwner =
  | { readonly kind: 'address'; readonly address: SuiAddress }
  /** A transaction names a shared object by the version in which it became so. */
  | { readonly kind: 'shared'; readonly initialVersion: bigint }
  | { readonly kind: 'other' };

export type ObjectState = { readonly ref: ObjectRef; readonly owner: ObjectOwner };

/** Which coins: of whom, and of what type. */
export type CoinQuery = { readonly owner: SuiAddress; readonly coinType: string };

/** The bytes and the signatures over them; the digest is that of the bytes. */
export type SignedTransaction = {
  readonly digest: string;
  readonly bytes: Uint8Array;
  readonly signatures: readonly string[];
};

export type ExecutionResult =
  | { readonly kind: 'success' }
  /** The contract refused: all is as before, but for the gas. */
  | { readonly kind: 'abort'; readonly module: string; readonly code: bigint }
  /** Any other failure, such as too little gas; also this one costs gas. */
  | { readonly kind: 'failure'; readonly description: string };

/** What a transaction did; final. */
export type Execution = {
  readonly digest: string;
  readonly result: ExecutionResult;
  readonly created: readonly (ObjectState & { readonly type: string })[];
  readonly events: readonly { readonly type: string; readonly contents: Uint8Array }[];
  /** Signed amounts in the coin's smallest unit; gas is among them. */
  readonly balanceChanges: readonly (CoinQuery & { readonly amount: bigint })[];
};

export type TransactionNode = {
  /** The present epoch, and the least price of a unit of gas in it. */
  gasTerms(signal: AbortSignal): Promise<{ readonly epoch: bigint; readonly gasPrice: bigint }>;
  /** Each as it is now; one that came a moment ago may be missing. */
  coins(query: CoinQuery, signal: AbortSignal): Promise<readonly OwnedCoin[]>;
  /** As it is now; nothing where it does not exist or is not an object of its own any more. */
  object(objectId: SuiAddress, signal: AbortSignal): Promise<ObjectState | undefined>;
  /** The same bytes are executed once, however often they are sent, and have the same outcome each time. */
  execute(transaction: SignedTransaction, signal: AbortSignal): Promise<Execution>;
  /** Nothing where this node has not executed it, or has pruned it. */
  transaction(digest: string, signal: AbortSignal): Promise<Execution | undefined>;
};

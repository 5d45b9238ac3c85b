/** What receipts need of a store: the settled requests, the chain of roots, and the keys that have signed. */
import type { Lease, LeaseStore } from '../chain/lease.ts';
import type { Settled } from './receipt.ts';
import type { SignedRoot } from './root.ts';

/** A receipt in its place: `text` is canonical, and never changes from here on. */
export type Sealed = {
  readonly text: string;
  readonly rootNumber: number;
  readonly index: number;
  readonly proof: readonly Uint8Array[];
};

export type KeptReceipt =
  | { readonly kind: 'pending'; readonly settled: Settled }
  | { readonly kind: 'sealed'; readonly sealed: Sealed; readonly root: SignedRoot };

/** A receipt on its way into a tree. */
export type Leaf = {
  readonly accountId: string;
  readonly requestId: string;
  readonly text: string;
};

/** What one root covers, kept until every receipt has got its proof. */
export type Batch = { readonly root: SignedRoot; readonly leaves: readonly Leaf[] };

/** A key and when it signed: from its first announcement until another one has signed a root. */
export type KeyRecord = {
  readonly keyId: string;
  /** 64 hex digits. */
  readonly publicKey: string;
  readonly fromMs: number;
  readonly untilMs: number | undefined;
};

export type ReceiptBook = {
  /** Nothing where the account has settled no such request, or it is too long ago. */
  find(request: { accountId: string; requestId: string }): Promise<KeptReceipt | undefined>;
  /** Roots with a higher number than `after`, in order. */
  roots(page: { after: number; limit: number }): Promise<readonly SignedRoot[]>;
  keys(): Promise<readonly KeyRecord[]>;
  /** The first announcement of a key counts. */
  announceKey(key: { keyId: string; publicKey: string; fromMs: number }): Promise<void>;
};

/** The side of whoever seals, one process at a time. */
export type SealingStore = {
  readonly lease: LeaseStore;
  /** Settled requests that are in no tree, oldest first in each account, in pieces; what is added meanwhile may be missing. */
  unsealed(): AsyncIterable<readonly Settled[]>;
  lastRoot(): Promise<SignedRoot | undefined>;
  /** The batch whose proofs have not all been handed out, if any. */
  underway(): Promise<Batch | undefined>;
  /** Appends the root and keeps the batch in one step. @throws where the lease is over, or another root came first. */
  commit(lease: Lease, batch: Batch): Promise<void>;
  /** Gives the receipts of one account their place; again and again has the effect of once. */
  handOut(
    accountId: string,
    receipts: readonly { requestId: string; sealed: Sealed }[],
  ): Promise<void>;
  /** Forgets the batch of that number: all of it has been handed out. */
  finish(rootNumber: number): Promise<void>;
};

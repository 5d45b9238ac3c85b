/**
 * Seals receipts into trees, one process at a time under a lease. The root comes first, together with what it covers, and
 * then each receipt gets its proof: whoever dies between the two leaves a batch that the next one hands out.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { SigningKey } from '../chain/keystore.ts';
import { type Lease, leadInTurn } from '../chain/lease.ts';
import type { Logger } from '../runtime/log.ts';
import { growTree, type Tree } from './merkle.ts';
import { receiptLeafOf, receiptTextOf, toReceiptBody } from './receipt.ts';
import { nextRoot, type SignedRoot } from './root.ts';
import type { Batch, Leaf, Sealed, SealingStore } from './store.ts';

/** Receipts in one tree: a proof has at most twelve hashes, and a batch about four megabytes. */
export const treeSizeMax = 4096;
const handOutMax = 256;
const leaseMs = 10_000;

export type Sealing = {
  readonly store: SealingStore;
  /** The key, once it is published. */
  readonly signer: () => Promise<SigningKey>;
  readonly nowMs: () => number;
  /** Called after each root that this process has sealed, for example to anchor it elsewhere; `roots` lists all that ever were. */
  readonly onRoot: (root: SignedRoot) => void;
};

/** Seals until it is closed: everything that waits, then again after the interval. */
export function startSealing(
  options: Sealing & { readonly intervalMs: number; readonly log: Logger },
): { close(): Promise<void> } {
  const { store, intervalMs, log } = options;
  const closing = new AbortController();
  async function run(lease: Lease, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sealAll(options, lease, signal);
      await sleep(intervalMs, undefined, { signal }).catch(() => {});
    }
  }
  const task = 'sealing receipts';
  const leading = leadInTurn({ store: store.lease, leaseMs, log, task, run }, closing.signal);
  return {
    close() {
      closing.abort();
      return leading;
    },
  };
}

/** One look at everything that waits, beginning with what somebody left half done. */
export async function sealAll(options: Sealing, lease: Lease, signal: AbortSignal): Promise<void> {
  const { store } = options;
  const left = await store.underway();
  if (left) await handOutAll(store, left, treeOver(left.leaves));
  let waiting: Leaf[] = [];
  for await (const settled of store.unsealed()) {
    if (signal.aborted) return;
    for (const one of settled) {
      waiting.push(toLeaf(one));
      if (waiting.length < treeSizeMax) continue;
      await seal(options, lease, waiting);
      waiting = [];
    }
  }
  if (waiting.length > 0 && !signal.aborted) await seal(options, lease, waiting);
}

const toLeaf = (settled: Parameters<typeof toReceiptBody>[0]): Leaf => ({
  accountId: settled.accountId,
  requestId: settled.record.requestId,
  text: receiptTextOf(toReceiptBody(settled)),
});

async function seal(
  { store, signer, nowMs, onRoot }: Sealing,
  lease: Lease,
  leaves: readonly Leaf[],
): Promise<void> {
  const key = await signer();
  const last = await store.lastRoot();
  const tree = treeOver(leaves);
  const root = nextRoot({ last, root: tree.root, size: leaves.length, sealedMs: nowMs(), key });
  await store.commit(lease, { root, leaves });
  await handOutAll(store, { root, leaves }, tree);
  onRoot(root);
}

const treeOver = (leaves: readonly Leaf[]): Tree =>
  growTree(leaves.map(({ text }) => receiptLeafOf(text)));

/** All of it follows from what was committed, so that it does not matter who does it, or when. */
async function handOutAll(
  store: SealingStore,
  { root, leaves }: Batch,
  { proofs }: Tree,
): Promise<void> {
  const byAccount = new Map<string, { requestId: string; sealed: Sealed }[]>();
  for (const [index, { accountId, requestId, text }] of leaves.entries()) {
    const sealed = { text, rootNumber: root.number, index, proof: proofs[index] ?? [] };
    const own = byAccount.get(accountId) ?? [];
    own.push({ requestId, sealed });
    byAccount.set(accountId, own);
  }
  for (const [accountId, receipts] of byAccount) {
    // In order: an account's script takes its receipts from the front of what waits.
    for (let first = 0; first < receipts.length; first += handOutMax) {
      await store.handOut(accountId, receipts.slice(first, first + handOutMax));
    }
  }
  await store.finish(root.number);
}

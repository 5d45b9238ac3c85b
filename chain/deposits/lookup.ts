/** Looks one transaction up and records it, for callers who do not want to wait until the follower comes to it. */
import { type Deposit, depositId } from '../../domain/deposit.ts';
import type { Logger } from '../../runtime/log.ts';
import type { FullNode } from '../full-node.ts';
import type { DepositStore } from './store.ts';
import { depositIn, type Treasury } from './transfers.ts';

export type DepositLookup =
  /** It is in the book, credited if its payer is linked. */
  | { readonly kind: 'deposit'; readonly deposit: Deposit }
  /** It is executed and not final: worth asking again. */
  | { readonly kind: 'not-final' }
  | { readonly kind: 'unknown' }
  /** It paid the gateway no USDC. */
  | { readonly kind: 'no-deposit' };

/** Does for one transaction what the follower does for all; throws where the node gives no usable answer. */
export async function lookUpDeposit(options: {
  fullNode: Pick<FullNode, 'view' | 'listedTransaction'>;
  store: Pick<DepositStore, 'record' | 'settle'>;
  treasury: Treasury;
  digest: string;
  log: Logger;
  signal: AbortSignal;
}): Promise<DepositLookup> {
  const { fullNode, store, treasury, digest, log, signal } = options;
  // Throws where the node is of another chain.
  await fullNode.view(signal);
  const transaction = await fullNode.listedTransaction(digest, signal);
  if (transaction === undefined) return { kind: 'unknown' };
  if (transaction === 'not-final') return { kind: 'not-final' };
  const deposit = depositIn(transaction, treasury);
  if (!deposit) return { kind: 'no-deposit' };
  const { conflicts } = await store.record([deposit]);
  if (conflicts.length > 0) {
    log.error({ deposit: depositId(deposit) }, 'the full node tells another deposit than is known');
  }
  await store.settle();
  return { kind: 'deposit', deposit };
}

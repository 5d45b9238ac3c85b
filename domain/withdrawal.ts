/** Money that goes from an account to an address on the chain: what is ordered, and how that stands. */
import type { SuiAddress } from './chain-ids.ts';
import type { MicroUsdc } from './deposit.ts';

export type Withdrawal = {
  /** By this the operator knows it: one of a treasury, for ever. */
  readonly reference: string;
  readonly accountId: string;
  readonly recipient: SuiAddress;
  readonly amount: MicroUsdc;
};

/** By this the ledger knows it: references of two treasuries never meet. */
export const withdrawalReference = (
  { chainId, address }: { readonly chainId: string; readonly address: SuiAddress },
  reference: string,
): string => `${chainId}:${address}:${reference}`;

export type WithdrawalState =
  /** Ordered; the account's money is taken next. */
  | { readonly kind: 'proposed' }
  /** The account did not have the money any more; final. */
  | { readonly kind: 'refused' }
  /** The money is taken, and no transaction that pays it can land. */
  | { readonly kind: 'queued' }
  /** A transaction that pays it may land. */
  | { readonly kind: 'paying' }
  /** Final. */
  | { readonly kind: 'paid'; readonly digest: string }
  /** It will never be paid; the account gets the money back next. */
  | { readonly kind: 'cancelling' }
  /** The account has its money back; final. */
  | { readonly kind: 'cancelled' };

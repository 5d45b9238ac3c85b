/** Wallets and deposits as clients see them; money is exact decimal text. */
import { depositId, worthOf } from '../../domain/deposit.ts';
import { formatUsd } from '../../domain/money.ts';
import type { BookedDeposit, DepositPage } from '../../storage/deposit-book.ts';
import type { WalletLink } from '../../storage/wallet-links.ts';

export const toWalletList = (links: readonly WalletLink[]) => ({
  object: 'list',
  data: links.map(({ wallet, linkedMs }) => ({
    object: 'wallet',
    address: wallet,
    linked_at: new Date(linkedMs).toISOString(),
  })),
  has_more: false,
});

export function toDepositObject({ deposit, state }: BookedDeposit) {
  const { digest, amount, payer, checkpoint, timeMs } = deposit;
  return {
    id: depositId(deposit),
    object: 'deposit',
    digest,
    amount_usd: formatUsd(worthOf(amount)),
    status: state,
    // Null where no single payer can be told.
    from_address: payer ?? null,
    checkpoint: String(checkpoint),
    time: new Date(timeMs).toISOString(),
  };
}

export const toDepositList = ({ deposits, next }: DepositPage) => ({
  object: 'list',
  data: deposits.map(toDepositObject),
  has_more: next !== undefined,
  ...(next === undefined ? {} : { next_cursor: next }),
});

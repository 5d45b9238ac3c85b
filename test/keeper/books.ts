/** Where the money is that a treasury was given. */
import type { Executed } from '../../devnet/sui/executed.ts';
import type { FullNode } from '../../devnet/sui/full-node.ts';
import { balanceOf, coinOf, suiType } from '../../devnet/sui/objects.ts';

type Books = {
  readonly treasury: string;
  readonly stackOwner: string;
  /** Who is paid by withdrawals and in no other way. */
  readonly recipients: readonly string[];
  /** The height before its first transaction. */
  readonly from: bigint;
  readonly funded: { readonly usdc: bigint; readonly mist: bigint };
};

/** `unaccounted` has to be zero at any time. */
export function booksOf({ chain }: FullNode, books: Books) {
  const { treasury, stackOwner, recipients, from, funded } = books;
  const { store } = chain.ledger;
  const sumOf = (owner: string, type: string) =>
    sum(
      store.ownedBy(owner).filter((object) => coinOf(object.type) === type),
      balanceOf,
    );
  const own = transactionsOf(chain, from).filter(
    ({ transaction }) => transaction.gas.owner === treasury,
  );
  const gas = sum(
    own,
    ({ gasUsed }) => gasUsed.computationCost + gasUsed.storageCost - gasUsed.storageRebate,
  );
  const changes = own.flatMap(({ balanceChanges }) => balanceChanges);
  const paid = sum(
    changes.filter(({ coinType }) => coinType === chain.usdcType),
    ({ amount }) => -amount,
  );
  const owner = sumOf(stackOwner, chain.usdcType);
  const withdrawn = sum(recipients, (recipient) => sumOf(recipient, chain.usdcType));
  return {
    owner,
    paid,
    withdrawn,
    ownerGas: sumOf(stackOwner, suiType),
    unaccounted: {
      usdc: funded.usdc - sumOf(treasury, chain.usdcType) - owner - paid - withdrawn,
      mist: funded.mist - sumOf(treasury, suiType) - gas,
    },
  };
}

function transactionsOf({ ledger }: FullNode['chain'], from: bigint): readonly Executed[] {
  ledger.seal();
  const { history } = ledger;
  const all: Executed[] = [];
  for (let height = from + 1n; height <= history.height(); height += 1n) {
    all.push(...(history.checkpoint(height)?.transactions ?? []));
  }
  return all;
}

const sum = <Item>(items: readonly Item[], amountOf: (item: Item) => bigint): bigint =>
  items.reduce((total, item) => total + amountOf(item), 0n);

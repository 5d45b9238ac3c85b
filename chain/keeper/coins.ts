/** Chooses the coins that pay. Pure. */
import type { OwnedCoin } from '../transaction-node.ts';

/** Far below what a transaction may take in. */
const coinsMax = 100;

/**
 * The largest coins, as many as reach the amount, then small change up to the limit, so that coins do not pile up; nothing
 * where they do not reach it.
 */
export function chooseCoins(
  coins: readonly OwnedCoin[],
  amount: bigint,
): readonly OwnedCoin[] | undefined {
  const chosen = coins
    .toSorted(
      (left, right) => Number(right.balance > left.balance) - Number(right.balance < left.balance),
    )
    .slice(0, coinsMax);
  const sum = chosen.reduce((total, { balance }) => total + balance, 0n);
  return chosen.length > 0 && sum >= amount ? chosen : undefined;
}

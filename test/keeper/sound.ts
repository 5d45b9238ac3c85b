/** What must hold of a play once its keepers rest. */
import { expect } from 'vitest';
import { runwayTarget, unitsLeft } from '../../chain/keeper/plan.ts';
import type { Withdrawal } from '../../domain/withdrawal.ts';
import { type Play, settings, stackPrice, stacksForRunway } from './play.ts';
import { fatesOf } from './withdrawals.ts';

const nothing = { usdc: 0n, mist: 0n };

/** All money is accounted for, and each stack on the chain is one purchase in the records. */
export async function expectSound(play: Play, orders: readonly Withdrawal[] = []): Promise<void> {
  const stacks = await play.ownStacks();
  const ended = await play.ended();
  const bought = ended.flatMap((each) => (each.kind === 'bought' ? [each.stackId] : []));
  const byId = (left: bigint, right: bigint) => Number(left - right);
  expect(bought.toSorted(byId)).toEqual(stacks.map(({ id }) => id).toSorted(byId));
  const paid = BigInt(stacks.length) * stackPrice;
  const withdrawn = await expectFates(play, orders);
  expect(play.books()).toEqual({ owner: 0n, ownerGas: 0n, paid, withdrawn, unaccounted: nothing });
  expect(ended.filter((each) => each.kind === 'failed' && each.missing > 0n)).toEqual([]);
  expect((await play.store.load(0)).operation).toBeUndefined();
}

/** Each order is paid once, or cancelled and its money with the account; returns what is paid. */
async function expectFates(play: Play, orders: readonly Withdrawal[]): Promise<bigint> {
  const fates = await fatesOf(play, orders);
  let withdrawn = 0n;
  for (const [index, { amount }] of orders.entries()) {
    const fate = fates[index];
    if (fate === `paid 1 ${amount}`) withdrawn += amount;
    else expect(fate).toBe('cancelled 0 0');
  }
  return withdrawn;
}

export async function expectRunwayOnce(play: Play): Promise<void> {
  const { stacks } = await play.needs();
  expect(unitsLeft(stacks)).toBeGreaterThanOrEqual(runwayTarget(await play.needs(), settings));
  expect(stacks).toHaveLength(stacksForRunway);
}

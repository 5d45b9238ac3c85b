/** Accounts that withdraw from the treasury of a play. */
import { microUsdc, worthOf } from '../../domain/deposit.ts';
import type { Withdrawal } from '../../domain/withdrawal.ts';
import type { Play } from './play.ts';

/** Orders one of each amount, of an account of its own that has just so much, to the recipients in turn. */
export async function orderWithdrawals(
  play: Play,
  amounts: readonly bigint[],
): Promise<readonly Withdrawal[]> {
  const orders: Withdrawal[] = [];
  for (const [index, number] of amounts.entries()) {
    const amount = microUsdc(number);
    const { id: accountId } = await play.accounts.create({ name: 'test' });
    const deposit = { accountId, amount: worthOf(amount), reference: 'start' };
    await play.accounts.credit(deposit);
    const recipient = play.recipients[index % play.recipients.length];
    if (!recipient) throw new Error('a play has recipients');
    const order = { reference: `order-${index}`, accountId, recipient, amount };
    const { kind } = await play.withdrawals.order(order);
    if (kind !== 'ordered') throw new Error(`the withdrawal is refused: ${kind}`);
    orders.push(order);
  }
  return orders;
}

/**
 * What became of the orders, each as one text: its state, how often it was paid, and what is out of its account in
 * micro-USDC.
 */
export async function fatesOf(play: Play, orders: readonly Withdrawal[]): Promise<string[]> {
  const ended = await play.ended();
  return Promise.all(
    orders.map(async ({ reference, accountId }) => {
      const booked = await play.withdrawals.find(reference);
      const payments = ended.filter(
        (each) => each.kind === 'paid' && each.withdrawal.reference === reference,
      );
      const account = await play.accounts.get(accountId);
      const outside = (account?.balance.withdrawn ?? 0n) / worthOf(microUsdc(1n));
      return `${booked?.state.kind} ${payments.length} ${outside}`;
    }),
  );
}

/** Decides whether a transaction paid the gateway, how much, and who did: from balances alone, without I/O. */
import type { SuiAddress } from '../../domain/chain-ids.ts';
import { type Deposit, microUsdc } from '../../domain/deposit.ts';
import type { LedgerTransaction } from '../full-node.ts';

export type Treasury = {
  /** Where deposits go. */
  readonly address: SuiAddress;
  /** The gateway's other addresses, such as the stack owner's: what comes from them was the gateway's before. */
  readonly ownAddresses: readonly SuiAddress[];
  /** The full type of USDC, in normal form. */
  readonly coinType: string;
  /** What came in older checkpoints is not a deposit. */
  readonly firstCheckpoint: bigint;
};

/**
 * The deposit that a transaction is; nothing where it failed, or did not leave the gateway's address with more USDC, as
 * where the gateway itself pays, moves its own coins or uses gas. The payer is whose USDC fell. Where that is nobody, as
 * where a contract pays, or several, nobody can be told to have paid. What the gateway's other addresses give is left out.
 */
export function depositIn(
  { digest, isSuccess, balanceChanges, position, timeMs }: LedgerTransaction,
  { address, ownAddresses, coinType, firstCheckpoint }: Treasury,
): Deposit | undefined {
  const { checkpoint } = position;
  if (!isSuccess || checkpoint < firstCheckpoint) return undefined;
  const nets = new Map<SuiAddress, bigint>();
  for (const change of balanceChanges) {
    if (change.coinType !== coinType) continue;
    nets.set(change.address, (nets.get(change.address) ?? 0n) + change.amount);
  }
  const received = nets.get(address) ?? 0n;
  const moved = ownAddresses.reduce((sum, own) => sum + (nets.get(own) ?? 0n), 0n);
  // What the others gained somebody paid to them, and not here.
  const amount = moved < 0n ? received + moved : received;
  if (amount <= 0n) return undefined;
  const payers = [...nets]
    .filter(([payer, net]) => net < 0n && !ownAddresses.includes(payer))
    .map(([payer]) => payer);
  const payer = payers.length === 1 ? payers[0] : undefined;
  return { digest, index: 0, amount: microUsdc(amount), payer, checkpoint, timeMs };
}

/** USDC that somebody sent to the gateway on the chain: what is known of it, and what it is worth. */
import type { SuiAddress } from './chain-ids.ts';
import { formatUsd, type PicoUsd, picoUsd, picoUsdMax } from './money.ts';

/** Millionths of a USDC, the coin's own unit. */
export type MicroUsdc = bigint & { readonly __unit: 'micro-usdc' };

export type Deposit = {
  readonly digest: string;
  /** Which of its transaction's deposits: what an address gets in one transaction is one change, so this is 0. */
  readonly index: number;
  readonly amount: MicroUsdc;
  /** Whose balance fell; nothing where that is not exactly one address. */
  readonly payer: SuiAddress | undefined;
  readonly checkpoint: bigint;
  readonly timeMs: number;
};

const picoUsdPerMicroUsdc = 1_000_000n;

/** Tags an integer as micro-USDC; what is not positive is a programming error. */
export function microUsdc(amount: bigint): MicroUsdc {
  if (amount <= 0n) throw new RangeError(`not a positive amount: ${amount}`);
  return amount as MicroUsdc;
}

/** By this a deposit is known everywhere. */
export const depositId = ({ digest, index }: Pick<Deposit, 'digest' | 'index'>): string =>
  `${digest}:${index}`;

const referencePrefix = 'sui:';

/** The reference under which the ledger credits a deposit. */
export const depositReference = (id: string): string => `${referencePrefix}${id}`;

/** The deposit that a reference of the ledger belongs to; nothing where it is of another kind. */
export const depositIdIn = (reference: string): string | undefined =>
  reference.startsWith(referencePrefix) ? reference.slice(referencePrefix.length) : undefined;

/** A USDC counts as a dollar. */
export const worthOf = (amount: MicroUsdc): PicoUsd => picoUsd(amount * picoUsdPerMicroUsdc);

/** What is worth exactly so much; nothing where that is no whole positive number of micro-USDC. */
export const usdcWorth = (amount: PicoUsd): MicroUsdc | undefined =>
  amount > 0n && amount % picoUsdPerMicroUsdc === 0n
    ? microUsdc(amount / picoUsdPerMicroUsdc)
    : undefined;

/** Whether the ledger can hold so much at all. */
export const isCreditable = (amount: MicroUsdc): boolean => worthOf(amount) <= picoUsdMax;

/** As dollars. */
export const formatMicroUsdc = (amount: bigint): string => formatUsd(amount * picoUsdPerMicroUsdc);

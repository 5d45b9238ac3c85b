/**
 * Money in whole pico-dollars (1e-12 USD): a price in micro-dollars per million tokens times a number of tokens is
 * exactly that many pico-dollars, so nothing is ever rounded.
 */
export type PicoUsd = bigint & { readonly __unit: 'pico-usd' };

const picoPerUsd = 1_000_000_000_000n;

/** The largest amount that a 64-bit counter of the ledger can hold, about 9.2 million dollars. */
export const picoUsdMax = 2n ** 63n - 1n;

/** Tags an integer as pico-dollars; a negative amount is a programming error. */
export function picoUsd(amount: bigint): PicoUsd {
  if (amount < 0n) throw new RangeError(`negative amount: ${amount}`);
  return amount as PicoUsd;
}

/** Reads a decimal number of dollars such as `12.5`; nothing where it is negative, too fine or too large to hold. */
export function parseUsd(text: string): PicoUsd | undefined {
  const match = /^(\d{1,10})(?:\.(\d{1,12}))?$/.exec(text);
  if (!match) return undefined;
  const [, whole = '0', fraction = ''] = match;
  const amount = inSmallestUnits(whole, { fraction, decimals: 12 });
  return amount > picoUsdMax ? undefined : picoUsd(amount);
}

/** The digits of a decimal number as a whole number of units of its last decimal; the fraction has no more than that. */
export const inSmallestUnits = (
  whole: string,
  { fraction, decimals }: { readonly fraction: string; readonly decimals: number },
): bigint => BigInt(whole + fraction.padEnd(decimals, '0'));

/** Writes dollars as a decimal string without trailing zeros: exact, so that sums by a caller agree with ours. */
export function formatUsd(amount: bigint): string {
  const absolute = amount < 0n ? -amount : amount;
  const whole = absolute / picoPerUsd;
  const fraction = (absolute % picoPerUsd).toString().padStart(12, '0').replace(/0+$/, '');
  return `${amount < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
}

/** The smaller of two amounts. */
export function least(left: PicoUsd, right: PicoUsd): PicoUsd {
  return left < right ? left : right;
}

const million = 1_000_000n;

/** Reads a price in dollars per million units as pico-dollars per unit; nothing where it is finer than that. */
export function parseUsdPerMillion(text: string): PicoUsd | undefined {
  const amount = parseUsd(text);
  if (amount === undefined || amount % million !== 0n) return undefined;
  return picoUsd(amount / million);
}

/** Writes a price per unit as dollars per million units. */
export const formatUsdPerMillion = (pricePerUnit: PicoUsd): string =>
  formatUsd(pricePerUnit * million);

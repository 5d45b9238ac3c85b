/** What one unit of each kind costs; a version names the exact numbers in every ledger entry that used them. */
import { type PicoUsd, picoUsd } from './money.ts';
import type { Usage } from './usage.ts';

/** Pico-dollars per token equal micro-dollars per million tokens. */
export type Price = {
  readonly version: string;
  readonly inputToken: PicoUsd;
  readonly cachedInputToken: PicoUsd;
  readonly outputToken: PicoUsd;
  readonly image: PicoUsd;
  readonly imagePixel: PicoUsd;
};

/** The exact cost of a usage. */
export function costOf(price: Price, usage: Usage): PicoUsd {
  const fresh = usage.inputTokens - usage.cachedInputTokens;
  return picoUsd(
    BigInt(fresh) * price.inputToken +
      BigInt(usage.cachedInputTokens) * price.cachedInputToken +
      BigInt(usage.outputTokens) * price.outputToken +
      BigInt(usage.images) * price.image +
      BigInt(usage.imagePixels) * price.imagePixel,
  );
}

/**
 * The most that any usage within `bound` can cost: each input token may turn out fresh or cached, whichever costs more.
 */
export function costBoundOf(price: Price, bound: Usage): PicoUsd {
  const dearer =
    price.inputToken > price.cachedInputToken ? price.inputToken : price.cachedInputToken;
  return costOf({ ...price, inputToken: dearer, cachedInputToken: dearer }, bound);
}

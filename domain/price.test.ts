import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { picoUsd } from './money.ts';
import { costBoundOf, costOf } from './price.ts';
import { noUsage } from './usage.ts';

const price = {
  version: '1',
  inputToken: picoUsd(3_000_000n),
  cachedInputToken: picoUsd(300_000n),
  outputToken: picoUsd(15_000_000n),
  image: picoUsd(7n),
  imagePixel: picoUsd(2n),
};

describe('costOf', () => {
  it('charges cached tokens at their own price', () => {
    const usage = { ...noUsage, inputTokens: 10, cachedInputTokens: 4, outputTokens: 2 };
    expect(costOf(price, usage)).toBe(6n * 3_000_000n + 4n * 300_000n + 2n * 15_000_000n);
  });

  it('adds pictures and their pixels', () => {
    expect(costOf(price, { ...noUsage, images: 2, imagePixels: 100 })).toBe(214n);
  });

  it('charges nothing for nothing', () => {
    expect(costOf(price, noUsage)).toBe(0n);
  });
});

describe('costBoundOf', () => {
  it('covers every split into fresh and cached tokens, whichever is dearer', () => {
    const amount = fc.bigInt(0n, 1n << 40n).map(picoUsd);
    fc.assert(
      fc.property(amount, amount, fc.nat(), fc.nat(), (fresh, cached, inputTokens, share) => {
        const prices = { ...price, inputToken: fresh, cachedInputToken: cached };
        const usage = { ...noUsage, inputTokens, cachedInputTokens: share % (inputTokens + 1) };
        const bound = costBoundOf(prices, { ...noUsage, inputTokens });
        expect(costOf(prices, usage) <= bound).toBe(true);
      }),
    );
  });
});

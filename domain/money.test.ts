import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatUsd, least, parseUsd, picoUsd, picoUsdMax } from './money.ts';

describe('dollars as text', () => {
  it('come back as they went in', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, picoUsdMax), (amount) => {
        expect(parseUsd(formatUsd(amount))).toBe(amount);
      }),
    );
  });

  it.each([
    ['0', 0n],
    ['12.5', 12_500_000_000_000n],
    ['0.000000000001', 1n],
    ['0.0000000000001', undefined],
    ['-1', undefined],
    ['1e3', undefined],
    ['', undefined],
    ['.5', undefined],
    ['9999999999', undefined],
  ])('%s is read as %s', (text, amount) => {
    expect(parseUsd(text)).toBe(amount);
  });

  it('are written without trailing zeros', () => {
    expect([1n, 10n ** 12n, 1_500_000_000_000n, -25n * 10n ** 10n, 0n].map(formatUsd)).toEqual([
      '0.000000000001',
      '1',
      '1.5',
      '-0.25',
      '0',
    ]);
  });
});

describe('picoUsd', () => {
  it('is never negative', () => {
    expect(() => picoUsd(-1n)).toThrow('negative');
  });

  it('has a smaller of two', () => {
    expect(least(picoUsd(2n), picoUsd(1n))).toBe(1n);
  });
});

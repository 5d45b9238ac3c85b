import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { picoUsd } from './money.ts';
import { divide } from './reservation.ts';

const amount = fc.bigInt(0n, 1n << 62n).map(picoUsd);

describe('divide', () => {
  it('neither makes nor loses money, and charges no more than is held', () => {
    fc.assert(
      fc.property(amount, amount, (held, cost) => {
        const { charged, returned } = divide(held, cost);
        expect(charged + returned).toBe(held);
        expect(charged).toBeLessThanOrEqual(cost);
        expect(charged).toBeLessThanOrEqual(held);
      }),
    );
  });
});

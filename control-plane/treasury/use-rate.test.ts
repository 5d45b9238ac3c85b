import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hourMs } from '../../chain/keeper/plan.ts';
import { unitsPerHour } from './use-rate.ts';

const sample = (hours: number, units: bigint) => ({
  atMs: hours * hourMs,
  totals: new Map([['m', units]]),
});
const rateOf = (samples: readonly (readonly [number, bigint])[], now: readonly [number, bigint]) =>
  unitsPerHour(
    samples.map(([hours, units]) => sample(hours, units)),
    sample(...now),
  ).get('m');

describe('the rate of use', () => {
  it('is nothing where nothing is known', () => {
    expect(rateOf([], [5, 700n])).toBe(0n);
  });

  it('counts a burst at once, as if it had taken an hour', () => {
    expect(rateOf([[5, 0n]], [5.1, 700n])).toBe(700n);
  });

  it('follows the last hour where that is busier than the day', () => {
    expect(
      rateOf(
        [
          [0, 0n],
          [22.9, 100n],
          [23, 100n],
        ],
        [24, 1000n],
      ),
    ).toBe(900n);
  });

  it('follows the day through a quiet hour', () => {
    expect(
      rateOf(
        [
          [0, 0n],
          [23, 2400n],
        ],
        [24, 2400n],
      ),
    ).toBe(100n);
  });

  it('is never negative, and never more than all that was used', () => {
    const history = fc.array(fc.tuple(fc.nat(30), fc.bigInt(0n, 10n ** 12n)), { maxLength: 8 });
    fc.assert(
      fc.property(history, (steps) => {
        let [hours, units] = [0, 0n];
        const samples = steps.map(([more, used]) => {
          hours += more;
          units += used;
          return [hours, units] as const;
        });
        const rate = rateOf(samples, [hours + 1, units]) ?? 0n;
        expect(rate >= 0n && rate <= units).toBe(true);
      }),
    );
  });
});

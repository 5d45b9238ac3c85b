import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultSamplingRates, nodeFee, securityLevels, stackCost, userRefund } from './costs.ts';
import vectors from './vectors.json' with { type: 'json' };

const rates = defaultSamplingRates;
const amount = (text: string) => ({ kind: 'amount', amount: BigInt(text) });

describe('the cost of a stack', () => {
  it.each(vectors.money.acquire)('is as published: %o', ({ price, units, level, acquire_cost }) => {
    const order = { pricePerMillion: BigInt(price), units: BigInt(units), rates };
    expect(stackCost({ ...order, securityLevel: level })).toEqual(amount(acquire_cost));
  });

  it('is an overflow where the contract would abort', () => {
    const order = { securityLevel: securityLevels.confidential, rates };
    const price = 2n ** 64n / 1_000_000n;
    const least = { ...order, pricePerMillion: price, units: 1_000_000n };
    expect(stackCost(least)).toMatchObject({ kind: 'amount', amount: price });
    expect(stackCost({ ...least, pricePerMillion: price + 1n })).toEqual({ kind: 'overflow' });
  });

  it('follows a changed surcharge', () => {
    const order = { pricePerMillion: 1500n, units: 1_000_000n, securityLevel: 2 };
    const changed = { samplingChargePermille: 1500n, extraNodesChargePermille: 500n };
    expect(stackCost({ ...order, rates: changed })).toEqual(amount('3000'));
  });
});

describe('a claim', () => {
  it.each(vectors.money.claim)('pays as published: %o', (claim) => {
    const terms = { pricePerMillion: BigInt(claim.price), securityLevel: claim.level, rates };
    const units = { units: BigInt(claim.units), unitsClaimed: BigInt(claim.claimed) };
    expect(nodeFee({ ...terms, ...units })).toEqual(amount(claim.node_fee));
    expect(userRefund({ ...terms, ...units })).toEqual(amount(claim.user_refund));
  });

  it('never pays and returns more than the stack cost', () => {
    const units = fc.bigInt(1n, 1_000_000n);
    const price = fc.bigInt(1n, 10_000_000_000n);
    fc.assert(
      fc.property(price, units, units, fc.nat(2), (pricePerMillion, one, other, securityLevel) => {
        const [unitsClaimed, bought] = one < other ? [one, other] : [other, one];
        const terms = { pricePerMillion, securityLevel, rates, units: bought, unitsClaimed };
        const [cost, fee, refund] = [stackCost(terms), nodeFee(terms), userRefund(terms)];
        if (cost.kind !== 'amount' || fee.kind !== 'amount' || refund.kind !== 'amount') {
          throw new Error('overflow');
        }
        expect(fee.amount + refund.amount).toBeLessThanOrEqual(cost.amount + roundingOf(terms));
      }),
    );
  });
});

/** The surcharge is rounded after the price, the fee in one step: a sampled claim may be one unit above. */
const roundingOf = ({ securityLevel }: { securityLevel: number }) =>
  securityLevel === securityLevels.sampling ? 1n : 0n;

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nodeSmallId, stackSmallId } from '../../domain/chain-ids.ts';
import { trustFrom } from './trust.ts';

type Spec = { readonly node: bigint; readonly claimed: bigint; readonly used: bigint };

function trustOf(specs: readonly Spec[]) {
  const claims = specs.map(({ node, claimed }, index) => ({
    stackId: stackSmallId(BigInt(index + 1)),
    nodeId: nodeSmallId(node),
    unitsClaimed: claimed,
    refund: 0n,
    transactionDigest: 'digest',
    checkpoint: 1n,
  }));
  const used = new Map(specs.map((spec, index) => [stackSmallId(BigInt(index + 1)), spec.used]));
  return trustFrom(claims, used);
}

const one = nodeSmallId(1n);

describe('trust', () => {
  it('is whole for whoever claimed nothing, less than we used, or hardly more', () => {
    for (const claims of [
      [],
      [{ node: 1n, claimed: 90n, used: 100n }],
      [{ node: 1n, claimed: 105n, used: 100n }],
    ]) {
      const trust = trustOf(claims);
      expect([trust.percentOf(one), trust.isTrusted(one)]).toEqual([100, true]);
    }
  });

  it('falls with what was taken, and is of that node only', () => {
    const trust = trustOf([
      { node: 1n, claimed: 200n, used: 150n },
      { node: 2n, claimed: 100n, used: 100n },
    ]);
    expect([trust.percentOf(one), trust.isTrusted(one)]).toEqual([60, false]);
    expect([trust.percentOf(nodeSmallId(2n)), trust.isTrusted(nodeSmallId(2n))]).toEqual([
      100,
      true,
    ]);
    expect(trust.judgements[0]).toMatchObject({ claimed: 200n, used: 150n, over: 50n });
  });

  it('comes back with honest claims', () => {
    const bad = { node: 1n, claimed: 100n, used: 50n };
    const good = { node: 1n, claimed: 1000n, used: 1000n };
    expect(trustOf([bad]).isTrusted(one)).toBe(false);
    expect(trustOf([bad, good]).isTrusted(one)).toBe(true);
  });

  it('never grows with a larger claim, and stays between 1 and 100', () => {
    const amount = fc.bigInt(1n, 10n ** 9n);
    fc.assert(
      fc.property(amount, amount, amount, (used, claimed, more) => {
        const before = trustOf([{ node: 1n, claimed, used }]).percentOf(one);
        const after = trustOf([{ node: 1n, claimed: claimed + more, used }]).percentOf(one);
        expect(after).toBeLessThanOrEqual(before);
        expect(after >= 1 && before <= 100).toBe(true);
      }),
    );
  });
});

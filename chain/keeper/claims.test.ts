import { describe, expect, it } from 'vitest';
import { nodeSmallId, stackSmallId } from '../../domain/chain-ids.ts';
import { judgeClaims } from './claims.ts';

const nodeId = nodeSmallId(1n);
const claim = (stack: bigint, unitsClaimed: bigint) => ({
  stackId: stackSmallId(stack),
  nodeId,
  unitsClaimed,
  refund: 0n,
  transactionDigest: 'digest',
  checkpoint: 1n,
});

describe('a claim', () => {
  it('is over by what we did not use, and the largest loss stands first', () => {
    const used = new Map([
      [stackSmallId(1n), 90n],
      [stackSmallId(2n), 40n],
    ]);
    const claims = [claim(3n, 5n), claim(1n, 80n), claim(2n, 100n)];
    expect(judgeClaims(claims, used)).toEqual([
      { stackId: 2n, nodeId, claimed: 100n, used: 40n, over: 60n },
      { stackId: 3n, nodeId, claimed: 5n, used: 0n, over: 5n },
      { stackId: 1n, nodeId, claimed: 80n, used: 90n, over: 0n },
    ]);
  });
});

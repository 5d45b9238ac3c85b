import { describe, expect, it } from 'vitest';
import { layouts } from './atoma-layouts.ts';
import { createChain } from './chain.ts';
import { setUpAtoma } from './testing.ts';

const startedAt = (nowMs: number, firstSmallId?: bigint) => {
  const chain = createChain({
    nowMs: () => nowMs,
    ...(firstSmallId === undefined ? {} : { firstSmallId }),
  });
  return { chain, world: setUpAtoma(chain, [1000n]) };
};

describe('two chains', () => {
  it('share no id of a chain, a package or a database', () => {
    const [first, second] = [startedAt(1000), startedAt(1001)];
    expect(first.chain.chainId()).not.toBe(second.chain.chainId());
    for (const id of ['packageId', 'dbId', 'managerBadgeId'] as const) {
      expect(first.world[id]).not.toBe(second.world[id]);
    }
  });

  it('are the same where the clock is', () => {
    const [first, second] = [startedAt(1000), startedAt(1000)];
    expect(first.chain.chainId()).toBe(second.chain.chainId());
    expect(first.world.dbId).toBe(second.world.dbId);
  });
});

describe('small ids', () => {
  const idsOf = ({ chain, world }: ReturnType<typeof startedAt>) => {
    const object = chain.ledger.store.get(world.dbId);
    const db = layouts.AtomaDb.parse(object?.contents ?? new Uint8Array());
    return [db.nextNode, db.nextTask, db.nextStack].map(({ inner }) => inner);
  };

  it('are counted from one, or from where the chain is told', () => {
    // One node and one task are there, and no stack.
    expect(idsOf(startedAt(1000))).toEqual(['2', '2', '1']);
    expect(idsOf(startedAt(1000, 1_700_000_000n))).toEqual([
      '1700000001',
      '1700000001',
      '1700000000',
    ]);
  });
});

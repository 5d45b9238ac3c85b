import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fleet, Stack } from '../domain/fleet.ts';
import { chooseStacks, poolsOf, unitsLeft } from './stacks.ts';
import { testFleet, testOffer } from './testing.ts';

/** One Atoma node with these stacks for the model `m`, whose context is 8192 tokens. */
function atoma(stacks: readonly Stack[]): Fleet {
  const fleet = testFleet({ models: [testOffer('m', 1n)], nodes: { a: ['m'] } });
  return {
    ...fleet,
    nodes: fleet.nodes.map((node) => ({
      ...node,
      protocol: 'atoma',
      models: [{ model: 'm', stacks }],
    })),
  };
}

const uses = (used: Record<string, number>) => new Map([['m', new Map(Object.entries(used))]]);
const active = (fleet: Fleet) => fleet.nodes[0]?.models[0]?.stacks.map(({ id }) => id);
const two = [
  { id: '1', units: 1_000_000 },
  { id: '2', units: 1_000_000 },
];

describe('chooseStacks', () => {
  it('keeps the given order while there is room', () => {
    expect(active(chooseStacks(atoma(two), uses({ 1: 900_000 })))).toEqual(['1', '2']);
  });

  it('passes over a stack that is used to 95 percent', () => {
    expect(active(chooseStacks(atoma(two), uses({ 1: 950_000 })))).toEqual(['2']);
  });

  it('passes over a stack that cannot hold a whole context', () => {
    const small = [{ id: '1', units: 50_000 }, ...two.slice(1)];
    expect(active(chooseStacks(atoma(small), uses({ 1: 41_000 })))).toEqual(['1', '2']);
    expect(active(chooseStacks(atoma(small), uses({ 1: 42_000 })))).toEqual(['2']);
  });

  it('uses up the last stack that has any room', () => {
    expect(active(chooseStacks(atoma(two), uses({ 1: 1_000_000, 2: 999_999 })))).toEqual(['2']);
  });

  it('drops a node without room until a new stack lands', () => {
    const none = uses({ 1: 1_000_000, 2: 1_000_001 });
    expect(chooseStacks(atoma(two), none).nodes).toEqual([]);
    expect(active(chooseStacks(atoma([...two, { id: '3', units: 10 }]), none))).toEqual(['3']);
    expect(chooseStacks(atoma([]), new Map()).nodes).toEqual([]);
  });

  it('leaves plain OpenAI nodes as they are', () => {
    const fleet = testFleet({ models: [testOffer('m')], nodes: { a: ['m'] } });
    expect(chooseStacks(fleet, new Map())).toEqual(fleet);
  });

  it('never chooses an empty stack, and never none while one has room', () => {
    const stack = fc.tuple(fc.nat(2_000_000), fc.nat(2_000_000));
    fc.assert(
      fc.property(fc.array(stack, { maxLength: 6 }), (list) => {
        const stacks = list.map(([units], at) => ({ id: String(at), units }));
        const used = Object.fromEntries(list.map(([, use], at) => [String(at), use]));
        const chosen = active(chooseStacks(atoma(stacks), uses(used))) ?? [];
        const withRoom = stacks.filter(({ id, units }) => units > (used[id] ?? 0));
        expect(chosen.length > 0).toBe(withRoom.length > 0);
        expect(withRoom.map(({ id }) => id)).toEqual(expect.arrayContaining(chosen));
      }),
    );
  });
});

describe('poolsOf', () => {
  it("joins the stacks of a model's nodes", () => {
    const [left, right] = [atoma(two.slice(0, 1)), atoma(two.slice(1))];
    const fleet = { ...left, nodes: [...left.nodes, ...right.nodes] };
    expect(poolsOf(fleet).get('m')).toEqual(two);
    expect(unitsLeft(two, new Map([['1', 2_000_000]]))).toBe(1_000_000);
  });
});

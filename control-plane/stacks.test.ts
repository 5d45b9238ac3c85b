import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fleet, Stack } from '../domain/fleet.ts';
import { chooseStacks, poolsOf, type StackUse, unitsLeft, unitsRefused } from './stacks.ts';
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

type Refused = 'no' | 'resting' | 'closed';

function useOf(used: Record<string, number>, refused: Record<string, Refused> = {}): StackUse {
  const ids = new Set([...Object.keys(used), ...Object.keys(refused)]);
  return new Map(
    [...ids].map((id) => [id, { used: used[id] ?? 0, live: true, refused: refused[id] ?? 'no' }]),
  );
}

const uses = (...use: Parameters<typeof useOf>) => new Map([['m', useOf(...use)]]);
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

  it.each(['resting', 'closed'] as const)('passes over a stack that is %s', (refused) => {
    expect(active(chooseStacks(atoma(two), uses({}, { 1: refused })))).toEqual(['2']);
    const all = uses({ 1: 10 }, { 1: refused, 2: refused });
    expect(chooseStacks(atoma(two), all).nodes).toEqual([]);
  });

  it('prefers a worn stack to one that is refused', () => {
    expect(active(chooseStacks(atoma(two), uses({ 1: 990_000 }, { 2: 'closed' })))).toEqual(['1']);
  });

  it('leaves plain OpenAI nodes as they are', () => {
    const fleet = testFleet({ models: [testOffer('m')], nodes: { a: ['m'] } });
    expect(chooseStacks(fleet, new Map())).toEqual(fleet);
  });

  it('never chooses an empty or refused stack, and never none while another has room', () => {
    const refusal = fc.constantFrom<Refused>('no', 'resting', 'closed');
    const stack = fc.tuple(fc.nat(2_000_000), fc.nat(2_000_000), refusal);
    fc.assert(
      fc.property(fc.array(stack, { maxLength: 6 }), (list) => {
        const stacks = list.map(([units], at) => ({ id: String(at), units }));
        const used = Object.fromEntries(list.map(([, use], at) => [String(at), use]));
        const refused = Object.fromEntries(list.map(([, , is], at) => [String(at), is]));
        const chosen = active(chooseStacks(atoma(stacks), uses(used, refused))) ?? [];
        const withRoom = stacks.filter(
          ({ id, units }) => units > (used[id] ?? 0) && refused[id] === 'no',
        );
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
    expect(unitsLeft(two, useOf({ 1: 2_000_000 }))).toBe(1_000_000);
  });
});

describe('the units of stacks', () => {
  it('are left, used or refused, each once', () => {
    const use = useOf({ 1: 400_000, 2: 1 }, { 1: 'closed' });
    expect(unitsLeft(two, use)).toBe(999_999);
    expect(unitsRefused(two, use)).toBe(600_000);
  });
});

/** Chooses the stacks that pay: by our own count of their use, the active one first. Pure. */
import type { Fleet, FleetNode, NodeModel, Stack } from '../domain/fleet.ts';

/** Units used of each stack, by its id, as the gateway counts. */
export type StackUse = ReadonlyMap<string, number>;

/** By model. */
export type StackUses = ReadonlyMap<string, StackUse>;

/** A node refuses a stack from here on, once it is idle (Atoma node protocol, lock before the claim). */
const usedPercentMax = 95;

/** A stack should hold a whole context; a small one is good until less than this part of it is left. */
const headRoomPercentMax = 20;

/**
 * Keeps the stacks that can pay; the first of each list is the active one. One with less than its head-room is passed
 * over while the node has a better one. A node of the Atoma protocol serves no model without a stack.
 */
export function chooseStacks(fleet: Fleet, uses: StackUses): Fleet {
  const contexts = new Map(fleet.models.map((offer) => [offer.id, offer.contextTokensMax]));
  const chosen = fleet.nodes.map((node): FleetNode => {
    if (node.protocol === 'openai') return node;
    const choose = ({ model, stacks }: NodeModel): NodeModel => ({
      model,
      stacks: usableOf(stacks, {
        used: uses.get(model) ?? new Map(),
        contextTokensMax: contexts.get(model) ?? 0,
      }),
    });
    return { ...node, models: node.models.map(choose).filter(({ stacks }) => stacks.length > 0) };
  });
  return { models: fleet.models, nodes: chosen.filter(({ models }) => models.length > 0) };
}

/** The stacks of each model over all nodes, as its pool of units should hold them. */
export function poolsOf(fleet: Fleet): ReadonlyMap<string, readonly Stack[]> {
  const pools = new Map<string, Stack[]>();
  for (const { model, stacks } of fleet.nodes.flatMap(({ models }) => models)) {
    if (stacks.length > 0) pools.set(model, [...(pools.get(model) ?? []), ...stacks]);
  }
  return pools;
}

export function unitsLeft(stacks: readonly Stack[], used: StackUse): number {
  return stacks.reduce((sum, { id, units }) => sum + Math.max(0, units - (used.get(id) ?? 0)), 0);
}

function usableOf(
  stacks: readonly Stack[],
  { used, contextTokensMax }: { used: StackUse; contextTokensMax: number },
): readonly Stack[] {
  const left = (stack: Stack) => unitsLeft([stack], used);
  const hasHeadRoom = (stack: Stack) => {
    const reserve = (stack.units * (100 - usedPercentMax)) / 100;
    const small = (stack.units * headRoomPercentMax) / 100;
    return left(stack) > Math.max(reserve, Math.min(contextTokensMax, small));
  };
  const good = stacks.filter(hasHeadRoom);
  return good.length > 0 ? good : stacks.filter((stack) => left(stack) > 0);
}

/** Chooses the stacks that pay: by our own count of their use, the active one first. Pure. */
import type { Fleet, FleetNode, NodeModel, Stack } from '../domain/fleet.ts';
import type { StackState } from '../storage/unit-pool.ts';

/** What the gateway knows of each stack, by its id: its own count of use, and whether the node refuses it. */
export type StackUse = ReadonlyMap<string, Pick<StackState, 'used' | 'live' | 'refused'>>;

/** By model. */
export type StackUses = ReadonlyMap<string, StackUse>;

/** A node refuses a stack from here on, once it is idle (Atoma node protocol, lock before the claim). */
const usedPercentMax = 95;

/** A stack should hold a whole context; a small one is good until less than this part of it is left. */
const headRoomPercentMax = 20;

/**
 * Keeps the stacks that can pay; the first of each list is the active one. One with less than its head-room is passed
 * over while the node has a better one, one that the node refuses in any case. A node of the Atoma protocol serves no
 * model without a stack.
 */
export function chooseStacks(fleet: Fleet, uses: StackUses): Fleet {
  const contexts = new Map(fleet.models.map((offer) => [offer.id, offer.contextTokensMax]));
  const chosen = fleet.nodes.map((node): FleetNode => {
    if (node.protocol === 'openai') return node;
    const choose = ({ model, stacks }: NodeModel): NodeModel => ({
      model,
      stacks: usableOf(stacks, {
        use: uses.get(model) ?? new Map(),
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

/** What can still be spent. */
export const unitsLeft = (stacks: readonly Stack[], use: StackUse): number =>
  unitsIn(
    stacks.filter((stack) => !isRefused(stack, use)),
    use,
  );

/** What was bought and not used, and the nodes do not take. */
export const unitsRefused = (stacks: readonly Stack[], use: StackUse): number =>
  unitsIn(
    stacks.filter((stack) => isRefused(stack, use)),
    use,
  );

function unitsIn(stacks: readonly Stack[], use: StackUse): number {
  const left = ({ id, units }: Stack) => Math.max(0, units - (use.get(id)?.used ?? 0));
  return stacks.reduce((sum, stack) => sum + left(stack), 0);
}

const isRefused = ({ id }: Stack, use: StackUse) => (use.get(id)?.refused ?? 'no') !== 'no';

function usableOf(
  stacks: readonly Stack[],
  { use, contextTokensMax }: { use: StackUse; contextTokensMax: number },
): readonly Stack[] {
  const left = (stack: Stack) => unitsLeft([stack], use);
  const hasHeadRoom = (stack: Stack) => {
    const reserve = (stack.units * (100 - usedPercentMax)) / 100;
    const small = (stack.units * headRoomPercentMax) / 100;
    return left(stack) > Math.max(reserve, Math.min(contextTokensMax, small));
  };
  const good = stacks.filter(hasHeadRoom);
  return good.length > 0 ? good : stacks.filter((stack) => left(stack) > 0);
}

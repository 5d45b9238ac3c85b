/** Sells stacks to the gateway's stack owner: the next one before the last is used up, so that no model runs dry. */
import type { AtomaNodeHandle } from './atoma-node.ts';

// A new stack is sold when half of the last is consumed, and an old one is listed until little of it is left.
const sellShare = 0.5;
const retireShare = 0.8;

export type ListedStack = { readonly id: string; readonly units: number };

/**
 * Stacks of all nodes of one network; ids are small integers, each used once. Where it does not keep ahead it sells only
 * what is asked for and lists all that it sold, as a chain does.
 */
export function createStackMarket(options: {
  readonly owner: string;
  readonly units: number;
  readonly firstId?: number;
  readonly keepsAhead?: boolean;
}) {
  const { owner, units, keepsAhead = true } = options;
  let nextId = options.firstId ?? 1;
  const sold = new Map<string, string[]>();
  const placeOf = (node: string, model: string) => `${node}\n${model}`;

  function issue(node: string, model: string) {
    const id = String(nextId);
    nextId += 1;
    const place = placeOf(node, model);
    sold.set(place, [...(sold.get(place) ?? []), id]);
    return { id, owner, units };
  }

  return {
    issue,
    /** The stacks to use now, newest last; sells another one where it is time. */
    list(node: AtomaNodeHandle, model: string): readonly ListedStack[] {
      const place = placeOf(node.id, model);
      const own = () => node.stacks().filter(({ id }) => sold.get(place)?.includes(id));
      const newest = own().at(-1);
      if (keepsAhead && (!newest || isWorn(newest, sellShare))) {
        node.sellStack(issue(node.id, model));
      }
      const listed = keepsAhead ? own().filter((stack) => !isWorn(stack, retireShare)) : own();
      return listed.map(({ id, units: bought }) => ({ id, units: bought }));
    },
  };
}

type Wear = { isLocked: boolean; usedUnits: number; consumedUnits: number; units: number };

function isWorn(stack: Wear, share: number): boolean {
  // Callers count what they consumed, and the node counts less: whichever ends first ends the stack.
  const used = Math.max(stack.usedUnits, stack.consumedUnits);
  return stack.isLocked || used >= stack.units * share;
}

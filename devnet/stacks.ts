/** An Atoma node's own count of compute units, its known errors included (node protocol, sections 7, 8 and 15). */

const lockShare = 0.95;

export type StackGrant = { readonly id: string; readonly owner: string; readonly units: number };

type StackState = StackGrant & {
  /** What the node calls computed. */
  usedUnits: number;
  /** What callers would call consumed: real usage and what is in flight. */
  consumedUnits: number;
  running: number;
  isLocked: boolean;
};

export type Hold =
  | { readonly kind: 'held'; readonly stack: StackState; readonly units: number }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'locked' }
  | { readonly kind: 'too-few' };

/** The stacks that one node knows. */
export function createStacks(grants: readonly StackGrant[]) {
  const stacks = new Map<string, StackState>();
  for (const grant of grants) add(grant);

  function add(grant: StackGrant): void {
    stacks.set(grant.id, {
      ...grant,
      usedUnits: 0,
      consumedUnits: 0,
      running: 0,
      isLocked: false,
    });
  }

  /** A stack that is nearly used up and idle is claimed, and thereby closed. */
  function lockWhenUsed(stack: StackState): void {
    if (stack.running === 0 && stack.usedUnits >= stack.units * lockShare) stack.isLocked = true;
  }

  return {
    add,
    /** One atomic step: the estimate is taken from the stack, or it is told why not. */
    hold(options: { id: string; signer: string; units: number }): Hold {
      const { id, signer, units } = options;
      const stack = stacks.get(id);
      if (!stack || stack.owner !== signer) return { kind: 'unknown' };
      if (stack.isLocked) return { kind: 'locked' };
      if (stack.usedUnits + units > stack.units) return { kind: 'too-few' };
      stack.usedUnits += units;
      stack.consumedUnits += units;
      stack.running += 1;
      return { kind: 'held', stack, units };
    },
    /**
     * Chat and completions: the node charges the real usage less the estimate of the input, and after a failure takes
     * back that estimate once too often.
     */
    settle(
      hold: Hold & { kind: 'held' },
      options: { actualUnits: number; inputEstimate: number },
    ): void {
      const { stack, units } = hold;
      const { actualUnits, inputEstimate } = options;
      const usedUnits = Math.max(0, stack.usedUnits - units + actualUnits - inputEstimate);
      // Its database refuses more than the stack has, and what would have been charged is lost.
      if (usedUnits <= stack.units) stack.usedUnits = usedUnits;
      stack.consumedUnits += actualUnits - units;
      stack.running -= 1;
      lockWhenUsed(stack);
    },
    /** Closes a stack, as a settlement on chain does. */
    lock(id: string): void {
      const stack = stacks.get(id);
      if (stack) stack.isLocked = true;
    },
    list: (): readonly Readonly<StackState>[] => [...stacks.values()],
  };
}

export type Stacks = ReturnType<typeof createStacks>;

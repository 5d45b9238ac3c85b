/** Claims the stacks of one node on the chain: those that are used up by its own count, honestly or not. */
import type { ChainEventOf } from '../domain/chain-event.ts';
import { stackSmallId } from '../domain/chain-ids.ts';
import type { Logger } from '../runtime/log.ts';
import type { AtomaNodeHandle } from './atoma-node.ts';
import type { StackClaim } from './chain-node.ts';

/** How honest the node is when it claims. */
export type ClaimHabit = {
  /** It claims so much more than it has counted, as far as the stack has units. */
  readonly overPercent: number;
};

export type MadeClaim = {
  readonly stackId: string;
  /** What the node has counted, and what it is paid for. */
  readonly unitsCounted: number;
  readonly unitsClaimed: number;
};

export type Claims = ReturnType<typeof createClaims>;

/** A claim that the contract refuses again and again is given up. */
const attemptsMax = 5;

export function createClaims(options: {
  readonly node: AtomaNodeHandle;
  readonly claim: (claim: StackClaim) => Promise<void>;
  readonly log: Logger;
}) {
  const { node, claim, log } = options;
  const attempts = new Map<string, number>();
  const queued = new Set<string>();
  const granted: MadeClaim[] = [];
  let habit: ClaimHabit = { overPercent: 0 };
  let last: Promise<void> = Promise.resolve();

  const stackOf = (id: string) => node.stacks().find((stack) => stack.id === id);
  const isOpen = (id: string) => !queued.has(id) && (attempts.get(id) ?? 0) < attemptsMax;

  async function attempt(id: string): Promise<void> {
    const { usedUnits = 0, units = 0 } = stackOf(id) ?? {};
    const wanted = Math.floor((usedUnits * (100 + habit.overPercent)) / 100);
    attempts.set(id, (attempts.get(id) ?? 0) + 1);
    try {
      await claim({ stackId: stackSmallId(BigInt(id)), units: BigInt(Math.min(units, wanted)) });
      attempts.set(id, attemptsMax);
    } catch (cause) {
      log.warn({ err: cause, stack: id }, 'a stack cannot be claimed');
    }
    queued.delete(id);
  }

  /** One after the other, since each uses the coin that pays the gas. */
  function enqueue(ids: readonly string[]): Promise<void> {
    for (const id of ids.filter(isOpen)) {
      queued.add(id);
      last = last.then(() => attempt(id));
    }
    return last;
  }

  return {
    setHabit(next: ClaimHabit): void {
      habit = next;
    },
    claimUsedUp(): Promise<void> {
      const locked = node.stacks().filter(({ isLocked }) => isLocked);
      return enqueue(locked.map(({ id }) => id));
    },
    claimAll(): Promise<void> {
      const ids = node.stacks().map(({ id }) => id);
      for (const id of ids) node.lockStack(id);
      return enqueue(ids);
    },
    /** The contract says that it has paid. */
    grant({ stackId, unitsClaimed }: ChainEventOf<'stack-claimed'>): void {
      const id = String(stackId);
      node.lockStack(id);
      attempts.set(id, attemptsMax);
      const unitsCounted = stackOf(id)?.usedUnits ?? 0;
      granted.push({ stackId: id, unitsCounted, unitsClaimed: Number(unitsClaimed) });
    },
    granted: (): readonly MadeClaim[] => granted,
    idle: () => last,
  };
}

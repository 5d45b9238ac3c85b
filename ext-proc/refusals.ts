/**
 * What follows where a node refuses the gateway rather than the caller. Envoy tells each such attempt, also where another
 * node answered in the end; what a node says harms nobody but itself: its own stack gets no more requests.
 */
import type { Counter } from 'prom-client';
import { refusalStatuses } from '../domain/names.ts';
import type { Logger } from '../runtime/log.ts';
import type { StackRefusals } from '../storage/unit-pool.ts';

/** One attempt; the stack is empty at a node that needs none. */
export type Refusal = {
  readonly requestId: string;
  readonly model: string;
  readonly node: string;
  readonly stackId: string;
  readonly status: number;
};

type Reaction = {
  /** The label of the metric. */
  readonly reason: string;
  /** Whether somebody must look at it: no fault of a stack, or one that time will not mend. */
  readonly isAlarm: boolean;
  readonly stack: 'kept' | 'resting' | 'closed';
};

const reactions: ReadonlyMap<number, Reaction> = new Map([
  // Told only where the answer speaks of our headers: the node does not know the stack, or not yet.
  [400, { reason: 'headers', isAlarm: true, stack: 'resting' }],
  // The body may be at fault as well as the stack or the node: Envoy leaves out a node that says it time after time.
  [refusalStatuses.signature, { reason: 'signature', isAlarm: true, stack: 'kept' }],
  [refusalStatuses.lockedStack, { reason: 'locked-stack', isAlarm: false, stack: 'closed' }],
  // What other requests hold at the node counts too, and comes free: the stack may be good again soon. And a request that
  // is too large by our count as well says nothing of the stack.
  [refusalStatuses.unavailableStack, { reason: 'too-few-units', isAlarm: false, stack: 'resting' }],
]);

export function createRefusals(options: {
  readonly stacks: StackRefusals;
  readonly refused: Counter<'node' | 'reason'>;
  readonly log: Logger;
}) {
  const { stacks, refused, log } = options;
  const beingTakenOut = new Set<string>();

  /** Where the storage is away, the next refusal tries again: until then the stack is still offered. */
  async function takeOut(refusal: Refusal, as: 'resting' | 'closed'): Promise<void> {
    const { model, stackId, node, status, requestId } = refusal;
    const place = `${stackId} ${model}`;
    if (beingTakenOut.has(place)) return;
    beingTakenOut.add(place);
    try {
      const tooSmallFor = status === refusalStatuses.unavailableStack ? requestId : undefined;
      const isNews = await stacks.refuse({ model, stackId, as, tooSmallFor });
      if (isNews) log.warn({ node, model, stackId, as }, 'a node refuses its stack');
    } catch (cause) {
      log.warn({ err: cause, node, stackId }, 'a refused stack could not be taken out');
    } finally {
      beingTakenOut.delete(place);
    }
  }

  return {
    receive(refusal: Refusal): void {
      const reaction = reactions.get(refusal.status);
      if (!reaction) return;
      refused.inc({ node: refusal.node, reason: reaction.reason });
      if (reaction.isAlarm) log.error({ ...refusal, ...reaction }, 'a node refuses the gateway');
      if (reaction.stack === 'kept' || refusal.stackId === '') return;
      void takeOut(refusal, reaction.stack);
    },
  };
}

export type Refusals = ReturnType<typeof createRefusals>;

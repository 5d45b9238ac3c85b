/** Compares what nodes claimed for our stacks with the units that we counted. Pure. */
import type { NodeSmallId, StackSmallId } from '../../domain/chain-ids.ts';
import type { StackClaim } from '../indexer/state.ts';

/** What a node took of one of our stacks. */
export type Taken = Pick<StackClaim, 'stackId' | 'nodeId' | 'unitsClaimed'>;

export type ClaimJudgement = {
  readonly stackId: StackSmallId;
  readonly nodeId: NodeSmallId;
  readonly claimed: bigint;
  readonly used: bigint;
  /** Units claimed that we did not use; what we lost. */
  readonly over: bigint;
};

/** Units of a stack that were claimed and not used. */
export const overClaimOf = (claimed: bigint, used: bigint): bigint =>
  claimed > used ? claimed - used : 0n;

/** One for each claim, the largest loss first; a stack of which no use is known was not used. */
export function judgeClaims(
  taken: Iterable<Taken>,
  used: ReadonlyMap<StackSmallId, bigint>,
): readonly ClaimJudgement[] {
  return [...taken]
    .map(({ stackId, nodeId, unitsClaimed: claimed }) => {
      const own = used.get(stackId) ?? 0n;
      return { stackId, nodeId, claimed, used: own, over: overClaimOf(claimed, own) };
    })
    .toSorted((left, right) => order(right.over, left.over) || order(left.stackId, right.stackId));
}

const order = (left: bigint, right: bigint) => (left < right ? -1 : Number(left > right));

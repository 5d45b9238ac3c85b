/** What a node's claims say of it: more than we used is taken from us, and lowers its weight. Pure. */

import { type ClaimJudgement, judgeClaims, type Taken } from '../../chain/keeper/claims.ts';
import type { NodeSmallId, StackSmallId } from '../../domain/chain-ids.ts';

type Total = { readonly claimed: bigint; readonly over: bigint };

export type Trust = {
  /** The largest loss first. */
  readonly judgements: readonly ClaimJudgement[];
  /** From 1 to 100, of a node's ordinary weight. */
  percentOf(nodeId: NodeSmallId): number;
  /** False where more was taken than is forgiven: its stacks are not worth buying. */
  isTrusted(nodeId: NodeSmallId): boolean;
};

/** A node's count differs a little from ours, for example where an exchange broke. */
const forgivenPercent = 5n;
const percentLostPerPercent = 2n;
const percent = 100n;

/** Of all that was taken so far: a node that goes on honestly gets its weight back. */
export function trustFrom(taken: Iterable<Taken>, used: ReadonlyMap<StackSmallId, bigint>): Trust {
  const judgements = judgeClaims(taken, used);
  const totals = new Map<NodeSmallId, Total>();
  for (const { nodeId, claimed, over } of judgements) {
    const total = totals.get(nodeId) ?? { claimed: 0n, over: 0n };
    totals.set(nodeId, { claimed: total.claimed + claimed, over: total.over + over });
  }
  const overPercent = (nodeId: NodeSmallId): bigint => {
    const total = totals.get(nodeId);
    // Rounded up, so that nothing small goes unseen.
    return total && total.claimed > 0n
      ? (total.over * percent + total.claimed - 1n) / total.claimed
      : 0n;
  };
  return {
    judgements,
    percentOf(nodeId) {
      const excess = overPercent(nodeId) - forgivenPercent;
      const lost = excess > 0n ? excess * percentLostPerPercent : 0n;
      return Number(lost >= percent ? 1n : percent - lost);
    },
    isTrusted: (nodeId) => overPercent(nodeId) <= forgivenPercent,
  };
}

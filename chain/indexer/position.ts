/** The order of events in the ledger. */
import type { LedgerPosition } from '../full-node.ts';

/** Whether `left` comes before `right`. */
export function isBefore(left: LedgerPosition, right: LedgerPosition): boolean {
  if (left.checkpoint !== right.checkpoint) return left.checkpoint < right.checkpoint;
  if (left.transaction !== right.transaction) return left.transaction < right.transaction;
  return left.event < right.event;
}

/**
 * One reading of a stretch of the ledger, by a listing or checkpoint by checkpoint. What came before it broke is a valid
 * prefix; what contradicts itself is not believed, and ends it.
 */
import {
  type EndReason,
  FullNodeError,
  type LedgerCursor,
  type LedgerPosition,
  type ListingBounds,
  type ListingFrame,
} from '../full-node.ts';
import { isBefore } from './position.ts';

/** From `start`, inclusive, to `end`, exclusive. */
export type Range = { readonly start: bigint; readonly end: bigint };

/** What has its place in the ledger. */
type Placed = { readonly position: LedgerPosition };

export type Pass<Item> = {
  readonly items: readonly Item[];
  /** Unset where nothing came, and where checkpoints were read. */
  readonly cursor: Uint8Array | undefined;
  readonly covered: bigint | undefined;
  readonly end: EndReason | undefined;
  /** Why it ended early. */
  readonly failure: FullNodeError | undefined;
};

const checkpointsPerPassMax = 64n;
const checkpointsAtOnce = 8;

/** Reads a listing to its end, or as far as it goes. */
export async function readListing<Item extends Placed>(
  frames: AsyncIterable<ListingFrame<Item>>,
  range: Range,
): Promise<Pass<Item>> {
  const items: Item[] = [];
  const check = createCheck(range);
  let last: ListingFrame<Item> | undefined;
  let covered: bigint | undefined;
  let failure: FullNodeError | undefined;
  try {
    for await (const frame of frames) {
      check(frame);
      if (frame.item) items.push(frame.item);
      covered = frame.covered ?? covered;
      last = frame;
    }
    if (last?.end === undefined) {
      throw new FullNodeError('unavailable', 'the listing stopped without an end');
    }
  } catch (cause) {
    failure = asFailure(cause);
  }
  return { items, cursor: last?.cursor, covered, end: last?.end, failure };
}

/** Throws where a frame contradicts the range, the order of the ledger, or an earlier frame. */
function createCheck({ start, end }: Range): (frame: ListingFrame<Placed>) => void {
  let position: LedgerPosition | undefined;
  let covered = start - 1n;
  let isOver = false;
  return (frame) => {
    const at = frame.item?.position;
    const next = frame.covered ?? covered;
    const contradictions = [
      [isOver, 'a frame after the end'],
      [at && at.checkpoint <= covered, 'an item of a checkpoint that was covered'],
      [at && at.checkpoint >= end, 'an item of a checkpoint that was not asked for'],
      [at && position && !isBefore(position, at), 'items out of order'],
      [next < covered, 'coverage that falls'],
      [next >= end, 'coverage of what was not asked for'],
    ] as const;
    const found = contradictions.find(([isSo]) => isSo);
    if (found) throw new FullNodeError('protocol', `the listing has ${found[1]}`);
    position = at ?? position;
    covered = next;
    isOver = frame.end !== undefined;
  };
}

/** Reads whole checkpoints, several at once, and takes them in order. */
export async function readCheckpoints<Item>(
  read: (height: bigint) => Promise<readonly Item[]>,
  { start, end }: Range,
): Promise<Pass<Item>> {
  const stop = end < start + checkpointsPerPassMax ? end : start + checkpointsPerPassMax;
  const items: Item[] = [];
  let covered: bigint | undefined;
  let failure: FullNodeError | undefined;
  for (let from = start; from < stop && !failure; from += BigInt(checkpointsAtOnce)) {
    const heights = Array.from({ length: checkpointsAtOnce }, (_, index) => from + BigInt(index));
    const asked = heights.filter((height) => height < stop);
    const answers = await Promise.allSettled(asked.map(read));
    for (const [index, answer] of answers.entries()) {
      if (answer.status === 'rejected') {
        failure = asFailure(answer.reason);
        break;
      }
      items.push(...answer.value);
      covered = asked[index];
    }
  }
  const isComplete = failure === undefined;
  const reason = stop === end ? 'checkpoint-bound' : 'scan-limit';
  return { items, cursor: undefined, covered, end: isComplete ? reason : undefined, failure };
}

/** Where a listing of the range begins: behind the cursor, where this provider gave it. */
export function resumeAt(
  { start, end }: Range,
  cursor: LedgerCursor | undefined,
  provider: string,
): ListingBounds {
  const after = cursor?.provider === provider ? cursor.bytes : undefined;
  return { after, startCheckpoint: start, endCheckpoint: end };
}

/** What came before a failure is taken, unless the node contradicted itself. */
export function isWorthTaking({ failure, covered, cursor }: Pass<unknown>): boolean {
  return failure?.kind !== 'protocol' && (covered !== undefined || cursor !== undefined);
}

/** Where a listing ends at a bound or at the index's own tip, there is nothing more to read yet. */
export function afterPass(
  { covered, items, end }: Pass<unknown>,
  before: { readonly covered: bigint },
): 'again' | 'wait' {
  const hasMoved = (covered ?? before.covered) > before.covered || items.length > 0;
  return hasMoved && end !== 'ledger-tip' && end !== 'checkpoint-bound' ? 'again' : 'wait';
}

function asFailure(cause: unknown): FullNodeError {
  if (cause instanceof FullNodeError) return cause;
  throw cause;
}

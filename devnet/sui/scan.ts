/**
 * A scan over the ledger: which frames a List call sends, what each watermark may claim, and why the scan ends. Pure:
 * it walks positions and knows neither filters nor messages.
 */
import { GrpcTypes } from '@mysten/sui/grpc';
import { checkpointOf, endOf, startOf } from './ledger-position.ts';

const { QueryEndReason: Reason } = GrpcTypes;

export type ScanItem<Item> = { readonly position: bigint; readonly item: Item };

type ScanRange = {
  /** Inclusive. */
  readonly startCheckpoint: bigint | undefined;
  /** Exclusive. */
  readonly endCheckpoint: bigint | undefined;
  /** Exclusive positions, whatever the order. */
  readonly after: bigint | undefined;
  readonly before: bigint | undefined;
};

export type ScanOptions<Item> = ScanRange & {
  readonly isDescending: boolean;
  readonly itemsMax: number;
  readonly checkpointsMax: number;
  /** The lowest and the highest checkpoint that the index has. */
  readonly lowest: bigint;
  readonly tip: bigint;
  /** The matching items of one checkpoint, in the ledger's order. */
  readonly itemsAt: (checkpoint: bigint) => readonly ScanItem<Item>[];
};

export type ScanFrame<Item> = {
  readonly item: Item | undefined;
  readonly cursor: bigint;
  /** Everything up to it, in the direction of the scan, has been sent. */
  readonly covered: bigint | undefined;
  readonly end: GrpcTypes.QueryEndReason | undefined;
};

// A frame without an item, now and then, so that a long scan through nothing can be resumed.
const checkpointsPerFrame = 64;

/** All frames of one call; the last one has an end. */
export function* scan<Item>(options: ScanOptions<Item>): Generator<ScanFrame<Item>, void> {
  const bounds = boundsOf(options);
  const state: State = { cursor: bounds.startCursor, covered: undefined, items: 0, scanned: 0 };
  for (const at of bounds.checkpoints()) {
    if (state.scanned >= options.checkpointsMax) {
      yield frameOf(state, { end: Reason.SCAN_LIMIT });
      return;
    }
    yield* itemsIn(at, { options, bounds, state });
    if (state.items >= options.itemsMax) return;
    state.scanned += 1;
    if (at === bounds.uncoverable) break;
    state.covered = at;
    state.cursor = options.isDescending ? startOf(at) : endOf(at);
    if (state.scanned % checkpointsPerFrame === 0) yield frameOf(state, {});
  }
  state.cursor = bounds.finalCursor ?? state.cursor;
  yield frameOf(state, { end: bounds.reason });
}

type State = { cursor: bigint; covered: bigint | undefined; items: number; scanned: number };

const frameOf = <Item>(
  { cursor, covered }: State,
  { item, end }: { item?: Item; end?: GrpcTypes.QueryEndReason | undefined },
): ScanFrame<Item> => ({ item, cursor, covered, end });

/** The frames of one checkpoint's items, up to the limit of the call. */
function* itemsIn<Item>(
  at: bigint,
  scanning: { readonly options: ScanOptions<Item>; readonly bounds: Bounds; readonly state: State },
): Generator<ScanFrame<Item>, void> {
  const { options, bounds, state } = scanning;
  const inRange = options
    .itemsAt(at)
    .filter(({ position }) => position > bounds.low && position < bounds.high);
  for (const { position, item } of options.isDescending ? inRange.toReversed() : inRange) {
    state.items += 1;
    state.cursor = position;
    const isFull = state.items >= options.itemsMax;
    yield frameOf(state, { item, end: isFull ? Reason.ITEM_LIMIT : undefined });
    if (isFull) return;
  }
}

type Bounds = {
  /** Items lie strictly between these positions. */
  readonly low: bigint;
  readonly high: bigint;
  /** The checkpoints to look through, in the direction of the scan. */
  readonly checkpoints: () => Generator<bigint, void>;
  readonly startCursor: bigint;
  /** The checkpoint that a cursor cuts off on the far side, so that it never counts as covered. */
  readonly uncoverable: bigint | undefined;
  /** The bound itself, where a cursor is what ends the scan. */
  readonly finalCursor: bigint | undefined;
  readonly reason: GrpcTypes.QueryEndReason;
};

function boundsOf<Item>(options: ScanOptions<Item>): Bounds {
  const { startCheckpoint, endCheckpoint, after, before, lowest, tip } = options;
  const start = larger(startCheckpoint ?? lowest, lowest);
  const end = smaller(endCheckpoint ?? tip + 1n, tip + 1n);
  const low = larger(startOf(start) - 1n, after);
  const high = smaller(startOf(end), before);
  const range = { first: checkpointOf(low + 1n), last: checkpointOf(high - 1n) };
  if (options.isDescending) {
    const isCursor = low === after;
    const reason = isCursor ? Reason.CURSOR_BOUND : Reason.CHECKPOINT_BOUND;
    const checkpoints = () => walkDown(range.last, range.first);
    return {
      low,
      high,
      checkpoints,
      startCursor: high,
      reason,
      ...cut(isCursor, range.first, low),
    };
  }
  const isCursor = high === before;
  const isTip = endCheckpoint === undefined || endCheckpoint > end;
  const bound = isTip ? Reason.LEDGER_TIP : Reason.CHECKPOINT_BOUND;
  const reason = isCursor ? Reason.CURSOR_BOUND : bound;
  const checkpoints = () => walkUp(range.first, range.last);
  return { low, high, checkpoints, startCursor: low, reason, ...cut(isCursor, range.last, high) };
}

const cut = (isCursor: boolean, checkpoint: bigint, position: bigint) => ({
  uncoverable: isCursor ? checkpoint : undefined,
  finalCursor: isCursor ? position : undefined,
});

const larger = (a: bigint, b: bigint | undefined): bigint => (b !== undefined && b > a ? b : a);
const smaller = (a: bigint, b: bigint | undefined): bigint => (b !== undefined && b < a ? b : a);

function* walkUp(from: bigint, to: bigint): Generator<bigint, void> {
  for (let at = from; at <= to; at += 1n) yield at;
}

function* walkDown(from: bigint, to: bigint): Generator<bigint, void> {
  for (let at = from; at >= to; at -= 1n) yield at;
}

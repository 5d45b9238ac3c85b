/** What all listings share on the wire: ranges, watermarks and ends (Sui, section 5). */
import { GrpcTypes } from '@mysten/sui/grpc';
import {
  type EndReason,
  FullNodeError,
  type ListingBounds,
  type ListingFrame,
} from '../full-node.ts';
import { expectSet } from './expect.ts';

const pageItemsMax = 100;
const lowestHeader = 'x-sui-lowest-available-checkpoint';

const endReasons: ReadonlyMap<GrpcTypes.QueryEndReason, EndReason> = new Map([
  [GrpcTypes.QueryEndReason.ITEM_LIMIT, 'item-limit'],
  [GrpcTypes.QueryEndReason.SCAN_LIMIT, 'scan-limit'],
  [GrpcTypes.QueryEndReason.CHECKPOINT_BOUND, 'checkpoint-bound'],
  [GrpcTypes.QueryEndReason.CURSOR_BOUND, 'cursor-bound'],
  [GrpcTypes.QueryEndReason.LEDGER_TIP, 'ledger-tip'],
]);

/** Behind one address there may be several nodes: the one that lists has to have the history that another promised. */
export function assertReaches(
  start: bigint,
  headers: Readonly<Record<string, string | string[]>>,
): void {
  const header = headers[lowestHeader];
  if (typeof header !== 'string' || !/^\d{1,20}$/.test(header)) return;
  const lowest = BigInt(header);
  if (lowest > 0n && start <= lowest) {
    throw new FullNodeError('not-found', `${start} is asked for, ${lowest} is the lowest there`);
  }
}

/** The part of a request that says from where to where. */
export const rangeOf = (query: ListingBounds) => ({
  startCheckpoint: query.startCheckpoint,
  endCheckpoint: query.endCheckpoint,
  options: {
    limit: pageItemsMax,
    ordering: GrpcTypes.Ordering.ASCENDING,
    ...(query.after === undefined ? {} : { after: query.after }),
  },
});

/** A frame of the port, with the item that was read from it. */
export function toFrame<Item>(
  { watermark, end }: { watermark?: GrpcTypes.Watermark; end?: GrpcTypes.QueryEnd },
  item: Item | undefined,
): ListingFrame<Item> {
  return {
    item,
    cursor: owned(expectSet(watermark?.cursor, 'watermark.cursor')),
    covered: watermark?.checkpoint,
    end: end && expectSet(endReasons.get(end.reason ?? 0), 'a known end.reason'),
  };
}

/** Bytes of their own: the transport's are a view of the whole message. */
export const owned = (bytes: Uint8Array): Uint8Array => new Uint8Array(bytes);

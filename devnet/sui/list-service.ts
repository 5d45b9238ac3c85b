/** The lists of LedgerService: events, transactions and checkpoints in the ledger's order, as resumable streams. */
import { GrpcTypes, type SuiGrpcClient } from '@mysten/sui/grpc';
import type { Checkpoint } from './checkpoints.ts';
import { eventMatcher, transactionMatcher } from './filters.ts';
import { itemsOf } from './ledger-items.ts';
import { endOf, positionOf, readCursor, writeCursor } from './ledger-position.ts';
import { indexedHeight, type NodeContext, openMask } from './node-context.ts';
import { type ScanItem, scan } from './scan.ts';
import { type Handlers, type Outgoing, statusError } from './serving.ts';
import { checkpointMessage } from './wire-checkpoints.ts';

const itemsDefault = 50;
const itemsMax = 1000;
const { Ordering } = GrpcTypes;

type Lists = Pick<
  Handlers<SuiGrpcClient['ledgerService']>,
  'listEvents' | 'listTransactions' | 'listCheckpoints'
>;

export function createLists(context: NodeContext): Lists {
  const { ledger } = context.chain;
  return {
    async listEvents(request, stream) {
      const { apply } = openMask(GrpcTypes.Event, request.readMask, 'event_type');
      const matches = eventMatcher(request.filter);
      const itemsAt = (checkpoint: Checkpoint) => itemsOf.events(checkpoint, matches);
      await sendAll(context, {
        request,
        stream,
        itemsAt,
        toFrame: (event: () => GrpcTypes.Event) => ({ event: apply(event()) }),
      });
    },
    async listTransactions(request, stream) {
      const { mask, apply } = openMask(GrpcTypes.ExecutedTransaction, request.readMask, 'digest');
      const matches = transactionMatcher(request.filter);
      const itemsAt = (checkpoint: Checkpoint) =>
        itemsOf.transactions(checkpoint, { matches, mask });
      const toFrame = (transaction: () => GrpcTypes.ExecutedTransaction) => ({
        transaction: apply(transaction()),
      });
      await sendAll(context, { request, stream, itemsAt, toFrame });
    },
    async listCheckpoints(request, stream) {
      const fallback = 'sequence_number,digest';
      const { mask, apply } = openMask(GrpcTypes.Checkpoint, request.readMask, fallback);
      const matches = transactionMatcher(request.filter);
      const itemsAt = (checkpoint: Checkpoint) => {
        const isWanted = !request.filter || checkpoint.transactions.some(matches);
        return isWanted ? [{ position: positionOf(checkpoint.sequence), item: checkpoint }] : [];
      };
      const toFrame = (checkpoint: Checkpoint) => ({
        checkpoint: apply(checkpointMessage(checkpoint, { ledger, mask })),
      });
      await sendAll(context, { request, stream, itemsAt, toFrame });
    },
  };
}

type ListRequest = {
  readonly startCheckpoint?: bigint;
  readonly endCheckpoint?: bigint;
  readonly filter?: object;
  readonly options?: GrpcTypes.QueryOptions;
};
type FrameEnds = { watermark?: GrpcTypes.Watermark; end?: GrpcTypes.QueryEnd };

async function sendAll<Item, Content extends object>(
  context: NodeContext,
  list: {
    readonly request: ListRequest;
    readonly stream: Outgoing<Partial<Content> & FrameEnds>;
    readonly itemsAt: (checkpoint: Checkpoint) => readonly ScanItem<Item>[];
    readonly toFrame: (item: Item) => Content;
  },
): Promise<void> {
  const { request, stream, itemsAt, toFrame } = list;
  const { history } = context.chain.ledger;
  const range = rangeOf(context, request);
  refusePruned(context, range);
  const { limit = itemsDefault, ordering = Ordering.ASCENDING } = request.options ?? {};
  const frames = scan({
    ...range,
    isDescending: ordering === Ordering.DESCENDING,
    itemsMax: Math.min(limit || itemsDefault, itemsMax),
    checkpointsMax: request.filter ? context.faults.current().scanCheckpointsMax : Infinity,
    lowest: history.lowest(),
    tip: indexedHeight(context),
    itemsAt(sequence) {
      const checkpoint = history.checkpoint(sequence);
      if (!checkpoint) throw pruned(history.lowest());
      return itemsAt(checkpoint);
    },
  });
  for (const { item, cursor, covered, end } of frames) {
    if (stream.signal.aborted) return;
    const watermark = watermarkMessage(context.provider, { cursor, covered });
    const ends: FrameEnds = end === undefined ? { watermark } : { watermark, end: { reason: end } };
    const content: Partial<Content> = item === undefined ? {} : toFrame(item);
    await stream.send({ ...content, ...ends });
  }
}

/** A watermark; without a checkpoint nothing is claimed to be covered. */
export function watermarkMessage(
  provider: string,
  at: { readonly cursor: bigint; readonly covered: bigint | undefined },
): GrpcTypes.Watermark {
  const cursor = writeCursor(provider, at.cursor);
  return at.covered === undefined ? { cursor } : { cursor, checkpoint: at.covered };
}

type Range = Pick<
  Parameters<typeof scan>[0],
  'startCheckpoint' | 'endCheckpoint' | 'after' | 'before'
>;

function rangeOf({ provider }: NodeContext, request: ListRequest): Range {
  const { startCheckpoint, endCheckpoint, options } = request;
  const read = (cursor: Uint8Array | undefined) => cursor && readCursor(provider, cursor);
  return {
    startCheckpoint,
    endCheckpoint,
    after: read(options?.after),
    before: read(options?.before),
  };
}

/** A range that begins below what is left is refused, unless the fault makes the node skip the gap in silence. */
function refusePruned({ chain, faults }: NodeContext, { startCheckpoint, after }: Range): void {
  const lowest = chain.ledger.history.lowest();
  const gapEnd = endOf(lowest - 1n);
  const start = startCheckpoint === undefined ? undefined : endOf(startCheckpoint - 1n);
  const from = after === undefined || (start !== undefined && start > after) ? start : after;
  if (from === undefined || from >= gapEnd || faults.current().prunedStart === 'skip') return;
  throw pruned(lowest);
}

// The node's list of authenticated events refuses with this code, the nearest that is known of real nodes.
const pruned = (lowest: bigint) =>
  statusError(
    'INVALID_ARGUMENT',
    `the start is pruned; the lowest available checkpoint is ${lowest}`,
  );

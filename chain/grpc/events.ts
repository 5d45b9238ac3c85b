/** Events, checkpoints and heights of one full node, from its gRPC messages (Sui, section 5). */
import { GrpcTypes } from '@mysten/sui/grpc';
import type {
  EndReason,
  EventFrame,
  EventQuery,
  FullNode,
  LedgerEvent,
  LedgerPosition,
} from '../full-node.ts';
import { FullNodeError } from '../full-node.ts';
import type { Connection } from './connection.ts';
import { expectSet } from './expect.ts';

const pageItemsMax = 100;
const lowestHeader = 'x-sui-lowest-available-checkpoint';
const eventMask = [
  'event_type',
  'contents',
  'checkpoint',
  'transaction_digest',
  'transaction_index',
  'event_index',
];
const checkpointMask = ['sequence_number', 'transactions.digest', 'transactions.events'];

const endReasons: ReadonlyMap<GrpcTypes.QueryEndReason, EndReason> = new Map([
  [GrpcTypes.QueryEndReason.ITEM_LIMIT, 'item-limit'],
  [GrpcTypes.QueryEndReason.SCAN_LIMIT, 'scan-limit'],
  [GrpcTypes.QueryEndReason.CHECKPOINT_BOUND, 'checkpoint-bound'],
  [GrpcTypes.QueryEndReason.CURSOR_BOUND, 'cursor-bound'],
  [GrpcTypes.QueryEndReason.LEDGER_TIP, 'ledger-tip'],
]);

type EventReader = Pick<
  FullNode,
  'canListEvents' | 'listEvents' | 'checkpointEvents' | 'followHeights'
>;

/** The part of the port that tells what happens. */
export function createEventReader(connection: Connection): EventReader {
  const { client } = connection;

  async function* listEvents(query: EventQuery, signal: AbortSignal): AsyncGenerator<EventFrame> {
    const request = toRequest(query);
    const frames = connection.stream(
      signal,
      (options) => client.ledgerService.listEvents(request, options),
      (headers) => assertReaches(query.startCheckpoint, headers[lowestHeader]),
    );
    for await (const frame of frames) yield toFrame(frame);
  }

  return {
    listEvents,

    async canListEvents(height, signal) {
      const range = { startCheckpoint: height, endCheckpoint: height + 1n };
      try {
        for await (const _frame of listEvents({ ...range, types: [], after: undefined }, signal))
          break;
        return true;
      } catch (cause) {
        if (cause instanceof FullNodeError && cause.kind === 'unimplemented') return false;
        throw cause;
      }
    },

    async checkpointEvents(height, signal) {
      const { checkpoint } = await connection.call(signal, (options) =>
        client.ledgerService.getCheckpoint(
          {
            checkpointId: { oneofKind: 'sequenceNumber', sequenceNumber: height },
            readMask: { paths: checkpointMask },
          },
          options,
        ),
      );
      const { sequenceNumber, transactions } = expectSet(checkpoint, 'checkpoint');
      if (sequenceNumber !== height) {
        throw new FullNodeError('protocol', `asked for ${height}, got ${sequenceNumber}`);
      }
      return transactions.flatMap((transaction, index) =>
        eventsOf({ transaction, checkpoint: height, index }),
      );
    },

    async *followHeights(signal) {
      const frames = connection.stream(signal, (options) =>
        client.subscriptionService.subscribeCheckpoints(
          { readMask: { paths: ['sequence_number'] } },
          options,
        ),
      );
      for await (const { cursor } of frames) yield expectSet(cursor, 'cursor');
    },
  };
}

/** Behind one address there may be several nodes: the one that lists has to have the history that another promised. */
function assertReaches(start: bigint, header: string | string[] | undefined): void {
  if (typeof header !== 'string' || !/^\d{1,20}$/.test(header)) return;
  const lowest = BigInt(header);
  if (lowest > 0n && start <= lowest) {
    throw new FullNodeError('not-found', `${start} is asked for, ${lowest} is the lowest there`);
  }
}

function toRequest(query: EventQuery): GrpcTypes.ListEventsRequest {
  const terms = query.types.map((eventType) => ({
    literals: [
      { negated: false, predicate: { oneofKind: 'eventType' as const, eventType: { eventType } } },
    ],
  }));
  return {
    startCheckpoint: query.startCheckpoint,
    endCheckpoint: query.endCheckpoint,
    options: {
      limit: pageItemsMax,
      ordering: GrpcTypes.Ordering.ASCENDING,
      ...(query.after === undefined ? {} : { after: query.after }),
    },
    readMask: { paths: eventMask },
    ...(terms.length === 0 ? {} : { filter: { terms } }),
  };
}

function toFrame({ event, watermark, end }: GrpcTypes.ListEventsResponse): EventFrame {
  return {
    event: event && toEvent(event),
    cursor: owned(expectSet(watermark?.cursor, 'watermark.cursor')),
    covered: watermark?.checkpoint,
    end: end && expectSet(endReasons.get(end.reason ?? 0), 'a known end.reason'),
  };
}

function toEvent(event: GrpcTypes.Event): LedgerEvent {
  return {
    ...contentOf(event),
    transactionDigest: expectSet(event.transactionDigest, 'event.transaction_digest'),
    position: {
      checkpoint: expectSet(event.checkpoint, 'event.checkpoint'),
      transaction: expectSet(event.transactionIndex, 'event.transaction_index'),
      event: expectSet(event.eventIndex, 'event.event_index'),
    },
  };
}

/** Inside its transaction an event does not say where it is: its place does. */
function eventsOf(options: {
  transaction: GrpcTypes.ExecutedTransaction;
  checkpoint: bigint;
  index: number;
}): LedgerEvent[] {
  const { transaction, checkpoint, index } = options;
  return (transaction.events?.events ?? []).map((event, place) => {
    const position: LedgerPosition = { checkpoint, transaction: BigInt(index), event: place };
    const transactionDigest = expectSet(transaction.digest, 'transaction.digest');
    return { ...contentOf(event), transactionDigest, position };
  });
}

const contentOf = (event: GrpcTypes.Event) => ({
  type: expectSet(event.eventType, 'event.event_type'),
  contents: owned(expectSet(event.contents?.value, 'event.contents')),
});

/** Bytes of their own: the transport's are a view of the whole message. */
const owned = (bytes: Uint8Array) => new Uint8Array(bytes);

/** Events, checkpoints and heights of one full node, from its gRPC messages (Sui, section 5). */
import type { GrpcTypes } from '@mysten/sui/grpc';
import type {
  EventQuery,
  FullNode,
  LedgerEvent,
  LedgerPosition,
  ListingFrame,
} from '../full-node.ts';
import { FullNodeError } from '../full-node.ts';
import type { Connection } from './connection.ts';
import { expectSet } from './expect.ts';
import { assertReaches, owned, rangeOf, toFrame } from './listing.ts';

const eventMask = [
  'event_type',
  'contents',
  'checkpoint',
  'transaction_digest',
  'transaction_index',
  'event_index',
];
const checkpointMask = ['sequence_number', 'transactions.digest', 'transactions.events'];

type EventReader = Pick<
  FullNode,
  'canListEvents' | 'listEvents' | 'checkpointEvents' | 'followHeights'
>;

/** The part of the port that tells what happens. */
export function createEventReader(connection: Connection): EventReader {
  const { client } = connection;

  async function* listEvents(
    query: EventQuery,
    signal: AbortSignal,
  ): AsyncGenerator<ListingFrame<LedgerEvent>> {
    const request = toRequest(query);
    const frames = connection.stream(
      signal,
      (options) => client.ledgerService.listEvents(request, options),
      (headers) => assertReaches(query.startCheckpoint, headers),
    );
    for await (const frame of frames) yield toFrame(frame, frame.event && toEvent(frame.event));
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

function toRequest(query: EventQuery): GrpcTypes.ListEventsRequest {
  const terms = query.types.map((eventType) => ({
    literals: [
      { negated: false, predicate: { oneofKind: 'eventType' as const, eventType: { eventType } } },
    ],
  }));
  return {
    ...rangeOf(query),
    readMask: { paths: eventMask },
    ...(terms.length === 0 ? {} : { filter: { terms } }),
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

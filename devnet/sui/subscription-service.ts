/** SubscriptionService: what is new, from the next checkpoint on. A stream has no good end, and may be cut at any time. */
import { GrpcTypes, type SuiGrpcClient } from '@mysten/sui/grpc';
import type { Checkpoint } from './checkpoints.ts';
import { eventMatcher, transactionMatcher } from './filters.ts';
import { itemsOf } from './ledger-items.ts';
import { endOf } from './ledger-position.ts';
import { watermarkMessage } from './list-service.ts';
import { type NodeContext, openMask } from './node-context.ts';
import type { ScanItem } from './scan.ts';
import { type Handlers, type Outgoing, statusError } from './serving.ts';
import { checkpointMessage } from './wire-checkpoints.ts';

// A subscriber who falls further behind is dropped.
const backlogMax = 1000;

export function createSubscriptionService(
  context: NodeContext,
): Handlers<SuiGrpcClient['subscriptionService']> {
  const { ledger } = context.chain;
  return {
    async subscribeCheckpoints(request, stream) {
      const fallback = 'sequence_number,digest';
      const { mask, apply } = openMask(GrpcTypes.Checkpoint, request.readMask, fallback);
      const matches = transactionMatcher(request.filter);
      for await (const checkpoint of newCheckpoints(context, stream.signal)) {
        const isWanted = !request.filter || checkpoint.transactions.some(matches);
        const cursor = checkpoint.sequence;
        const message = () => apply(checkpointMessage(checkpoint, { ledger, mask }));
        await stream.send(isWanted ? { cursor, checkpoint: message() } : { cursor });
      }
    },
    async subscribeTransactions(request, stream) {
      const { mask, apply } = openMask(GrpcTypes.ExecutedTransaction, request.readMask, 'digest');
      const matches = transactionMatcher(request.filter);
      await follow(context, {
        stream,
        itemsAt: (checkpoint) => itemsOf.transactions(checkpoint, { matches, mask }),
        toFrame: (transaction: () => GrpcTypes.ExecutedTransaction) => ({
          transaction: apply(transaction()),
        }),
      });
    },
    async subscribeEvents(request, stream) {
      const { apply } = openMask(GrpcTypes.Event, request.readMask, 'event_type');
      const matches = eventMatcher(request.filter);
      await follow(context, {
        stream,
        itemsAt: (checkpoint) => itemsOf.events(checkpoint, matches),
        toFrame: (event: () => GrpcTypes.Event) => ({ event: apply(event()) }),
      });
    },
  };
}

/** Sends the items of each new checkpoint, then a frame that says it is covered. */
async function follow<Item, Content extends object>(
  context: NodeContext,
  subscription: {
    readonly stream: Outgoing<Partial<Content> & { watermark?: GrpcTypes.Watermark }>;
    readonly itemsAt: (checkpoint: Checkpoint) => readonly ScanItem<Item>[];
    readonly toFrame: (item: Item) => Content;
  },
): Promise<void> {
  const { stream, itemsAt, toFrame } = subscription;
  const mark = (cursor: bigint, covered: bigint | undefined) =>
    watermarkMessage(context.provider, { cursor, covered });
  let covered: bigint | undefined;
  for await (const checkpoint of newCheckpoints(context, stream.signal)) {
    for (const { position, item } of itemsAt(checkpoint)) {
      await stream.send({ ...toFrame(item), watermark: mark(position, covered) });
    }
    covered = checkpoint.sequence;
    const nothing: Partial<Content> = {};
    await stream.send({ ...nothing, watermark: mark(endOf(covered), covered) });
  }
}

/** Yields checkpoints as they are closed, until the subscriber leaves; throws when the node goes. */
async function* newCheckpoints(
  { chain, signal }: NodeContext,
  subscriber: AbortSignal,
): AsyncGenerator<Checkpoint, void> {
  const backlog: Checkpoint[] = [];
  let bell = Promise.withResolvers<void>();
  const ring = () => bell.resolve();
  const node = signal();
  const stop = chain.ledger.onCheckpoint((checkpoint) => {
    backlog.push(checkpoint);
    ring();
  });
  subscriber.addEventListener('abort', ring, { once: true });
  node.addEventListener('abort', ring, { once: true });
  try {
    while (!subscriber.aborted) {
      if (node.aborted) throw statusError('UNAVAILABLE', 'the node is going');
      if (backlog.length > backlogMax) throw statusError('RESOURCE_EXHAUSTED', 'too slow');
      const next = backlog.shift();
      if (next) {
        yield next;
      } else {
        await bell.promise;
        bell = Promise.withResolvers<void>();
      }
    }
  } finally {
    stop();
    node.removeEventListener('abort', ring);
  }
}

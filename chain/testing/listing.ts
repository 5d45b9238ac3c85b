/** ListEvents as the API says: canonical order, a cursor in every frame, exactly one end. */
import { GrpcTypes } from '@mysten/sui/grpc';
import type { LedgerEvent, LedgerPosition } from '../full-node.ts';
import type { Faults } from './full-node.ts';
import type { TestLedger } from './ledger.ts';
import { refuse } from './server.ts';

type Frame = GrpcTypes.ListEventsResponse;
const { ITEM_LIMIT, SCAN_LIMIT, CHECKPOINT_BOUND, LEDGER_TIP } = GrpcTypes.QueryEndReason;

const foreignShift = 3n;

/** All frames of one listing. */
export function* listedFrames(options: {
  ledger: TestLedger;
  faults: Faults;
  request: GrpcTypes.ListEventsRequest;
}): Generator<Frame> {
  const { ledger, faults, request } = options;
  const { start, last, reason } = rangeOf(options);
  const after = readCursor(request.options?.after, faults);
  const limit = Math.min(request.options?.limit ?? 50, faults.itemsMax);
  const found = ledger.events.filter(
    (event) =>
      event.position.checkpoint >= start &&
      event.position.checkpoint <= last &&
      !isAtOrBefore(event.position, after) &&
      (faults.ignoresFilter || matches(event, request.filter)),
  );
  if (faults.disorders) found.reverse();
  const boundaryAt = (checkpoint: bigint) => ({
    cursor: writeCursor({ checkpoint, transaction: 2n ** 60n, event: 0 }, faults.provider),
    ...(checkpoint >= start && { checkpoint }),
  });

  let previous = start;
  for (const [index, event] of found.slice(0, limit).entries()) {
    const { checkpoint } = event.position;
    const covered = checkpoint - 1n;
    if (checkpoint > previous) yield { watermark: boundaryAt(covered) };
    previous = checkpoint;
    const cursor = writeCursor(event.position, faults.provider);
    yield {
      event: masked(event, request.readMask?.paths ?? []),
      watermark: { cursor, ...(covered >= start && { checkpoint: covered }) },
      ...(index === limit - 1 && { end: { reason: ITEM_LIMIT } }),
    };
  }
  if (found.length < limit) yield { watermark: boundaryAt(last), end: { reason } };
}

/** What is scanned, from first to last checkpoint, and why it ends there. */
function rangeOf({
  ledger,
  faults,
  request,
}: {
  ledger: TestLedger;
  faults: Faults;
  request: GrpcTypes.ListEventsRequest;
}) {
  const asked = request.startCheckpoint ?? 0n;
  // A pruned node answers from what it has left, and says nothing about it.
  const start = asked > faults.lowestCheckpoint ? asked : faults.lowestCheckpoint;
  const tip = ledger.height - faults.lagCheckpoints;
  const bound = (request.endCheckpoint ?? tip + 1n) - 1n;
  const scanned = start + faults.scanCheckpointsMax - 1n;
  const last = [bound, tip, scanned].reduce((least, one) => (one < least ? one : least));
  if (last === bound) return { start, last, reason: CHECKPOINT_BOUND };
  return { start, last, reason: last === tip ? LEDGER_TIP : SCAN_LIMIT };
}

const writeCursor = ({ checkpoint, transaction, event }: LedgerPosition, provider: string) =>
  new Uint8Array(Buffer.from(`${provider}/${checkpoint}/${transaction}/${event}`));

function readCursor(cursor: Uint8Array | undefined, faults: Faults): LedgerPosition | undefined {
  if (cursor === undefined) return undefined;
  const parts = Buffer.from(cursor).toString().split('/');
  const [provider, checkpoint = '', transaction = '', event = ''] = parts;
  const isForeign = provider !== faults.provider;
  if (isForeign && faults.refusesCursors) refuse('INVALID_ARGUMENT');
  const shift = isForeign ? foreignShift : 0n;
  return {
    checkpoint: BigInt(checkpoint) + shift,
    transaction: BigInt(transaction),
    event: Number(event),
  };
}

function isAtOrBefore(position: LedgerPosition, bound: LedgerPosition | undefined): boolean {
  if (!bound) return false;
  if (position.checkpoint !== bound.checkpoint) return position.checkpoint < bound.checkpoint;
  if (position.transaction !== bound.transaction) return position.transaction < bound.transaction;
  return position.event <= bound.event;
}

function matches({ type }: LedgerEvent, filter: GrpcTypes.EventFilter | undefined): boolean {
  if (!filter) return true;
  return filter.terms.some(({ literals }) =>
    literals.every(
      ({ predicate }) =>
        predicate.oneofKind === 'eventType' && predicate.eventType.eventType === type,
    ),
  );
}

function masked(event: LedgerEvent, asked: readonly string[]): GrpcTypes.Event {
  const { checkpoint, transaction, event: index } = event.position;
  return {
    ...(asked.includes('event_type') && { eventType: event.type }),
    ...(asked.includes('contents') && { contents: { value: event.contents } }),
    ...(asked.includes('checkpoint') && { checkpoint }),
    ...(asked.includes('transaction_digest') && { transactionDigest: event.transactionDigest }),
    ...(asked.includes('transaction_index') && { transactionIndex: transaction }),
    ...(asked.includes('event_index') && { eventIndex: index }),
  };
}

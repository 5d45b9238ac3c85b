/**
 * The items of a checkpoint with their places: matching events, or matching transactions. Their messages are made only
 * when they are sent.
 */
import type { GrpcTypes } from '@mysten/sui/grpc';
import type { Checkpoint } from './checkpoints.ts';
import type { LedgerEvent } from './draft.ts';
import type { Executed } from './executed.ts';
import type { Matcher } from './filters.ts';
import { positionOf } from './ledger-position.ts';
import type { ReadMask } from './read-mask.ts';
import type { ScanItem } from './scan.ts';
import { eventMessage, executedMessage } from './wire-executed.ts';

export const itemsOf = {
  /** Events on their own tell where they stand. */
  events(checkpoint: Checkpoint, matches: Matcher<LedgerEvent>): ScanItem<() => GrpcTypes.Event>[] {
    const { sequence, transactions } = checkpoint;
    return transactions.flatMap(({ events, transaction }, index) =>
      events.flatMap((event, eventIndex) => {
        if (!matches(event)) return [];
        const place = { checkpoint: sequence, transactionIndex: BigInt(index), eventIndex };
        const item = () => ({
          ...eventMessage(event),
          ...place,
          transactionDigest: transaction.digest,
        });
        return [{ position: positionOf(sequence, index, eventIndex), item }];
      }),
    );
  },
  transactions(
    checkpoint: Checkpoint,
    wanted: { readonly matches: Matcher<Executed>; readonly mask: ReadMask },
  ): ScanItem<() => GrpcTypes.ExecutedTransaction>[] {
    const { matches, mask } = wanted;
    const { sequence, transactions, timestampMs } = checkpoint;
    return transactions.flatMap((executed, index) => {
      if (!matches(executed)) return [];
      const place = { checkpoint: sequence, index, timestampMs };
      const item = () => executedMessage(executed, { place, mask });
      return [{ position: positionOf(sequence, index), item }];
    });
  },
} as const;

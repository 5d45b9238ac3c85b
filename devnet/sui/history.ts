/** What a ledger remembers: executed transactions, where they stand, checkpoints and their digests, until pruned. */
import { type Checkpoint, createDigestChain } from './checkpoints.ts';
import type { Executed } from './executed.ts';

/** Where a transaction stands in the ledger. */
export type Place = {
  readonly checkpoint: bigint;
  readonly index: number;
  readonly timestampMs: number;
};

export function createHistory() {
  const transactions = new Map<string, Executed>();
  const places = new Map<string, Place>();
  const checkpoints = new Map<bigint, Checkpoint>();
  const chain = createDigestChain((sequence) => checkpoints.get(sequence));
  let lowest = 0n;
  let height = -1n;

  function forget(sequence: bigint): void {
    for (const { transaction } of checkpoints.get(sequence)?.transactions ?? []) {
      transactions.delete(transaction.digest);
      places.delete(transaction.digest);
    }
    checkpoints.delete(sequence);
  }

  return {
    chain,
    height: (): bigint => height,
    lowest: (): bigint => lowest,
    checkpoint: (sequence: bigint): Checkpoint | undefined => checkpoints.get(sequence),
    transaction: (digest: string): Executed | undefined => transactions.get(digest),
    /** Nothing while the transaction waits for its checkpoint. */
    placeOf: (digest: string): Place | undefined => places.get(digest),
    addTransaction(executed: Executed): void {
      transactions.set(executed.transaction.digest, executed);
    },
    addCheckpoint(checkpoint: Checkpoint): void {
      const { sequence, timestampMs } = checkpoint;
      height = sequence;
      checkpoints.set(sequence, checkpoint);
      for (const [index, { transaction }] of checkpoint.transactions.entries()) {
        places.set(transaction.digest, { checkpoint: sequence, index, timestampMs });
      }
    },
    /** Forgets checkpoints below that one with their transactions; the newest always stays. */
    prune(below: bigint): void {
      const end = below < height ? below : height;
      if (end <= lowest) return;
      chain.digestAt(end);
      for (; lowest < end; lowest += 1n) forget(lowest);
    },
  };
}

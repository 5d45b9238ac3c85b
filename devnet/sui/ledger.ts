/** One chain: objects, history and epochs. Several full nodes can serve the same one. */
import type { Checkpoint } from './checkpoints.ts';
import type { Deployment } from './commands.ts';
import type { Executed } from './executed.ts';
import { createHistory } from './history.ts';
import { createObjectStore } from './object-store.ts';

export type Epoch = {
  readonly number: bigint;
  readonly startMs: number;
  readonly referenceGasPrice: bigint;
  readonly firstCheckpoint: bigint;
  readonly lastCheckpoint: bigint | undefined;
  readonly endMs: number | undefined;
};

export type LedgerOptions = {
  readonly nowMs: () => number;
  readonly referenceGasPrice: bigint;
  /** Older checkpoints are pruned. */
  readonly checkpointsMax: number;
};

export type Ledger = ReturnType<typeof createLedger>;

export function createLedger({ nowMs, referenceGasPrice, checkpointsMax }: LedgerOptions) {
  const store = createObjectStore();
  const history = createHistory();
  const listeners = new Set<(checkpoint: Checkpoint) => void>();
  // Which transaction an owned object's version is promised to, until the epoch ends.
  const locks = new Map<string, string>();
  const unended = { lastCheckpoint: undefined, endMs: undefined };
  const first = { number: 0n, startMs: nowMs(), firstCheckpoint: 0n };
  let epoch: Epoch = { ...first, referenceGasPrice, ...unended };
  const ended: Epoch[] = [];
  let pending: Executed[] = [];
  let transactionsTotal = 0n;

  /** Closes the next checkpoint over everything executed since the last. */
  function seal(isEndOfEpoch = false): Checkpoint {
    const transactions = pending;
    pending = [];
    transactionsTotal += BigInt(transactions.length);
    const sequence = history.height() + 1n;
    const place = { sequence, epoch: epoch.number, timestampMs: nowMs() };
    const checkpoint = { ...place, transactions, transactionsTotal, isEndOfEpoch };
    history.addCheckpoint(checkpoint);
    prune(sequence + 1n - BigInt(checkpointsMax));
    for (const listener of listeners) listener(checkpoint);
    return checkpoint;
  }

  /** Forgets checkpoints below that one, and earlier versions of objects with them. */
  function prune(below: bigint): void {
    if (below <= history.lowest()) return;
    history.prune(below);
    store.forgetEarlier();
  }

  return {
    store,
    history,
    locks,
    deployments: new Map<string, Deployment>(),
    seal,
    prune,
    epoch: (): Epoch => epoch,
    epochAt: (number: bigint): Epoch | undefined =>
      number === epoch.number ? epoch : ended[Number(number)],
    /** Takes a transaction's changes over; its checkpoint is the next one. */
    commit(executed: Executed): void {
      for (const { id, after } of executed.changes) {
        if (after) store.put(after);
        else store.remove(id);
      }
      history.addTransaction(executed);
      pending.push(executed);
    },
    /** Ends the epoch with a last checkpoint; locks end with it. */
    advanceEpoch(): void {
      const { sequence, timestampMs: startMs } = seal(true);
      ended.push({ ...epoch, lastCheckpoint: sequence, endMs: startMs });
      const firstCheckpoint = sequence + 1n;
      epoch = { ...epoch, number: epoch.number + 1n, startMs, firstCheckpoint };
      locks.clear();
    },
    /** Calls the listener with every new checkpoint until the returned function is called. */
    onCheckpoint(listener: (checkpoint: Checkpoint) => void): () => void {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
}

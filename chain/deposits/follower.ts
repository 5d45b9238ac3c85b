/**
 * Follows the gateway's address: lists its transactions, records the deposits among them together with how far that goes,
 * and has them credited. Any number of processes may do so at once: a deposit is recorded once whoever brings it, and
 * progress is written only over what it was made from.
 */
import type { Logger } from '../../runtime/log.ts';
import { FullNodeError, type LedgerTransaction } from '../full-node.ts';
import {
  afterPass,
  isWorthTaking,
  type Pass,
  type Range,
  readCheckpoints,
  readListing,
  resumeAt,
} from '../indexer/pass.ts';
import { isPruned, nextStep } from '../indexer/plan.ts';
import type { FollowStatus } from '../indexer/state.ts';
import { type After, keepStepping, type Stepping } from '../indexer/stepping.ts';
import type { DepositProgress, DepositStore, StoredProgress } from './store.ts';
import { depositIn, type Treasury } from './transfers.ts';

export type DepositFollowerOptions = Stepping & {
  readonly store: DepositStore;
  readonly treasury: Treasury;
  readonly nowMs: () => number;
  readonly log: Logger;
};

const modeRecheckMs = 60_000;

/** Runs until the signal ends. Never rejects: what fails is logged and tried again. */
export async function followDeposits(
  options: DepositFollowerOptions,
  signal: AbortSignal,
): Promise<void> {
  const worker = new DepositWorker(options, signal);
  await keepStepping(options, { step: () => worker.step(), signal });
}

class DepositWorker {
  readonly #options: DepositFollowerOptions;
  readonly #signal: AbortSignal;
  #mode: 'listing' | 'checkpoints' = 'listing';
  #modeChangedMs = 0;

  constructor(options: DepositFollowerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Never rejects. What is stored is read anew each time, since others may follow too. */
  async step(): Promise<After> {
    const { store, log } = this.#options;
    try {
      // First, so that what an earlier process left open does not depend on the full node.
      await store.settle();
      const stored = await this.#load();
      try {
        return await this.#advance(stored);
      } catch (cause) {
        if (!(cause instanceof FullNodeError)) throw cause;
        return await this.#fail(stored, cause);
      }
    } catch (cause) {
      log.warn({ err: cause }, 'deposits cannot be stored');
      return 'failed';
    }
  }

  async #load(): Promise<StoredProgress> {
    const { store, treasury } = this.#options;
    const covered = treasury.firstCheckpoint - 1n;
    const nothing = { covered, cursor: undefined, status: { kind: 'following' } } as const;
    return (await store.load()) ?? { progress: nothing, revision: 0 };
  }

  async #advance(stored: StoredProgress): Promise<After> {
    const view = await this.#options.fullNode.view(this.#signal);
    const next = nextStep(stored.progress, view);
    switch (next.kind) {
      case 'idle':
        return this.#setStatus(stored, { kind: 'following' });
      case 'pruned':
        return this.#setStatus(stored, next);
      case 'read':
        return this.#take(stored, next.range);
    }
  }

  /** Reads a stretch and stores it, unless history was pruned under the reading. */
  async #take(stored: StoredProgress, range: Range): Promise<After> {
    const { fullNode, store, treasury } = this.#options;
    const { progress } = stored;
    const pass = await this.#read(progress, range);
    const { failure } = pass;
    if (failure && !isWorthTaking(pass)) throw failure;
    const view = await fullNode.view(this.#signal);
    if (isPruned(range.start, view)) {
      const lowest = view.lowestCheckpoint;
      return this.#setStatus(stored, { kind: 'pruned', start: range.start, lowest });
    }
    const change = changeBy(pass, { stored, treasury, provider: fullNode.provider });
    const recording = await store.commit(change);
    if (recording.kind === 'stale') return 'again';
    this.#tell(recording.conflicts, progress.status, change.progress.status);
    await store.settle();
    // What came before the failure is stored, so the next step goes on after it.
    return failure ? 'failed' : afterPass(pass, progress);
  }

  async #read(progress: DepositProgress, range: Range): Promise<Pass<LedgerTransaction>> {
    const { fullNode, treasury, nowMs } = this.#options;
    // A node may come to list transactions, for example after an upgrade.
    if (nowMs() - this.#modeChangedMs > modeRecheckMs) this.#mode = 'listing';
    if (this.#mode === 'checkpoints') {
      const read = (height: bigint) => fullNode.checkpointTransactions(height, this.#signal);
      return readCheckpoints(read, range);
    }
    const bounds = resumeAt(range, progress.cursor, fullNode.provider);
    const query = { address: treasury.address, ...bounds };
    return readListing(fullNode.listTransactions(query, this.#signal), range);
  }

  async #fail(stored: StoredProgress, cause: FullNodeError): Promise<After> {
    const { store, log } = this.#options;
    if (this.#isUnimplemented(cause)) return 'again';
    if (cause.kind !== 'aborted') log.warn({ err: cause }, 'the full node failed');
    const { progress, revision } = stored;
    if (cause.kind === 'refused' && progress.cursor) {
      // A cursor that means nothing there; what is covered does.
      const without = { ...progress, cursor: undefined };
      await store.commit({ revision, progress: without, deposits: [] });
      return 'again';
    }
    if (cause.kind === 'protocol' || cause.kind === 'wrong-chain') {
      return this.#setStatus(stored, { kind: 'halted', reason: cause.message });
    }
    return 'failed';
  }

  #isUnimplemented({ kind }: FullNodeError): boolean {
    if (kind !== 'unimplemented' || this.#mode === 'checkpoints') return false;
    this.#mode = 'checkpoints';
    this.#modeChangedMs = this.#options.nowMs();
    this.#options.log.warn('the full node lists no transactions: reading whole checkpoints');
    return true;
  }

  async #setStatus({ progress, revision }: StoredProgress, status: FollowStatus): Promise<After> {
    if (progress.status.kind !== status.kind) {
      const change = { revision, progress: { ...progress, status }, deposits: [] };
      const { kind } = await this.#options.store.commit(change);
      if (kind === 'recorded') this.#tell([], progress.status, status);
    }
    return status.kind === 'following' ? 'wait' : 'failed';
  }

  #tell(conflicts: readonly string[], before: FollowStatus, status: FollowStatus): void {
    const { log } = this.#options;
    if (conflicts.length > 0) {
      log.error({ deposits: conflicts }, 'the full node tells other deposits than are known');
    }
    if (before.kind === status.kind) return;
    const message = 'following deposits is now in another state';
    log[status.kind === 'following' ? 'info' : 'error']({ status }, message);
  }
}

/** The deposits of a stretch, and how far they go. */
function changeBy(
  { items, covered, cursor }: Pass<LedgerTransaction>,
  options: { stored: StoredProgress; treasury: Treasury; provider: string },
): Parameters<DepositStore['commit']>[0] {
  const { stored, treasury, provider } = options;
  return {
    revision: stored.revision,
    progress: {
      covered: covered ?? stored.progress.covered,
      cursor: cursor && { provider, bytes: cursor },
      status: { kind: 'following' },
    },
    deposits: items
      .map((transaction) => depositIn(transaction, treasury))
      .filter((deposit) => deposit !== undefined),
  };
}

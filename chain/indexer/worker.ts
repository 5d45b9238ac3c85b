/** One step of following the chain: look, read a stretch, judge it, store it; and what to do where that fails. */
import type { SuiAddress } from '../../domain/chain-ids.ts';
import type { Logger } from '../../runtime/log.ts';
import type { EventTypes } from '../bcs/event-types.ts';
import {
  type FullNode,
  FullNodeError,
  type LedgerEvent,
  type PackageVersion,
} from '../full-node.ts';
import type { Lease } from '../lease.ts';
import { judgeDatabase, unknownVersions } from '../startup.ts';
import { readChain } from './bootstrap.ts';
import {
  afterPass,
  isWorthTaking,
  type Pass,
  type Range,
  readCheckpoints,
  readListing,
  resumeAt,
} from './pass.ts';
import { isPruned, type NextStep, nextStep, takePass } from './plan.ts';
import {
  applyChanges,
  emptyState,
  type FollowStatus,
  type Progress,
  type StateChange,
} from './state.ts';
import type { After } from './stepping.ts';
import type { ChainStore, StoredChain } from './store.ts';

export type WorkerOptions = {
  readonly fullNode: FullNode;
  readonly store: ChainStore;
  readonly lease: Lease;
  readonly types: EventTypes;
  readonly definingPackage: SuiAddress;
  /** Versions of the package that an operator has approved, the defining one included. */
  readonly knownPackages: readonly SuiAddress[];
  /** Whose stacks are followed. */
  readonly owner: SuiAddress;
  /** Where history is gone: read the objects anew, and say so, instead of standing still. */
  readonly jumpsWhenPruned: boolean;
  readonly nowMs: () => number;
  readonly log: Logger;
};

const modeRecheckMs = 60_000;
const packagesRecheckMs = 600_000;

export class Worker {
  readonly #options: WorkerOptions;
  readonly #signal: AbortSignal;
  /** As stored; unset where the store may have something else. */
  #chain: StoredChain | undefined;
  #mode: 'listing' | 'checkpoints' = 'listing';
  #modeCheckedMs = 0;
  #packagesCheckedMs: number | undefined;

  constructor(options: WorkerOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
  }

  /** Never rejects. */
  async step(): Promise<After> {
    try {
      this.#chain ??= await this.#options.store.load();
      if (!this.#chain) return await this.#bootstrap();
      if ((await this.#watchPackages(this.#chain)) === 'fenced') return 'fenced';
      return await this.#advance(this.#chain);
    } catch (cause) {
      return this.#fail(cause);
    }
  }

  async #advance(chain: StoredChain): Promise<After> {
    const view = await this.#options.fullNode.view(this.#signal);
    const next = nextStep(chain.progress, view);
    switch (next.kind) {
      case 'idle':
        return (await this.#setStatus({ kind: 'following' })) ?? 'wait';
      case 'pruned':
        return this.#standBefore(next);
      case 'read':
        return this.#take(chain, next.range);
    }
  }

  /** Reads a stretch and stores it, unless history was pruned under the reading. */
  async #take(chain: StoredChain, range: Range): Promise<After> {
    const { fullNode, types, owner } = this.#options;
    const pass = await this.#read(chain.progress, range);
    const { failure } = pass;
    if (failure && !isWorthTaking(pass)) return this.#fail(failure);
    const view = await fullNode.view(this.#signal);
    if (isPruned(range.start, view)) {
      const lowest = view.lowestCheckpoint;
      return this.#standBefore({ kind: 'pruned', start: range.start, lowest });
    }
    const plan = takePass({ ...chain, pass, provider: fullNode.provider, types, owner });
    const fenced = await this.#commit({ ...plan, isReset: false });
    if (fenced) return fenced;
    return failure ? this.#fail(failure) : afterPass(pass, chain.progress);
  }

  async #read(progress: Progress, range: Range): Promise<Pass<LedgerEvent>> {
    const { fullNode, types } = this.#options;
    await this.#recheckMode(range.start);
    if (this.#mode === 'checkpoints') {
      return readCheckpoints((height) => fullNode.checkpointEvents(height, this.#signal), range);
    }
    const query = { types: types.all, ...resumeAt(range, progress.cursor, fullNode.provider) };
    return readListing(fullNode.listEvents(query, this.#signal), range);
  }

  /** A node may come to list events, for example after an upgrade. */
  async #recheckMode(height: bigint): Promise<void> {
    const { fullNode, nowMs } = this.#options;
    if (this.#mode === 'listing' || nowMs() - this.#modeCheckedMs < modeRecheckMs) return;
    this.#modeCheckedMs = nowMs();
    if (await fullNode.canListEvents(height, this.#signal)) this.#mode = 'listing';
  }

  async #standBefore(gone: NextStep & { readonly kind: 'pruned' }): Promise<After> {
    if (this.#options.jumpsWhenPruned) return this.#bootstrap();
    return (await this.#setStatus(gone)) ?? 'failed';
  }

  /** Reads the objects; where something was known before, what lies between is skipped, and that is recorded. */
  async #bootstrap(): Promise<After> {
    const { fullNode, owner, definingPackage } = this.#options;
    const problems = judgeDatabase(await fullNode.database(this.#signal), definingPackage);
    if (problems.length > 0) throw new FullNodeError('protocol', problems.join(', '));
    const known = this.#chain?.state ?? emptyState();
    const from = this.#chain?.progress.covered;
    const { progress, changes } = await readChain({
      fullNode,
      signal: this.#signal,
      owner,
      known,
    });
    const jump = from === undefined ? [] : [jumpOf(from, progress.covered)];
    const state = { ...emptyState(), claims: known.claims };
    applyChanges(state, changes);
    this.#chain = { progress, state, revision: this.#chain?.revision ?? 0 };
    const all = [...jump, ...changes];
    return (await this.#commit({ progress, changes: all, isReset: true })) ?? 'again';
  }

  /** Nothing where it is stored. */
  async #commit(change: {
    progress: Progress;
    changes: readonly StateChange[];
    isReset: boolean;
  }): Promise<'fenced' | undefined> {
    const { store, lease, log } = this.#options;
    const { state, revision = 0 } = this.#chain ?? {};
    // Until it is answered, the store may have either.
    this.#chain = undefined;
    const outcome = await store.commit(lease, { ...change, revision });
    if (outcome === 'fenced') return 'fenced';
    if (outcome === 'stale') throw new Error('the store has been written to meanwhile');
    this.#chain = state && { progress: change.progress, state, revision: revision + 1 };
    for (const { table, row } of change.changes) {
      if (table === 'alarms') log.error({ alarm: row }, 'the chain needs attention');
    }
    return undefined;
  }

  async #setStatus(status: FollowStatus): Promise<'fenced' | undefined> {
    const progress = this.#chain?.progress;
    if (!progress || progress.status.kind === status.kind) return undefined;
    const message = 'following the chain is now in another state';
    this.#options.log[status.kind === 'following' ? 'info' : 'error']({ status }, message);
    return this.#commit({ progress: { ...progress, status }, changes: [], isReset: false });
  }

  async #fail(cause: unknown): Promise<After> {
    if (!(cause instanceof FullNodeError)) {
      this.#options.log.warn({ err: cause }, 'what is known of the chain cannot be stored');
      this.#chain = undefined;
      return 'failed';
    }
    if (cause.kind === 'unimplemented' && this.#mode === 'listing') {
      this.#mode = 'checkpoints';
      this.#modeCheckedMs = this.#options.nowMs();
      this.#options.log.warn('the full node lists no events: reading whole checkpoints');
      return 'again';
    }
    if (cause.kind === 'refused' && this.#chain?.progress.cursor) {
      // A cursor that means nothing there; what is covered does.
      this.#chain = { ...this.#chain, progress: { ...this.#chain.progress, cursor: undefined } };
      return 'again';
    }
    if (cause.kind !== 'aborted') this.#options.log.warn({ err: cause }, 'the full node failed');
    return this.#halt(cause);
  }

  async #halt({ kind, message }: FullNodeError): Promise<After> {
    if (kind !== 'protocol' && kind !== 'wrong-chain') return 'failed';
    try {
      return (await this.#setStatus({ kind: 'halted', reason: message })) ?? 'failed';
    } catch {
      return 'failed';
    }
  }

  async #watchPackages({ progress }: StoredChain): Promise<'fenced' | undefined> {
    const { knownPackages, nowMs } = this.#options;
    const checkedMs = this.#packagesCheckedMs;
    if (checkedMs !== undefined && nowMs() - checkedMs < packagesRecheckMs) return undefined;
    this.#packagesCheckedMs = nowMs();
    const versions = await this.#readVersions();
    const changes = unknownVersions(versions, knownPackages).map(upgradeOf);
    return changes.length > 0 ? this.#commit({ progress, changes, isReset: false }) : undefined;
  }

  async #readVersions(): Promise<readonly PackageVersion[]> {
    const { fullNode, definingPackage, log } = this.#options;
    try {
      return await fullNode.packageVersions(definingPackage, this.#signal);
    } catch (cause) {
      log.warn({ err: cause }, 'the versions of the package cannot be read');
      return [];
    }
  }
}

function jumpOf(from: bigint, to: bigint): StateChange {
  return { table: 'alarms', id: `jump/${from}`, row: { kind: 'jump', from, to } };
}

function upgradeOf({
  packageId,
  version,
}: {
  packageId: SuiAddress;
  version: bigint;
}): StateChange {
  const row = { kind: 'upgrade', packageId, version } as const;
  return { table: 'alarms', id: `upgrade/${packageId}`, row };
}

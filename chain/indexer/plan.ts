/** Decides what to read next, and what a reading changes: the whole of the indexer's judgement, without I/O. */
import type { ChainEvent } from '../../domain/chain-event.ts';
import type { SuiAddress } from '../../domain/chain-ids.ts';
import type { EventTypes } from '../bcs/event-types.ts';
import type { FullNode, LedgerEvent } from '../full-node.ts';
import type { Pass, Range } from './pass.ts';
import { isBefore } from './position.ts';
import { project } from './project.ts';
import {
  applyChanges,
  type ChainState,
  type CountedId,
  type Progress,
  type StateChange,
} from './state.ts';

type LedgerView = Awaited<ReturnType<FullNode['view']>>;

export type NextStep =
  | { readonly kind: 'read'; readonly range: Range }
  /** Everything there is has been read, or the node is behind what was read from another. */
  | { readonly kind: 'idle' }
  | { readonly kind: 'pruned'; readonly start: bigint; readonly lowest: bigint };

/** What comes after what has been covered. */
export function nextStep({ covered }: Pick<Progress, 'covered'>, view: LedgerView): NextStep {
  const start = covered + 1n;
  if (isPruned(start, view)) return { kind: 'pruned', start, lowest: view.lowestCheckpoint };
  if (start > view.height) return { kind: 'idle' };
  return { kind: 'read', range: { start, end: view.height + 1n } };
}

/** Whether a reading from `start` may have missed something: the lowest checkpoint may be on its way out. */
export function isPruned(start: bigint, { lowestCheckpoint }: LedgerView): boolean {
  return lowestCheckpoint > 0n && start <= lowestCheckpoint;
}

export type Plan = { readonly progress: Progress; readonly changes: readonly StateChange[] };

/** Takes a pass into `state`, which it changes, and says what has to be stored. */
export function takePass(options: {
  state: ChainState;
  progress: Progress;
  pass: Pass<LedgerEvent>;
  provider: string;
  types: EventTypes;
  owner: SuiAddress;
}): Plan {
  const { state, progress, pass, provider, types, owner } = options;
  const changes: StateChange[] = [];
  const next = { ...progress.next };
  let { position } = progress;
  for (const ledgerEvent of pass.items) {
    // With another provider, or after checkpoints, a stretch is read again from its first checkpoint.
    if (position && !isBefore(position, ledgerEvent.position)) continue;
    const reading = types.read(ledgerEvent.type, ledgerEvent.contents);
    position = ledgerEvent.position;
    if (reading.kind === 'poison') changes.push(poisonOf(ledgerEvent, reading.reason));
    if (reading.kind !== 'event') continue;
    changes.push(...countIds(reading.event, next));
    const projected = project({ state, event: reading.event, ledgerEvent, owner });
    applyChanges(state, projected);
    changes.push(...projected);
  }
  const covered = pass.covered ?? progress.covered;
  const cursor = pass.cursor && { provider, bytes: pass.cursor };
  const status = { kind: 'following' } as const;
  return {
    progress: { covered: most(covered, progress.covered), position, cursor, next, status },
    changes,
  };
}

const most = (left: bigint, right: bigint) => (left > right ? left : right);

function poisonOf(ledgerEvent: LedgerEvent, reason: string): StateChange {
  const { type, contents, transactionDigest, position } = ledgerEvent;
  const { checkpoint, event } = position;
  const row = { kind: 'poison', type, contents, transactionDigest, checkpoint, reason } as const;
  return { table: 'alarms', id: `poison/${transactionDigest}/${event}`, row };
}

/** Ids are counted from 1 without a hole: a hole means that events never came. */
function countIds(event: ChainEvent, next: Record<CountedId, bigint>): readonly StateChange[] {
  const counted = countedId(event);
  if (!counted) return [];
  const { of, id } = counted;
  const from = next[of];
  next[of] = most(from, id + 1n);
  if (id <= from) return [];
  const row = { kind: 'gap', of, from, to: id - 1n } as const;
  return [{ table: 'alarms', id: `gap/${of}/${from}`, row }];
}

function countedId(event: ChainEvent): { of: CountedId; id: bigint } | undefined {
  if (event.kind === 'node-registered') return { of: 'node', id: event.nodeId };
  if (event.kind === 'task-registered') return { of: 'task', id: event.taskId };
  if (event.kind === 'stack-created') return { of: 'stack', id: event.stackId };
  return undefined;
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ChainEvent } from '../../domain/chain-event.ts';
import { nodeSmallId, stackSmallId, taskSmallId } from '../../domain/chain-ids.ts';
import { encodeEvent, eventName } from '../bcs/events.ts';
import type { LedgerEvent } from '../full-node.ts';
import { owner, types } from '../testing/following.ts';
import { liveOn } from '../testing/history.ts';
import { addressOf, definingPackage, TestLedger } from '../testing/ledger.ts';
import { createRandom } from '../testing/random.ts';
import { isPruned, nextStep, takePass } from './plan.ts';
import { type ChainState, emptyState, type Progress } from './state.ts';

const progress: Progress = {
  covered: 9n,
  position: undefined,
  cursor: undefined,
  next: { node: 1n, task: 1n, stack: 1n },
  status: { kind: 'following' },
};

function emitted(event: ChainEvent, checkpoint: bigint, index = 0): LedgerEvent {
  return {
    type: `${definingPackage}::db::${eventName(event.kind)}`,
    contents: encodeEvent(event),
    transactionDigest: `tx-${checkpoint}`,
    position: { checkpoint, transaction: 0n, event: index },
  };
}

const register = (nodeId: bigint): ChainEvent => ({
  kind: 'node-registered',
  badgeId: addressOf(nodeId),
  nodeId: nodeSmallId(nodeId),
});

function take(events: readonly LedgerEvent[], from = progress, state: ChainState = emptyState()) {
  const pass = {
    items: events,
    cursor: Uint8Array.of(1),
    covered: events.at(-1)?.position.checkpoint,
    end: 'checkpoint-bound' as const,
    failure: undefined,
  };
  return { ...takePass({ state, progress: from, pass, provider: 'one', types, owner }), state };
}

describe('the next step', () => {
  it('reads from what is covered up to the height', () => {
    const view = { height: 15n, lowestCheckpoint: 0n };
    expect(nextStep(progress, view)).toEqual({ kind: 'read', range: { start: 10n, end: 16n } });
  });

  it.each([9n, 3n])('is none at height %i', (height) => {
    expect(nextStep(progress, { height, lowestCheckpoint: 0n })).toEqual({ kind: 'idle' });
  });

  it('stands still where history may be gone', () => {
    const view = { height: 15n, lowestCheckpoint: 10n };
    expect(nextStep(progress, view)).toEqual({ kind: 'pruned', start: 10n, lowest: 10n });
    expect(isPruned(10n, { ...view, lowestCheckpoint: 9n })).toBe(false);
    expect(isPruned(0n, { ...view, lowestCheckpoint: 0n })).toBe(false);
  });
});

describe('a pass', () => {
  it('moves rows, position, cursor and coverage together', () => {
    const { changes, progress: moved } = take([emitted(register(1n), 12n)]);
    expect(changes).toEqual([
      { table: 'nodes', id: '1', row: { nodeId: 1n, badgeId: addressOf(1) } },
    ]);
    expect(moved).toEqual({
      covered: 12n,
      position: { checkpoint: 12n, transaction: 0n, event: 0 },
      cursor: { provider: 'one', bytes: Uint8Array.of(1) },
      next: { node: 2n, task: 1n, stack: 1n },
      status: { kind: 'following' },
    });
  });

  it('passes over what was taken in before', () => {
    const events = [emitted(register(1n), 12n, 0), emitted(register(2n), 12n, 1)];
    const first = take(events.slice(0, 1));
    const again = take(events, first.progress, first.state);
    expect(again.changes.map(({ id }) => id)).toEqual(['2']);
    expect(take(events, again.progress, again.state).changes).toEqual([]);
  });

  it('never lets coverage fall', () => {
    expect(take([]).progress.covered).toBe(9n);
    expect(take([emitted(register(1n), 5n)]).progress.covered).toBe(9n);
  });

  it('tells a hole in the ids', () => {
    const { changes, progress: moved } = take([
      emitted(register(1n), 10n),
      emitted(register(4n), 11n),
      emitted(register(3n), 12n),
    ]);
    const alarms = changes.filter(({ table }) => table === 'alarms');
    const row = { kind: 'gap', of: 'node', from: 2n, to: 3n };
    expect(alarms).toEqual([{ table: 'alarms', id: 'gap/node/2', row }]);
    expect(moved.next.node).toBe(5n);
  });

  it('keeps poison as it came, and goes on', () => {
    const broken = { ...emitted(register(1n), 10n), contents: Uint8Array.of(1, 2) };
    const { changes, progress: moved } = take([broken, emitted(register(1n), 11n)]);
    expect(changes).toMatchObject([
      { table: 'alarms', id: 'poison/tx-10/0', row: { kind: 'poison', contents: broken.contents } },
      { table: 'nodes', id: '1' },
    ]);
    expect(moved.covered).toBe(11n);
  });

  it('ignores a stack that another package pretends to have made for us', () => {
    const event: ChainEvent = {
      kind: 'stack-created',
      badgeId: addressOf(1),
      stackId: stackSmallId(1n),
      owner,
      taskId: taskSmallId(1n),
      nodeId: nodeSmallId(1n),
      units: 1n,
      pricePerMillion: 1n,
    };
    const real = emitted(event, 10n);
    const type = `${addressOf(0xbad)}::db::StackCreatedEvent`;
    expect(take([{ ...real, type }]).changes).toEqual([]);
    expect(take([real]).changes).toHaveLength(1);
  });

  it('applied again from anywhere ends in the same state', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(59), (seed, from) => {
        const ledger = new TestLedger();
        const life = { ledger, random: createRandom(seed), owner, mayDelete: true };
        for (let checkpoint = 0; checkpoint < 60; checkpoint += 1) liveOn(life);
        const { state } = take(ledger.events);
        const once = structuredClone(state);
        const suffix = ledger.events.filter(({ position }) => position.checkpoint > from);
        take(suffix, progress, state);
        expect(state).toEqual(once);
      }),
      { numRuns: 50 },
    );
  });
});

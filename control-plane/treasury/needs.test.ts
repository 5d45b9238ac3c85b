import { describe, expect, it } from 'vitest';
import { microUsdc } from '../../chain/costs.ts';
import { emptyState, subscriptionId } from '../../chain/indexer/state.ts';
import type { EndedOperation } from '../../chain/keeper/operation.ts';
import { nodeSmallId, stackSmallId, taskSmallId } from '../../domain/chain-ids.ts';
import { type NeedsInput, toNeeds } from './needs.ts';

const ids = (task: bigint, node: bigint) => ({
  taskId: taskSmallId(task),
  nodeId: nodeSmallId(node),
});

/** Two nodes, both subscribed to one task, which is served as `m`. */
function rowsOf({ models = ['m'] }: { models?: readonly string[] } = {}) {
  const rows = emptyState();
  for (const node of [1n, 2n]) {
    rows.nodes.set(String(node), { nodeId: nodeSmallId(node), badgeId: undefined });
  }
  for (const [index, model] of models.entries()) {
    const taskId = taskSmallId(BigInt(index + 1));
    const kind = { role: 0, model, securityLevel: 1, reputationMin: 0 };
    rows.tasks.set(String(taskId), { taskId, ...kind, deprecatedAtEpoch: undefined });
    for (const node of [1n, 2n]) {
      const row = { ...ids(taskId, node), pricePerMillion: 10n * node, unitsMax: 1_000_000n };
      rows.subscriptions.set(subscriptionId(row), row);
    }
  }
  return rows;
}

function addStack(rows: ReturnType<typeof rowsOf>, stack: { id: bigint; node: bigint }): void {
  const stackId = stackSmallId(stack.id);
  const money = { units: 1_000_000n, pricePerMillion: 10n };
  const row = { stackId, ...ids(1n, stack.node), ...money, standing: 'open' as const };
  rows.stacks.set(String(stackId), row);
}

const bought = (stack: bigint): EndedOperation => ({
  kind: 'bought',
  id: 'one',
  startedMs: 1,
  endedMs: 2,
  order: { taskId: taskSmallId(1n), units: 5n, pricePerMillion: 10n, cost: microUsdc(1n) },
  stackId: stackSmallId(stack),
  nodeId: nodeSmallId(1n),
  digest: 'digest',
  paid: microUsdc(1n),
});

const needsOf = (input: Partial<NeedsInput> & Pick<NeedsInput, 'rows'>) =>
  toNeeds({
    isReachable: () => true,
    isTrusted: () => true,
    used: new Map(),
    closed: new Set(),
    unitsPerHour: new Map(),
    ended: [],
    ...input,
  });

describe('what is needed', () => {
  it('counts the open stacks on nodes that can be reached, with their use', () => {
    const rows = rowsOf();
    addStack(rows, { id: 7n, node: 1n });
    addStack(rows, { id: 8n, node: 2n });
    const [need] = needsOf({
      rows,
      isReachable: (node) => node === 1n,
      used: new Map([[stackSmallId(7n), 300n]]),
    });
    expect(need?.stacks).toEqual([{ units: 1_000_000n, used: 300n }]);
  });

  it('counts no stack of a node that serves the task no more', () => {
    const rows = rowsOf();
    addStack(rows, { id: 7n, node: 1n });
    rows.subscriptions.delete(subscriptionId(ids(1n, 1n)));
    expect(needsOf({ rows })[0]?.stacks).toEqual([]);
  });

  it('counts no stack that its node refuses for good', () => {
    const rows = rowsOf();
    addStack(rows, { id: 7n, node: 1n });
    expect(needsOf({ rows, closed: new Set([stackSmallId(7n)]) })[0]?.stacks).toEqual([]);
  });

  it('counts a stack that was bought a moment ago, and counts it once', () => {
    const rows = rowsOf();
    const ended = [bought(7n)];
    expect(needsOf({ rows, ended })[0]?.stacks).toEqual([{ units: 5n, used: 0n }]);
    addStack(rows, { id: 7n, node: 1n });
    expect(needsOf({ rows, ended })[0]?.stacks).toEqual([{ units: 1_000_000n, used: 0n }]);
  });

  it('wants stacks only of nodes that can be reached and are trusted', () => {
    const [need] = needsOf({ rows: rowsOf(), isTrusted: (node) => node === 2n });
    expect(need?.asks.map(({ isAcceptable }) => isAcceptable)).toEqual([false, true]);
    const [lonely] = needsOf({ rows: rowsOf(), isReachable: () => false });
    expect(lonely?.asks.map(({ isAcceptable }) => isAcceptable)).toEqual([false, false]);
  });

  it('shares a model’s use among its tasks, rounded up', () => {
    const needs = needsOf({
      rows: rowsOf({ models: ['m', 'm'] }),
      unitsPerHour: new Map([['m', 7n]]),
    });
    expect(needs.map(({ unitsPerHour }) => unitsPerHour)).toEqual([4n, 4n]);
  });
});

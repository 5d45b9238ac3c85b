/** What each served task has and lacks, from the chain's rows, our own count and what nodes can be reached. Pure. */
import { type ChainState, type Rows, subscriptionId } from '../../chain/indexer/state.ts';
import type { EndedOperation } from '../../chain/keeper/operation.ts';
import type { LiveStack, TaskNeed } from '../../chain/keeper/plan.ts';
import type { NodeSmallId, StackSmallId } from '../../domain/chain-ids.ts';
import { judgeTasks, type ServedTask } from '../discovery/chain-tasks.ts';

export type NeedsInput = {
  readonly rows: Pick<ChainState, 'nodes' | 'tasks' | 'subscriptions' | 'stacks' | 'claims'>;
  /** Whether requests could be sent to the node now. */
  readonly isReachable: (nodeId: NodeSmallId) => boolean;
  /** Whether its stacks are worth buying. */
  readonly isTrusted: (nodeId: NodeSmallId) => boolean;
  /** Units used of each stack, by our own count. */
  readonly used: ReadonlyMap<StackSmallId, bigint>;
  /** Stacks of which nothing more can be used. */
  readonly closed: ReadonlySet<StackSmallId>;
  /** By model. */
  readonly unitsPerHour: ReadonlyMap<string, bigint>;
  /** Purchases of late; the rows may not tell of their stacks yet. */
  readonly ended: readonly EndedOperation[];
};

/** One for each task that is served, in the order of their ids. */
export function toNeeds(input: NeedsInput): readonly TaskNeed[] {
  const served = [...judgeTasks(input.rows.tasks.values()).served.values()];
  const byModel = Map.groupBy(served, ({ model }) => model);
  return served.map((task): TaskNeed => {
    const { taskId, model } = task;
    const sharing = BigInt(byModel.get(model)?.length ?? 1);
    const perHour = input.unitsPerHour.get(model) ?? 0n;
    return {
      taskId,
      securityLevel: input.rows.tasks.get(String(taskId))?.securityLevel ?? 0,
      isDeprecated: false,
      // Tasks of one model share its use.
      unitsPerHour: (perHour + sharing - 1n) / sharing,
      stacks: [...liveStacks(task, input), ...unseenStacks(task, input)],
      asks: asksFor(task, input),
    };
  });
}

const belongsTo =
  ({ taskId }: ServedTask) =>
  (row: Pick<Rows['stacks'], 'taskId'>) =>
    row.taskId === taskId;

function liveStacks(
  task: ServedTask,
  { rows, isReachable, used, closed }: NeedsInput,
): LiveStack[] {
  return [...rows.stacks.values()]
    .filter(belongsTo(task))
    .filter(({ stackId, standing }) => standing === 'open' && !closed.has(stackId))
    .filter(({ nodeId }) => isReachable(nodeId))
    .filter(({ nodeId }) => rows.subscriptions.has(subscriptionId({ ...task, nodeId })))
    .map(({ stackId, units }) => ({ units, used: used.get(stackId) ?? 0n }));
}

/** Bought, and not in the rows yet: without them the same runway would be bought twice. */
function unseenStacks({ taskId }: ServedTask, { rows, ended }: NeedsInput): LiveStack[] {
  return ended.flatMap((operation) => {
    if (operation.kind !== 'bought' || operation.order.taskId !== taskId) return [];
    const id = String(operation.stackId);
    if (rows.stacks.has(id) || rows.claims.has(id)) return [];
    return [{ units: operation.order.units, used: 0n }];
  });
}

function asksFor(task: ServedTask, { rows, isReachable, isTrusted }: NeedsInput): TaskNeed['asks'] {
  return [...rows.subscriptions.values()]
    .filter(belongsTo(task))
    .map(({ nodeId, pricePerMillion, unitsMax }) => ({
      nodeId,
      pricePerMillion,
      unitsMax,
      isAcceptable: rows.nodes.has(String(nodeId)) && isReachable(nodeId) && isTrusted(nodeId),
    }));
}

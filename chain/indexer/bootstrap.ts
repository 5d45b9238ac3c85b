/**
 * The state of the contract read from its objects, from a noted height on: old events may be in no index any more. The
 * pages are not one snapshot; the events after that height, applied over them, make them agree.
 */
import type { NodeSmallId, StackSmallId, SuiAddress, TaskSmallId } from '../../domain/chain-ids.ts';
import type { AtomaDatabase, NodeEntry, StackEntry, Task } from '../../domain/chain-object.ts';
import type { FullNode, Row } from '../full-node.ts';
import {
  type ChainState,
  type KnownStack,
  type NodeKey,
  type Progress,
  type StateChange,
  subscriptionId,
} from './state.ts';

type Reader = { readonly fullNode: FullNode; readonly signal: AbortSignal };

/** Reads everything; what only events tell, badges and later keys, is kept from `known`. */
export async function readChain(
  options: Reader & { owner: SuiAddress; known: ChainState },
): Promise<{ progress: Progress; changes: readonly StateChange[] }> {
  const { fullNode, signal, owner, known } = options;
  // Noted first: nothing that happens while the objects are read is missed.
  const { height } = await fullNode.view(signal);
  const { database } = await fullNode.database(signal);
  const changes = [
    ...(await readNodes({ fullNode, signal, database, known })),
    ...(await readTasks({ fullNode, signal, database })),
    ...(await readStacks({ fullNode, signal, database, owner })),
    rotationOf(database),
  ];
  const { nextNodeId: node, nextTaskId: task, nextStackId: stack } = database;
  const progress: Progress = {
    covered: height,
    position: undefined,
    cursor: undefined,
    next: { node, task, stack },
    status: { kind: 'following' },
  };
  return { progress, changes };
}

function rotationOf({ rotation, nonce }: AtomaDatabase): StateChange {
  return { table: 'rotation', id: 'current', row: { rotation, nonce } };
}

async function readNodes(
  options: Reader & { database: AtomaDatabase; known: ChainState },
): Promise<StateChange[]> {
  const { fullNode, signal, database, known } = options;
  const changes: StateChange[] = [];
  for await (const page of fullNode.nodes(database.nodes, signal)) {
    for (const { id: nodeId, value } of page) {
      const id = String(nodeId);
      const badgeId = known.nodes.get(id)?.badgeId;
      changes.push({ table: 'nodes', id, row: { nodeId, badgeId } });
      const key = keyOf({ id: nodeId, value }, known.keys.get(id));
      if (key) changes.push({ table: 'keys', id, row: key });
    }
  }
  return changes;
}

/** The last event's key stays where the contract has recorded nothing since. */
function keyOf(
  { id: nodeId, value }: Row<NodeSmallId, NodeEntry>,
  known: NodeKey | undefined,
): NodeKey | undefined {
  const { publicKey, keyRotation: rotation, keyEpoch: epoch } = value;
  if (publicKey === undefined || rotation === undefined || epoch === undefined) return undefined;
  if (known?.rotation === rotation && known.epoch === epoch) return known;
  return { nodeId, source: 'stored', publicKey, rotation, epoch };
}

async function readTasks(options: Reader & { database: AtomaDatabase }): Promise<StateChange[]> {
  const { fullNode, signal, database } = options;
  const changes: StateChange[] = [];
  for await (const page of fullNode.tasks(database.tasks, signal)) {
    for (const row of page) {
      changes.push(taskRow(row), ...(await readSubscriptions({ fullNode, signal, row })));
    }
  }
  return changes;
}

type TaskRow = Row<TaskSmallId, Task>;

function taskRow({ id: taskId, value }: TaskRow): StateChange {
  const { role, model, securityLevel, reputationMin, isDeprecated } = value;
  // A deprecated task always has an epoch; should it not, it must not look alive.
  const deprecatedAtEpoch = value.deprecatedAtEpoch ?? (isDeprecated ? 0n : undefined);
  const row = { taskId, role, model, securityLevel, reputationMin, deprecatedAtEpoch };
  return { table: 'tasks', id: String(taskId), row };
}

async function readSubscriptions(options: Reader & { row: TaskRow }): Promise<StateChange[]> {
  const { fullNode, signal, row } = options;
  const taskId = row.id;
  const changes: StateChange[] = [];
  for await (const page of fullNode.subscriptions(row.value.subscriptions, signal)) {
    for (const { id: nodeId, value } of page) {
      const { pricePerMillion, unitsMax } = value;
      const subscription = { taskId, nodeId, pricePerMillion, unitsMax };
      const id = subscriptionId(subscription);
      changes.push({ table: 'subscriptions', id, row: subscription });
    }
  }
  return changes;
}

async function readStacks(
  options: Reader & { database: AtomaDatabase; owner: SuiAddress },
): Promise<StateChange[]> {
  const { fullNode, signal, database, owner } = options;
  const settling = new Set<StackSmallId>();
  for await (const page of fullNode.settlingStacks(database.settlementTickets, signal)) {
    for (const stackId of page) settling.add(stackId);
  }
  const changes: StateChange[] = [];
  for await (const page of fullNode.stacks(database.stacks, signal)) {
    const own = page.filter(({ value }) => value.owner === owner);
    changes.push(...own.map((row) => stackRow(row, settling)));
  }
  return changes;
}

function stackRow(
  { id: stackId, value }: Row<StackSmallId, StackEntry>,
  settling: ReadonlySet<StackSmallId>,
): StateChange {
  const { taskId, nodeId, units, pricePerMillion, isClaimed } = value;
  const unclaimed = settling.has(stackId) ? 'frozen' : 'open';
  const standing: KnownStack['standing'] = isClaimed ? 'claimed' : unclaimed;
  const row = { stackId, taskId, nodeId, units, pricePerMillion, standing };
  return { table: 'stacks', id: String(stackId), row };
}

/** Typed access to the objects of `atoma::db` during one call. Every row is an object of the ledger and nothing else. */
import { bcs } from '@mysten/sui/bcs';
import { layouts, smallIdLayout } from './atoma-layouts.ts';
import { abort, type MoveContext, objectArgument } from './move-context.ts';
import {
  type FieldName,
  readField,
  readObjectField,
  removeField,
  writeField,
  writeObjectField,
} from './tables.ts';

export type AtomaDb = typeof layouts.AtomaDb.$inferType;
export type Task = typeof layouts.Task.$inferType;
export type NodeEntry = typeof layouts.NodeEntry.$inferType;
type NodePrice = typeof layouts.NodePriceData.$inferType;
export type Stack = typeof layouts.Stack.$inferType;

type SmallIdType = 'NodeSmallId' | 'TaskSmallId' | 'StackSmallId';

export type AtomaState = ReturnType<typeof openAtoma>;

export const inner = (id: bigint) => ({ inner: String(id) });
export const plus = (counter: string, change: bigint) => String(BigInt(counter) + change);

/** Opens the AtomaDb that is the call's first argument. */
export function openAtoma(context: MoveContext) {
  const { draft } = context;
  const dbId = objectArgument(context, 0);
  let db: AtomaDb = layouts.AtomaDb.parse(draft.expect(dbId).contents);
  return {
    db: (): AtomaDb => db,
    update(change: Partial<AtomaDb>): void {
      db = { ...db, ...change };
      draft.write({ ...draft.expect(dbId), contents: layouts.AtomaDb.serialize(db).toBytes() });
    },
    ...createRows(context, db),
    ...createTasks(context, db),
    ...createBadges(context),
    list: createList(context),
  };
}

const typeOf = (context: MoveContext, name: string) => `${context.definingId}::db::${name}`;

const nameOf = (context: MoveContext, type: SmallIdType, id: bigint): FieldName => ({
  type: typeOf(context, type),
  bytes: smallIdLayout.serialize(inner(id)).toBytes(),
});

/** Nodes and stacks, which are rows of plain tables. */
function createRows(context: MoveContext, tables: Pick<AtomaDb, 'nodes' | 'stacks'>) {
  const { draft } = context;
  const { nodes, stacks } = tables;
  const nodeRow = (id: bigint) => ({ parent: nodes.id, name: nameOf(context, 'NodeSmallId', id) });
  const stackRow = (id: bigint) => ({
    parent: stacks.id,
    name: nameOf(context, 'StackSmallId', id),
  });
  return {
    node(id: bigint): NodeEntry | undefined {
      const bytes = readField(draft, nodeRow(id));
      return bytes && layouts.NodeEntry.parse(bytes);
    },
    putNode(id: bigint, entry: NodeEntry): void {
      const bytes = layouts.NodeEntry.serialize(entry).toBytes();
      writeField(draft, nodeRow(id), { type: typeOf(context, 'NodeEntry'), bytes });
    },
    stack(id: bigint): Stack | undefined {
      const bytes = readField(draft, stackRow(id));
      return bytes && layouts.Stack.parse(bytes);
    },
    putStack(id: bigint, stack: Stack): void {
      const bytes = layouts.Stack.serialize(stack).toBytes();
      writeField(draft, stackRow(id), { type: typeOf(context, 'Stack'), bytes });
    },
  };
}

/** Tasks, which are objects in an object table, and the prices in the table of each. */
function createTasks(context: MoveContext, { tasks }: Pick<AtomaDb, 'tasks'>) {
  const { draft } = context;
  const taskRow = (id: bigint) => ({ parent: tasks.id, name: nameOf(context, 'TaskSmallId', id) });
  const priceRow = (task: Task, node: bigint) => ({
    parent: task.subscribedNodes.id,
    name: nameOf(context, 'NodeSmallId', node),
  });
  return {
    /** A task that is not there ends the call. */
    task(id: bigint): Task {
      const objectId = readObjectField(draft, taskRow(id));
      if (objectId === undefined) return abort(context, 17);
      return layouts.Task.parse(draft.expect(objectId).contents);
    },
    putNewTask(id: bigint, task: Task): void {
      const contents = layouts.Task.serialize(task).toBytes();
      const type = typeOf(context, 'Task');
      writeObjectField(draft, taskRow(id), {
        id: task.id,
        type,
        contents,
        hasPublicTransfer: true,
      });
    },
    putTask(task: Task): void {
      const contents = layouts.Task.serialize(task).toBytes();
      draft.write({ ...draft.expect(task.id), contents });
    },
    subscription(task: Task, node: bigint): NodePrice | undefined {
      const bytes = readField(draft, priceRow(task, node));
      return bytes && layouts.NodePriceData.parse(bytes);
    },
    putSubscription(task: Task, node: bigint, price: NodePrice): void {
      const bytes = layouts.NodePriceData.serialize(price).toBytes();
      writeField(draft, priceRow(task, node), { type: typeOf(context, 'NodePriceData'), bytes });
    },
    removeSubscription(task: Task, node: bigint): void {
      removeField(draft, priceRow(task, node));
    },
  };
}

/** Badges, and the marks by which a node's badge remembers its subscriptions. */
function createBadges(context: MoveContext) {
  const { draft } = context;
  const mark = (badge: string, task: bigint) => ({
    parent: badge,
    name: nameOf(context, 'TaskSmallId', task),
  });
  return {
    isMarked: (badge: string, task: bigint) => readField(draft, mark(badge, task)) !== undefined,
    mark(badge: string, task: bigint): void {
      writeField(draft, mark(badge, task), { type: 'bool', bytes: Uint8Array.of(1) });
    },
    unmark(badge: string, task: bigint): void {
      removeField(draft, mark(badge, task));
    },
    /** Makes a badge for the sender; returns its id. */
    issueBadge(name: 'NodeBadge' | 'TaskBadge' | 'StackBadge', smallId: bigint): string {
      const id = draft.freshId();
      draft.write({
        id,
        owner: { kind: 'address', address: context.sender },
        type: typeOf(context, name),
        contents: layouts.Badge.serialize({ id, smallId: inner(smallId) }).toBytes(),
        hasPublicTransfer: true,
      });
      return id;
    },
  };
}

/** The TableVec of a task's subscribers. */
function createList(context: MoveContext) {
  const { draft } = context;
  const type = typeOf(context, 'NodeSmallId');
  const placeOf = (task: Task, index: bigint) => ({
    parent: task.subscribedNodesList.contents.id,
    name: { type: 'u64', bytes: bcs.u64().serialize(index).toBytes() },
  });
  const lengthOf = (task: Task) => BigInt(task.subscribedNodesList.contents.size);
  const resized = (task: Task, change: bigint): Task => {
    const { contents } = task.subscribedNodesList;
    const size = plus(contents.size, change);
    return { ...task, subscribedNodesList: { contents: { ...contents, size } } };
  };
  function at(task: Task, index: bigint): bigint {
    const bytes = readField(draft, placeOf(task, index));
    if (!bytes) throw new Error(`a list of ${lengthOf(task)} has no item ${index}`);
    return BigInt(smallIdLayout.parse(bytes).inner);
  }
  function put(task: Task, index: bigint, node: bigint): void {
    const bytes = smallIdLayout.serialize(inner(node)).toBytes();
    writeField(draft, placeOf(task, index), { type, bytes });
  }
  return {
    lengthOf,
    at,
    push(task: Task, node: bigint): Task {
      put(task, lengthOf(task), node);
      return resized(task, 1n);
    },
    /** Puts the last item in the place of the removed one. */
    swapRemove(task: Task, index: bigint): Task {
      const last = lengthOf(task) - 1n;
      if (index !== last) put(task, index, at(task, last));
      removeField(draft, placeOf(task, last));
      return resized(task, -1n);
    },
  };
}

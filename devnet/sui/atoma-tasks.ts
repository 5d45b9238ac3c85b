/** What the manager and task owners call, and the key rotation of the network. */
import { bcs } from '@mysten/sui/bcs';
import { eventLayouts } from './atoma-layouts.ts';
import { readBadge } from './atoma-nodes.ts';
import { inner, openAtoma, plus, type Task } from './atoma-state.ts';
import { abort, emit, type MoveContext, pureArgument } from './move-context.ts';

const roleMax = 7;
const securityLevelMax = 2;
const reputationMax = 100;

export function createTaskEntry(context: MoveContext): void {
  const atoma = openAtoma(context);
  const db = atoma.db();
  const role = pureArgument(context, { index: 2, layout: bcs.u16() });
  const modelName = pureArgument(context, { index: 3, layout: bcs.option(bcs.string()) });
  const level = pureArgument(context, { index: 4, layout: bcs.option(bcs.u16()) }) ?? 0;
  const reputation = pureArgument(context, { index: 5, layout: bcs.option(bcs.u8()) });
  const isPublic = pureArgument(context, { index: 6, layout: bcs.bool() });
  if (role > roleMax) abort(context, 35);
  if (level > securityLevelMax) abort(context, 36);
  if ((reputation ?? 0) > reputationMax) abort(context, 43);

  const taskId = BigInt(db.nextTask.inner);
  const fresh = () => ({ id: context.draft.freshId(), size: '0' });
  const common = {
    role: { inner: role },
    modelName,
    securityLevel: { inner: level },
  };
  atoma.putNewTask(taskId, {
    id: context.draft.freshId(),
    ...common,
    isDeprecated: false,
    deprecatedAtEpoch: null,
    subscribedNodes: fresh(),
    subscribedNodesList: { contents: fresh() },
    minimumReputation: { inner: reputation ?? 0 },
    isPublic,
    whitelistedNodes: [],
  });
  const tasks = { ...db.tasks, size: plus(db.tasks.size, 1n) };
  atoma.update({ nextTask: inner(taskId + 1n), tasks });
  const badge = atoma.issueBadge('TaskBadge', taskId);
  const minimumReputation = reputation === null ? null : { inner: reputation };
  const event = { badge, task: inner(taskId), ...common, minimumReputation };
  emit(context, eventLayouts.TaskRegisteredEvent, event);
}

export function deprecateTask(context: MoveContext): void {
  const atoma = openAtoma(context);
  const { node: taskId } = readBadge(context, 1);
  const task: Task = atoma.task(taskId);
  if (task.isDeprecated) abort(context, 34);
  const { epoch } = context;
  atoma.putTask({ ...task, isDeprecated: true, deprecatedAtEpoch: String(epoch) });
  const event = { taskObject: task.id, task: inner(taskId), epoch };
  emit(context, eventLayouts.TaskDeprecationEvent, event);
}

export function newNetworkKeyRotation(context: MoveContext): void {
  const atoma = openAtoma(context);
  const counter = plus(atoma.db().keyRotationCounter, 1n);
  const nonce = String(context.drawU64());
  atoma.update({ keyRotationCounter: counter, nonce });
  emit(context, eventLayouts.NewKeyRotationEvent, { counter, epoch: context.epoch, nonce });
}

/** What nodes call: register, subscribe at a price, leave, publish a key. */
import { bcs } from '@mysten/sui/bcs';
import { eventLayouts, layouts } from './atoma-layouts.ts';
import {
  type AtomaState,
  inner,
  type NodeEntry,
  openAtoma,
  plus,
  type Task,
} from './atoma-state.ts';
import {
  abort,
  abortFieldMissing,
  emit,
  type MoveContext,
  objectArgument,
  pureArgument,
  u64Argument,
} from './move-context.ts';

export const unitsPerStackMax = 1_000_000n;
const reputationAtStart = 50;

export function registerNodeEntry(context: MoveContext): void {
  const atoma = openAtoma(context);
  const db = atoma.db();
  if (db.isRegistrationDisabled) abort(context, 0);
  const node = BigInt(db.nextNode.inner);
  atoma.putNode(node, newEntry(context.epoch));
  const nodes = { ...db.nodes, size: plus(db.nodes.size, 1n) };
  atoma.update({ nextNode: inner(node + 1n), nodes });
  const badge = atoma.issueBadge('NodeBadge', node);
  emit(context, eventLayouts.NodeRegisteredEvent, { badge, node: inner(node) });
}

export function subscribeNodeToTask(context: MoveContext): void {
  const { atoma, badge, node, taskId, price } = openSubscription(context);
  const task = atoma.task(taskId);
  if (task.isDeprecated) abort(context, 15);
  if (atoma.isMarked(badge, taskId)) abort(context, 16);
  if (price === 0n) abort(context, 37);
  const entry = atoma.node(node) ?? abortFieldMissing();
  if (entry.disabledInEpoch !== null) abort(context, 12);
  if (entry.reputation.inner < task.minimumReputation.inner) abort(context, 38);
  const isWhitelisted = task.whitelistedNodes.some(({ inner: id }) => BigInt(id) === node);
  if (!task.isPublic && !isWhitelisted) abort(context, 45);

  atoma.mark(badge, taskId);
  atoma.putSubscription(task, node, priceOf(node, price));
  atoma.putTask(atoma.list.push(resized(task, 1n), node));
  const ids = { task: inner(taskId), node: inner(node) };
  const unitsMax = unitsPerStackMax;
  emit(context, eventLayouts.NodeSubscribedToTaskEvent, { ...ids, price, unitsMax });
}

export function updateNodeSubscription(context: MoveContext): void {
  const { atoma, badge, node, taskId, price } = openSubscription(context);
  const task = atoma.task(taskId);
  if (!atoma.isMarked(badge, taskId)) abort(context, 18);
  if (price === 0n) abort(context, 37);
  atoma.putSubscription(task, node, priceOf(node, price));
  const ids = { task: inner(taskId), node: inner(node) };
  const unitsMax = unitsPerStackMax;
  emit(context, eventLayouts.NodeSubscriptionUpdatedEvent, { ...ids, price, unitsMax });
}

export function unsubscribeNodeFromTask(context: MoveContext): void {
  const atoma = openAtoma(context);
  const { badge, node } = readBadge(context, 1);
  const taskId = u64Argument(context, 2);
  const task = atoma.task(taskId);
  if (task.isDeprecated) abort(context, 15);
  if (!atoma.isMarked(badge, taskId)) abort(context, 18);
  atoma.unmark(badge, taskId);
  atoma.removeSubscription(task, node);
  // The list keeps a stale entry until a draw cleans it.
  atoma.putTask(resized(task, -1n));
  const ids = { task: inner(taskId), node: inner(node) };
  emit(context, eventLayouts.NodeUnsubscribedFromTaskEvent, ids);
}

export function rotateNodePublicKey(context: MoveContext): void {
  const atoma = openAtoma(context);
  const { node } = readBadge(context, 1);
  const bytes = bcs.byteVector();
  const publicKey = pureArgument(context, { index: 2, layout: bytes });
  const evidence = pureArgument(context, { index: 3, layout: bytes });
  const counter = u64Argument(context, 4);
  const deviceType = pureArgument(context, { index: 5, layout: bcs.u16() });
  if (!isDeviceType(deviceType)) abort(context, 48);
  if (counter !== BigInt(atoma.db().keyRotationCounter)) abort(context, 49);
  const entry = atoma.node(node) ?? abortFieldMissing();
  atoma.putNode(node, rotated(context, entry, { publicKey, counter, deviceType }));
  const { epoch } = context;
  const given = { publicKey, deviceType, evidence };
  const event = { epoch, counter, node: inner(node), ...given };
  emit(context, eventLayouts.NodePublicKeyCommittmentEvent, event);
}

function rotated(
  context: MoveContext,
  entry: NodeEntry,
  given: { publicKey: Uint8Array; counter: bigint; deviceType: number },
): NodeEntry {
  const { publicKey, counter, deviceType } = given;
  const updatedEpoch = String(context.epoch);
  const isFirst = entry.rotationCounter === null || BigInt(entry.rotationCounter) < counter;
  if (isFirst) {
    const rotationCounter = String(counter);
    return { ...entry, rotationCounter, updatedEpoch, publicKey, deviceTypes: [deviceType] };
  }
  // A known device only refreshes the epoch: its key is neither compared nor stored.
  if (entry.deviceTypes.includes(deviceType)) return { ...entry, updatedEpoch };
  if (!Buffer.from(entry.publicKey ?? []).equals(publicKey)) abort(context, 50);
  return { ...entry, updatedEpoch, deviceTypes: [...entry.deviceTypes, deviceType] };
}

/** The node of the badge that is this argument. */
export function readBadge(context: MoveContext, index: number) {
  const badge = objectArgument(context, index);
  const { smallId } = layouts.Badge.parse(context.draft.expect(badge).contents);
  return { badge, node: BigInt(smallId.inner) };
}

function openSubscription(context: MoveContext) {
  const atoma: AtomaState = openAtoma(context);
  const taskId = u64Argument(context, 2);
  const price = u64Argument(context, 3);
  return { atoma, ...readBadge(context, 1), taskId, price };
}

const priceOf = (node: bigint, price: bigint) => ({
  node: inner(node),
  price: String(price),
  unitsMax: String(unitsPerStackMax),
});

function resized(task: Task, change: bigint): Task {
  const { subscribedNodes } = task;
  const size = plus(subscribedNodes.size, change);
  return { ...task, subscribedNodes: { ...subscribedNodes, size } };
}

// Intel and AMD and ARM processors, NVIDIA GPUs, NVSwitches.
const isDeviceType = (type: number) => type <= 9999 || (type >= 10_000 && type <= 15_999);

const newEntry = (epoch: bigint): NodeEntry => ({
  disabledInEpoch: null,
  collateral: '0',
  lastFeeEpoch: String(epoch),
  lastFeeEpochAmount: '0',
  availableFeeAmount: '0',
  reputation: { inner: reputationAtStart },
  rotationCounter: null,
  updatedEpoch: null,
  publicKey: null,
  deviceTypes: [],
});

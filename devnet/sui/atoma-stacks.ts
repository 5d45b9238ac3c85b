/** Stacks: bought by callers from a node that is drawn at random, and claimed by that node. */
import { bcs } from '@mysten/sui/bcs';
import { eventLayouts } from './atoma-layouts.ts';
import { readBadge, unitsPerStackMax } from './atoma-nodes.ts';
import {
  type AtomaDb,
  type AtomaState,
  inner,
  openAtoma,
  plus,
  type Stack,
  type Task,
} from './atoma-state.ts';
import {
  abort,
  changeBalance,
  emit,
  type MoveContext,
  mint,
  objectArgument,
  pureArgument,
  toU64,
  u64Argument,
} from './move-context.ts';
import { balanceOf } from './objects.ts';

const confidential = 1;
const sampling = 2;
const perMillion = 1_000_000n;
const perMille = 1000n;

export function acquireNewStackEntry(context: MoveContext): void {
  const atoma = openAtoma(context);
  const wallet = objectArgument(context, 1);
  const taskId = u64Argument(context, 2);
  const units = u64Argument(context, 3);
  const price = u64Argument(context, 4);
  if (units === 0n) abort(context, 39);
  if (price === 0n) abort(context, 37);
  const task = atoma.task(taskId);
  const cost = costOf(atoma.db(), { task, units, price });
  if (balanceOf(context.draft.expect(wallet)) < cost) abort(context, 40);
  const node = drawNode(context, atoma, { task, units, price });

  changeBalance(context.draft, wallet, -cost);
  const db = atoma.db();
  const stackId = BigInt(db.nextStack.inner);
  const owner = context.sender;
  const ids = { node: inner(node), task: inner(taskId) };
  const bought = { price: String(price), units: String(units) };
  atoma.putStack(stackId, { owner, ...bought, ...ids, isClaimed: false });
  atoma.update({
    nextStack: inner(stackId + 1n),
    stacks: { ...db.stacks, size: plus(db.stacks.size, 1n) },
    feeTreasury: plus(db.feeTreasury, cost),
  });
  const badge = atoma.issueBadge('StackBadge', stackId);
  const event = { badge, stack: inner(stackId), owner, ...ids, ...bought };
  emit(context, eventLayouts.StackCreatedEvent, event);
}

export function claimFundsForStacks(context: MoveContext): void {
  const atoma = openAtoma(context);
  const { node } = readBadge(context, 1);
  const layout = bcs.vector(bcs.u64());
  const stackIds = pureArgument(context, { index: 2, layout }).map(BigInt);
  const claims = pureArgument(context, { index: 3, layout }).map(BigInt);
  if (stackIds.length !== claims.length) abort(context, 52);
  for (const [index, stackId] of stackIds.entries()) {
    claim(context, atoma, { node, stackId, units: claims[index] ?? 0n });
  }
}

function claim(
  context: MoveContext,
  atoma: AtomaState,
  claimed: { node: bigint; stackId: bigint; units: bigint },
): void {
  const { node, stackId, units } = claimed;
  const stack: Stack = atoma.stack(stackId) ?? abort(context, 27);
  if (BigInt(stack.node.inner) !== node) abort(context, 54);
  if (atoma.task(BigInt(stack.task.inner)).securityLevel.inner !== confidential) abort(context, 51);
  if (stack.isClaimed) abort(context, 53);
  const price = BigInt(stack.price);
  const left = BigInt(stack.units) - units;
  if (left < 0n) abort(context, 52);
  const fee = toU64(units * price) / perMillion;
  const refund = toU64(left * price) / perMillion;
  const { draft, sender, usdcType: type } = context;
  if (fee > 0n) mint(draft, { type, owner: sender, amount: fee });
  if (refund > 0n) mint(draft, { type, owner: stack.owner, amount: refund });
  atoma.putStack(stackId, { ...stack, isClaimed: true });
  atoma.update({ feeTreasury: plus(atoma.db().feeTreasury, -fee - refund) });
  const event = { stack: inner(stackId), node: inner(node), claimedUnits: units, refund };
  emit(context, eventLayouts.ClaimedStackEvent, event);
}

type Order = { readonly task: Task; readonly units: bigint; readonly price: bigint };

function costOf(db: AtomaDb, { task, units, price }: Order): bigint {
  const plain = toU64(price * units) / perMillion;
  if (task.securityLevel.inner !== sampling) return plain;
  const charge = BigInt(db.samplingChargePermille) + BigInt(db.extraNodesChargePermille);
  return toU64(plain * charge) / perMille;
}

/** Draws uniformly among the list entries that fit; entries of nodes that have left are cleaned up on the way. */
function drawNode(context: MoveContext, atoma: AtomaState, order: Order): bigint {
  let { task } = order;
  if (atoma.list.lengthOf(task) === 0n) abort(context, 21);
  const fitting: bigint[] = [];
  let index = 0n;
  while (index < atoma.list.lengthOf(task)) {
    const node = atoma.list.at(task, index);
    const asked = atoma.subscription(task, node);
    if (asked) {
      const isAffordable = BigInt(asked.price) <= order.price;
      const isRoomy = order.units <= unitsPerStackMax && order.units <= BigInt(asked.unitsMax);
      const isEnabled = atoma.node(node)?.disabledInEpoch === null;
      if (isAffordable && isRoomy && isEnabled) fitting.push(node);
      index += 1n;
    } else {
      task = atoma.list.swapRemove(task, index);
    }
  }
  if (task !== order.task) atoma.putTask(task);
  const drawn = fitting[Number(context.drawU64() % BigInt(Math.max(1, fitting.length)))];
  return drawn ?? abort(context, 22);
}

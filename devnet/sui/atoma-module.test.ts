import { beforeEach, describe, expect, it } from 'vitest';
import { callAtoma, move, upgradeAtoma } from './atoma-deployment.ts';
import { eventLayouts, layouts } from './atoma-layouts.ts';
import { type Chain, createChain } from './chain.ts';
import type { Executed } from './executed.ts';
import { MoveFailure } from './move-failure.ts';
import { balanceOf, coinTypeOf } from './objects.ts';
import { type AtomaWorld, fundBoth, keyOf, setUpAtoma } from './testing.ts';

const buyer = keyOf(9).toSuiAddress();
const publicKey = new Uint8Array(32).fill(7);
let chain: Chain;
let world: AtomaWorld;
let draw: bigint;

beforeEach(() => {
  draw = 0n;
  chain = createChain({ drawU64: () => draw });
  world = setUpAtoma(chain, [1000n, 1500n]);
});

type Values = Parameters<typeof callAtoma>[1][number]['values'];

function call(sender: string, functionName: string, ...values: Values): Executed {
  const { packageId } = world;
  const all = [move.object(world.dbId), ...values];
  const [executed] = callAtoma(chain, [{ sender, packageId, functionName, values: all }]);
  if (!executed) throw new Error('a call makes a transaction');
  return executed;
}

function asNode(index: number, functionName: string, ...values: Values): Executed {
  const { owner = '', badgeId = '' } = world.nodes[index] ?? {};
  return call(owner, functionName, move.object(badgeId), ...values);
}

function codeOf(run: () => unknown): bigint | string {
  try {
    run();
    return 'it runs';
  } catch (error) {
    if (!(error instanceof MoveFailure)) throw error;
    return error.failure.kind === 'abort' ? error.failure.code - 312_012_000n : error.failure.kind;
  }
}

const contents = (executed: Executed) => executed.events[0]?.contents ?? new Uint8Array();
const typeOf = (executed: Executed) => executed.events[0]?.type.split('::').at(-1);

function buy(price = 1500n, units = 1_000_000n): bigint {
  const { usdcCoinId } = fundBoth(chain, buyer, 10_000n);
  const wanted = [move.u64(1n), move.u64(units), move.u64(price), move.random()];
  const bought = call(buyer, 'acquire_new_stack_entry', move.object(usdcCoinId), ...wanted);
  return BigInt(eventLayouts.StackCreatedEvent.parse(contents(bought)).stack.inner);
}

describe('a node', () => {
  it('gets the next small id and a badge', () => {
    const owner = keyOf(30).toSuiAddress();
    const executed = call(owner, 'register_node_entry');
    const { node, badge } = eventLayouts.NodeRegisteredEvent.parse(contents(executed));
    expect(node.inner).toBe('3');
    expect(chain.ledger.store.get(badge)?.owner).toEqual({ kind: 'address', address: owner });
  });

  it('changes its price, with the two ids swapped in the event', () => {
    const executed = asNode(1, 'update_node_subscription', move.u64(1n), move.u64(1700n));
    expect(typeOf(executed)).toBe('NodeSubscriptionUpdatedEvent');
    expect(eventLayouts.NodeSubscriptionUpdatedEvent.parse(contents(executed))).toMatchObject({
      node: { inner: '2' },
      task: { inner: '1' },
      price: '1700',
    });
  });

  it('subscribes once, at a price, to a task that is there', () => {
    const subscribe = (task: bigint, price: bigint) => () =>
      asNode(0, 'subscribe_node_to_task', move.u64(task), move.u64(price));
    expect(codeOf(subscribe(1n, 5n))).toBe(16n);
    expect(codeOf(subscribe(9n, 5n))).toBe(17n);
    asNode(0, 'unsubscribe_node_from_task', move.u64(1n));
    expect(codeOf(subscribe(1n, 0n))).toBe(37n);
    expect(codeOf(subscribe(1n, 5n))).toBe('it runs');
  });

  it('that has left is drawn no more, and is cleaned off the list by the draw', () => {
    asNode(0, 'unsubscribe_node_from_task', move.u64(1n));
    expect(codeOf(() => asNode(0, 'unsubscribe_node_from_task', move.u64(1n)))).toBe(18n);
    expect(codeOf(() => buy(1000n))).toBe(22n);
    asNode(1, 'unsubscribe_node_from_task', move.u64(1n));
    expect(codeOf(() => buy())).toBe(22n);
  });

  it('publishes a key under the current counter only', () => {
    const rotate = (counter: bigint, key = publicKey, device = 300) =>
      asNode(
        0,
        'rotate_node_public_key',
        move.bytes(key),
        move.bytes(Uint8Array.of(1)),
        move.u64(counter),
        move.u16(device),
      );
    const manager = world.managerAddress;
    draw = 77n;
    const badge = move.object(world.managerBadgeId);
    const rotation = call(manager, 'new_network_key_rotation', badge, move.random());
    expect(eventLayouts.NewKeyRotationEvent.parse(contents(rotation))).toMatchObject({
      counter: '1',
      nonce: '77',
    });
    expect(codeOf(() => rotate(0n))).toBe(49n);
    expect(codeOf(() => rotate(1n, publicKey, 20_000))).toBe(48n);
    rotate(1n);
    const other = new Uint8Array(32).fill(8);
    expect(codeOf(() => rotate(1n, other, 301))).toBe(50n);
    // The same device again: the event has the new key, the entry keeps the old one.
    const again = rotate(1n, other);
    const event = eventLayouts.NodePublicKeyCommittmentEvent.parse(contents(again));
    expect(Buffer.from(event.publicKey)).toEqual(Buffer.from(other));
    const entry = again.changes.find(({ after }) => after?.type.endsWith('::db::NodeEntry>'));
    const row = layouts.NodeEntry.parse(entry?.after?.contents.slice(40) ?? new Uint8Array());
    expect(Buffer.from(row.publicKey ?? [])).toEqual(Buffer.from(publicKey));
  });
});

describe('a stack', () => {
  it('is claimed once, by its node, up to what was bought', () => {
    const stack = buy();
    const claim = (index: number, units: bigint) =>
      asNode(index, 'claim_funds_for_stacks', move.u64s([stack]), move.u64s([units]));
    expect(codeOf(() => claim(1, 1n))).toBe(54n);
    expect(codeOf(() => claim(0, 1_000_001n))).toBe(52n);
    const claimed = claim(0, 900_000n);
    expect(eventLayouts.ClaimedStackEvent.parse(contents(claimed))).toMatchObject({
      claimedUnits: '900000',
      refund: '150',
    });
    const coins = claimed.changes.flatMap(({ after }) =>
      after?.type === coinTypeOf(chain.usdcType) ? balanceOf(after) : [],
    );
    expect(new Set(coins)).toEqual(new Set([1350n, 150n]));
    expect(codeOf(() => claim(0, 1n))).toBe(53n);
  });

  it('that nobody sold cannot be claimed', () => {
    const ids = move.u64s([99n]);
    expect(codeOf(() => asNode(0, 'claim_funds_for_stacks', ids, move.u64s([1n])))).toBe(27n);
    expect(codeOf(() => asNode(0, 'claim_funds_for_stacks', ids, move.u64s([])))).toBe(52n);
  });

  it.each([
    { level: 0, price: 1500n, units: 1_000_000n, cost: 1500n },
    { level: 2, price: 1500n, units: 1_000_000n, cost: 1818n },
    { level: 1, price: 999n, units: 1001n, cost: 0n },
  ])('at level $level for $price and $units units costs $cost', (wanted) => {
    const { level: securityLevel, price, units, cost } = wanted;
    const [taskSmallId = 0n] = world.seed.createTasks([{ model: 'other', securityLevel }]);
    const [node] = world.nodes;
    if (node) world.seed.subscribe([{ node, taskSmallId, price }]);
    const { usdcCoinId } = fundBoth(chain, buyer, 10_000n);
    const values = [move.u64(taskSmallId), move.u64(units), move.u64(price), move.random()];
    call(buyer, 'acquire_new_stack_entry', move.object(usdcCoinId), ...values);
    const coin = chain.ledger.store.get(usdcCoinId);
    expect(coin && balanceOf(coin)).toBe(10_000n - cost);
  });

  it('whose price overflows fails on arithmetic', () => {
    expect(codeOf(() => buy(1n << 63n))).toBe('arithmetic');
  });
});

describe('a task', () => {
  it('is deprecated by its badge, once, and takes no more subscribers', () => {
    const badge = chain.ledger.store
      .ownedBy(world.managerAddress)
      .find(({ type }) => type.endsWith('::TaskBadge'));
    const deprecate = () =>
      call(world.managerAddress, 'deprecate_task', move.object(badge?.id ?? ''));
    expect(typeOf(deprecate())).toBe('TaskDeprecationEvent');
    expect(codeOf(deprecate)).toBe(34n);
    const values = [move.u64(1n), move.u64(5n)];
    expect(codeOf(() => asNode(0, 'subscribe_node_to_task', ...values))).toBe(15n);
    expect(codeOf(() => asNode(0, 'unsubscribe_node_from_task', move.u64(1n)))).toBe(15n);
  });

  it('with nobody on its list has no node to draw', () => {
    const { managerAddress: manager, managerBadgeId } = world;
    const [badge, model] = [move.object(managerBadgeId), move.text('lonely')];
    const rest = [move.optionU16(null), move.optionU8(null), move.bool(true)];
    call(manager, 'create_task_entry', badge, move.u16(0), model, ...rest);
    const { usdcCoinId } = fundBoth(chain, buyer, 10n);
    const wanted = [move.u64(2n), move.u64(1n), move.u64(1n), move.random()];
    const coin = move.object(usdcCoinId);
    expect(codeOf(() => call(buyer, 'acquire_new_stack_entry', coin, ...wanted))).toBe(21n);
  });
});

describe('an upgrade', () => {
  it('is called by its own id, and its events keep the type of the first package', () => {
    const packageId = upgradeAtoma(chain, world.packageId);
    const values = [move.object(world.dbId)];
    const sender = keyOf(31).toSuiAddress();
    const [executed] = callAtoma(chain, [
      { sender, packageId, functionName: 'register_node_entry', values },
    ]);
    const [event] = executed?.events ?? [];
    expect(event?.packageId).toBe(packageId);
    expect(event?.type).toBe(`${world.packageId}::db::NodeRegisteredEvent`);
  });
});

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nodeSmallId, suiAddress } from '../../domain/chain-ids.ts';
import { worthOf } from '../../domain/deposit.ts';
import { mortal } from '../../storage/deposit-testing.ts';
import { createPurchases } from '../../storage/purchases.ts';
import { createWithdrawalBook } from '../../storage/withdrawal-book.ts';
import { keepUntilIdle } from '../../test/keeper/keep.ts';
import {
  type Play,
  settings,
  stackPrice,
  stacksForRunway,
  startPlay,
} from '../../test/keeper/play.ts';
import { fatesOf, orderWithdrawals } from '../../test/keeper/withdrawals.ts';
import { startWorld, type World } from '../../test/keeper/world.ts';
import { runwayTarget, unitsLeft } from './plan.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());
beforeEach(() => world.chain.faults.clear());

const nothing = { usdc: 0n, mist: 0n };
const untouched = { owner: 0n, ownerGas: 0n, paid: 0n, withdrawn: 0n, unaccounted: nothing };
const addressOf = ({ address }: { address: string }) => suiAddress(address);
const abortOf = (code: number) => ({
  kind: 'failed',
  missing: 0n,
  failure: { kind: 'abort', module: 'db', code: 312_012_000n + BigInt(code) },
});

async function expectRunway(play: Play): Promise<void> {
  const need = await play.needs();
  expect(unitsLeft(need.stacks)).toBeGreaterThanOrEqual(runwayTarget(need, settings));
}

describe('the keeper', () => {
  it('buys the runway, pays exactly its cost, and leaves the stack owner nothing', async () => {
    const play = await startPlay(world);
    expect(await keepUntilIdle(play)).toEqual({ kind: 'idle', unmet: [] });
    await expectRunway(play);
    expect(await play.ownStacks()).toHaveLength(stacksForRunway);
    expect(play.books()).toEqual({ ...untouched, paid: 2n * stackPrice });
    const bought = { kind: 'bought', paid: stackPrice };
    expect(await play.ended()).toMatchObject([bought, bought]);
  });

  it('lets nothing be signed for callers while a coin is with the stack owner', async () => {
    const play = await startPlay(world);
    const { isUnderWay } = createPurchases(world.redis);
    let seen = 0;
    await keepUntilIdle(play, {
      async beforeStep() {
        if (play.books().owner === 0n) return;
        expect(await isUnderWay(play.stackOwner.address)).toBe(true);
        seen += 1;
      },
    });
    expect(seen).toBe(stacksForRunway);
    expect(await isUnderWay(play.stackOwner.address)).toBe(false);
  });

  it('buys again as the stacks are used', async () => {
    const play = await startPlay(world);
    await keepUntilIdle(play);
    for (const { id } of await play.ownStacks()) play.used.set(id, 900_000n);
    await keepUntilIdle(play);
    await expectRunway(play);
    expect(await play.ownStacks()).toHaveLength(2 * stacksForRunway);
    expect(play.books().unaccounted).toEqual(nothing);
  });

  it('collects what comes to the stack owner, such as refunds', async () => {
    const play = await startPlay(world);
    await keepUntilIdle(play);
    const [stack] = await play.ownStacks();
    if (!(stack && play.seller)) throw new Error('a stack was bought');
    world.seed.claim(play.seller, { stackSmallId: stack.id, units: 0n });
    expect(play.books().owner).toBe(stackPrice);
    await keepUntilIdle(play);
    expect(play.books()).toMatchObject({ owner: 0n, unaccounted: { mist: 0n } });
    expect(await play.ended()).toContainEqual(
      expect.objectContaining({ kind: 'collected', amount: stackPrice }),
    );
  });

  it.each([
    [22, 'a price that rose', { askedPrice: stackPrice + 1n, believed: {} }],
    [21, 'a task without nodes', { askedPrice: undefined, believed: {} }],
    [40, 'a cost above the computed one', { securityLevel: 2, believed: { securityLevel: 1 } }],
  ] as const)('takes the coin back after abort %i: %s', async (code, _what, options) => {
    const asks = [
      {
        nodeId: nodeSmallId(1n),
        pricePerMillion: stackPrice,
        unitsMax: 1_000_000n,
        isAcceptable: true,
      },
    ];
    const play = await startPlay(world, { ...options, believed: { ...options.believed, asks } });
    const step = await keepUntilIdle(play, { waits: 0 });
    expect(step).toMatchObject({ kind: 'idle', unmet: [{ obstacle: 'paused' }] });
    expect(await play.ended()).toMatchObject([abortOf(code)]);
    expect(play.books()).toEqual(untouched);
    expect(await play.ownStacks()).toEqual([]);
  });

  it('begins nothing that the treasury cannot pay', async () => {
    const { usdcType } = world.chain.chain;
    const poor = await startPlay(world, { usdc: stackPrice - 1n });
    expect(await keepUntilIdle(poor)).toEqual({ kind: 'treasury-low', coinType: usdcType });
    expect(poor.books()).toEqual(untouched);
    const dry = await startPlay(world, { mist: 1000n });
    expect(await keepUntilIdle(dry)).toMatchObject({ kind: 'treasury-low' });
    expect(dry.books()).toEqual(untouched);
  });

  it('stays within its budget', async () => {
    const play = await startPlay(world, { settings: { budgetPerHour: 2n * stackPrice - 1n } });
    expect(await keepUntilIdle(play)).toMatchObject({ unmet: [{ obstacle: 'budget' }] });
    expect(play.books().paid).toBe(stackPrice);
    play.clock.ms += 3_600_001;
    expect(await keepUntilIdle(play)).toMatchObject({ unmet: [] });
    expect(play.books().paid).toBe(2n * stackPrice);
  });

  it('refuses one key for both roles', async () => {
    const play = await startPlay(world);
    expect(() => play.startKeeper({ stackOwner: play.treasury })).toThrow('same key');
  });

  it('does nothing on another chain', async () => {
    const play = await startPlay(world);
    world.chain.faults.set({ chainId: '4btiuiMPvEENsttpZC7CZ53DruC3MAgfznDbASZ7DR6S' });
    const keeper = play.startKeeper();
    const lease = await play.store.acquire(1000);
    if (!lease) throw new Error('nobody else keeps');
    const { signal } = new AbortController();
    await expect(keeper.step(lease, signal)).rejects.toMatchObject({ kind: 'wrong-chain' });
    expect(await play.store.load(0)).toMatchObject({ operation: undefined, revision: 0 });
  });
});

describe('a withdrawal', () => {
  /** A keeper that has the lease. */
  async function startStepping(play: Play) {
    const lease = await play.store.acquire(600_000);
    if (!lease) throw new Error('nobody else keeps');
    const keeper = play.startKeeper();
    const { signal } = new AbortController();
    return { step: () => keeper.step(lease, signal), close: () => play.store.release(lease) };
  }

  it('is paid exactly and once, before anything is bought, and counts in no budget', async () => {
    const play = await startPlay(world, { settings: { budgetPerHour: 2n * stackPrice } });
    const orders = await orderWithdrawals(play, [30_000n, 1n, 40_000n]);
    expect(await keepUntilIdle(play)).toEqual({ kind: 'idle', unmet: [] });
    expect(await fatesOf(play, orders)).toEqual(['paid 1 30000', 'paid 1 1', 'paid 1 40000']);
    const withdrawn = 70_001n;
    expect(play.books()).toEqual({ ...untouched, withdrawn, paid: 2n * stackPrice });
    const ended = await play.ended();
    const bought = ended.filter(({ kind }) => kind === 'bought');
    const lastPaidMs = Math.max(
      ...ended.map(({ kind, endedMs }) => (kind === 'paid' ? endedMs : 0)),
    );
    expect(Math.min(...bought.map(({ startedMs }) => startedMs))).toBeGreaterThanOrEqual(
      lastPaidMs,
    );
  });

  it('waits for a treasury that is short, and nothing is bought meanwhile', async () => {
    const { chain } = world;
    const { usdcType } = chain.chain;
    const play = await startPlay(world, { usdc: 10_000n });
    const orders = await orderWithdrawals(play, [10_001n, 5n]);
    const low = { kind: 'treasury-low', coinType: usdcType };
    expect(await keepUntilIdle(play)).toEqual(low);
    expect(await fatesOf(play, orders)).toEqual(['queued 0 10001', 'queued 0 5']);
    expect(play.books()).toEqual(untouched);
    chain.fund(play.treasury.address, 100_000n);
    await keepUntilIdle(play);
    expect(await fatesOf(play, orders)).toEqual(['paid 1 10001', 'paid 1 5']);
    expect(play.books()).toMatchObject({ withdrawn: 10_006n, paid: 2n * stackPrice });
  });

  it('is not sent before a power cut can no more undo that it is known', async () => {
    const play = await startPlay(world);
    const orders = await orderWithdrawals(play, [7n]);
    const { step, close } = await startStepping(play);
    expect(await step()).toEqual({ kind: 'worked' });
    play.clock.ms += 4999;
    expect(await step()).toEqual({ kind: 'in-doubt', operation: 'withdrawing' });
    expect(play.books()).toEqual(untouched);
    play.clock.ms += 1;
    expect(await step()).toEqual({ kind: 'worked' });
    expect(await fatesOf(play, orders)).toEqual(['paid 1 7']);
    await close();
  });

  it('is cancelled while no transaction of it can land, and only then', async () => {
    const play = await startPlay(world);
    const orders = await orderWithdrawals(play, [7n, 8n]);
    const [first, second] = orders.map(({ reference }) => reference);
    if (first === undefined || second === undefined) throw new Error('there are two');
    const { step, close } = await startStepping(play);
    await step();
    expect(await play.withdrawals.cancel(first)).toMatchObject({ state: { kind: 'paying' } });
    expect(await play.withdrawals.cancel(second)).toMatchObject({ state: { kind: 'cancelled' } });
    await close();
    await keepUntilIdle(play);
    expect(await play.withdrawals.cancel(first)).toMatchObject({ state: { kind: 'paid' } });
    expect(await fatesOf(play, orders)).toEqual(['paid 1 7', 'cancelled 0 0']);
    expect(play.books().withdrawn).toBe(7n);
  });

  it('whose transaction died can be cancelled, or is paid by another later', async () => {
    const play = await startPlay(world);
    const orders = await orderWithdrawals(play, [7n, 8n]);
    const { step, close } = await startStepping(play);
    for (const _order of orders) {
      await step();
      play.clock.ms += 5000;
      world.chain.faults.set({ execution: 'lost-first' });
      world.chain.advanceEpoch();
      expect(await step()).toEqual({ kind: 'worked' });
      world.chain.faults.clear();
    }
    await close();
    expect(await fatesOf(play, orders)).toEqual(['queued 0 7', 'queued 0 8']);
    await play.withdrawals.cancel('order-0');
    await keepUntilIdle(play);
    expect(await fatesOf(play, orders)).toEqual(['cancelled 0 0', 'paid 1 8']);
    expect(play.books()).toMatchObject({ withdrawn: 8n, unaccounted: nothing });
  });

  it('to ourselves is never paid', async () => {
    const play = await startPlay(world);
    play.recipients.splice(0, 2, ...[play.treasury, play.stackOwner].map(addressOf));
    const orders = await orderWithdrawals(play, [7n, 8n]);
    await keepUntilIdle(play, { waits: 3 });
    expect(await fatesOf(play, orders)).toEqual(['queued 0 7', 'queued 0 8']);
    expect((await play.ended()).map(({ kind }) => kind)).toEqual(['bought', 'bought']);
  });

  it('whose command died before the money was taken is taken up by the keeper', async () => {
    const play = await startPlay(world);
    const [paid] = await orderWithdrawals(play, [7n]);
    if (!paid) throw new Error('there is one');
    const worth = worthOf(paid.amount);
    await play.accounts.credit({ accountId: paid.accountId, amount: worth, reference: 'more' });
    // It dies once the order is written: after three reads and the note of the treasury.
    const redis = mortal(world.redis, { at: 5, executes: true });
    const id = { chainId: world.ids.chainId, address: addressOf(play.treasury) };
    const dying = createWithdrawalBook({ redis, ...id, accounts: play.accounts });
    const order = { ...paid, reference: 'left-open' };
    await expect(dying.order(order)).rejects.toThrow('dead');
    expect(await fatesOf(play, [order])).toEqual(['proposed 0 7']);
    await keepUntilIdle(play);
    expect(await fatesOf(play, [paid, order])).toEqual(['paid 1 14', 'paid 1 14']);
    expect(play.books().withdrawn).toBe(14n);
  });
});

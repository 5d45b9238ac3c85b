import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { nodeSmallId } from '../../domain/chain-ids.ts';
import { keepUntilIdle } from '../../test/keeper/keep.ts';
import {
  type Play,
  settings,
  stackPrice,
  stacksForRunway,
  startPlay,
} from '../../test/keeper/play.ts';
import { startWorld, type World } from '../../test/keeper/world.ts';
import { runwayTarget, unitsLeft } from './plan.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world.close());
beforeEach(() => world.chain.faults.clear());

const nothing = { usdc: 0n, mist: 0n };
const untouched = { owner: 0n, ownerGas: 0n, paid: 0n, unaccounted: nothing };
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

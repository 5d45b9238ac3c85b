import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { audit } from '../../storage/audit.ts';
import type { Break } from '../../test/keeper/fuse.ts';
import { keepUntilIdle } from '../../test/keeper/keep.ts';
import { type Play, startPlay } from '../../test/keeper/play.ts';
import { expectRunwayOnce, expectSound } from '../../test/keeper/sound.ts';
import { orderWithdrawals } from '../../test/keeper/withdrawals.ts';
import { startWorld, type World } from '../../test/keeper/world.ts';
import { createRandom, type Random } from '../testing/random.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  expect(await audit(world.redis)).toMatchObject({ ok: true, differencePico: 0n, problems: [] });
  await world.close();
});
afterEach(() => world.chain.faults.clear());

const hows = ['before', 'after', 'late', 'very late'] as const;
const losses = ['lost-first', 'lost-before', 'lost-after'] as const;

async function callsOf(options: Parameters<typeof startPlay>[1]): Promise<number> {
  const play = await startPlay(world, options);
  play.fuse.arm(undefined);
  await keepUntilIdle(play, { waits: 0 });
  return play.fuse.calls();
}

async function keepThrough(broken: Break, options: Parameters<typeof startPlay>[1] = {}) {
  const play = await startPlay(world, options);
  play.fuse.arm(broken);
  await keepUntilIdle(play, { waits: 0 });
  return play;
}

describe('a keeper that dies', () => {
  it.each(hows)('at any call, %s its effect, buys nothing twice and loses nothing', async (how) => {
    const calls = await callsOf({});
    expect(calls).toBeGreaterThan(30);
    for (let at = 1; at <= calls; at += 1) {
      const play = await keepThrough({ at, how });
      await expectSound(play);
      await expectRunwayOnce(play);
    }
  });

  it.each(hows)(
    'at any call of a purchase that fails, %s its effect, loses no coin',
    async (how) => {
      const options = { securityLevel: 2, believed: { securityLevel: 1 } };
      const calls = await callsOf(options);
      for (let at = 1; at <= calls; at += 1) {
        const play = await keepThrough({ at, how }, options);
        await expectSound(play);
        expect(await play.ended()).toMatchObject([{ kind: 'failed', missing: 0n }]);
      }
    },
  );

  // Together 100 lives.
  it.each([0, 25, 50, 75])(
    'at random, while executions are lost and epochs end, keeps the books (from seed %i)',
    async (from) => {
      for (let seed = from; seed < from + 25; seed += 1) {
        const random = createRandom(seed);
        const play = await startPlay(world);
        const orders = await orderWithdrawals(play, [20_000n, 1n, 45_000n].slice(seed % 4));
        const beforeStep = async (step: number) => {
          world.chain.faults.clear();
          if (step <= 40) await strike(play, random);
        };
        await keepUntilIdle(play, { beforeStep, waits: 200 });
        world.chain.landHeld();
        await keepUntilIdle(play);
        await expectSound(play, orders);
        await expectRunwayOnce(play);
      }
    },
  );
});

/**
 * Each of a crash, a lost execution, the end of an epoch, the landing of what was held back, and the cancelling of a
 * withdrawal, now and then.
 */
async function strike(play: Play, random: Random): Promise<void> {
  const happens = (chance: number) => random.next() < chance;
  const { chain } = world;
  const how = random.pick(hows);
  const execution = random.pick(losses);
  if (how && happens(0.3)) play.fuse.arm({ at: 1 + random.below(9), how });
  if (execution && happens(0.3)) chain.faults.set({ execution });
  if (happens(0.1)) chain.advanceEpoch();
  if (happens(0.1)) chain.landHeld();
  if (happens(0.05)) await play.withdrawals.cancel(`order-${random.below(3)}`);
}

describe('an execution', () => {
  it.each(losses)('that is %s is sent again with the same bytes', async (execution) => {
    const play = await startPlay(world);
    await keepUntilIdle(play, {
      beforeStep: (step) => world.chain.faults.set({ execution: step % 2 ? execution : 'normal' }),
    });
    await expectSound(play);
    await expectRunwayOnce(play);
    expect((await play.ended()).map(({ kind }) => kind)).toEqual(['bought', 'bought']);
  });

  it('that is held back and lands after its keeper gave up is found', async () => {
    const play = await startPlay(world);
    await keepUntilIdle(play, {
      beforeStep(step) {
        const isHeld = step === 1 || step === 3;
        world.chain.faults.set({ execution: isHeld ? 'lost-before' : 'normal' });
        if (!isHeld) world.chain.landHeld();
      },
    });
    await expectSound(play);
    await expectRunwayOnce(play);
  });

  it('whose epoch ended before it landed is dead, and its coin goes back', async () => {
    const play = await startPlay(world);
    await keepUntilIdle(play, {
      beforeStep(step) {
        world.chain.faults.set({ execution: step === 2 ? 'lost-first' : 'normal' });
        if (step === 2) world.chain.advanceEpoch();
      },
    });
    await expectSound(play);
    await expectRunwayOnce(play);
    expect(await play.ended()).toMatchObject([
      { kind: 'failed', failure: { kind: 'not-landed' } },
      { kind: 'bought' },
      { kind: 'bought' },
    ]);
  });

  it('whose gas was spent by another hand is dead at once', async () => {
    const play = await startPlay(world);
    const lease = await play.store.acquire(60_000);
    if (!lease) throw new Error('nobody else keeps');
    const { signal } = new AbortController();
    const keeper = play.startKeeper();
    await keeper.step(lease, signal);
    const { operation } = await play.store.load(0);
    const [gas] = operation?.sent.inputs.slice(-1) ?? [];
    if (!gas) throw new Error('gas is an input');
    world.chain.chain.change(play.treasury.address, (draft) => draft.touch(gas.objectId));
    await keeper.step(lease, signal);
    expect(await play.ended()).toMatchObject([{ kind: 'failed', failure: { kind: 'not-landed' } }]);
    await play.store.release(lease);
    await keepUntilIdle(play);
    await expectSound(play);
    await expectRunwayOnce(play);
  });

  it('is never given up on the word of a node that has pruned its time', async () => {
    const play = await startPlay(world);
    const lease = await play.store.acquire(60_000);
    if (!lease) throw new Error('nobody else keeps');
    const keeper = play.startKeeper();
    const { signal } = new AbortController();
    await keeper.step(lease, signal);
    world.chain.faults.set({ execution: 'lost-first' });
    world.chain.advanceEpoch();
    for (let seals = 0; seals < 3; seals += 1) world.chain.seal();
    world.chain.prune(world.chain.chain.ledger.history.height());
    expect(await keeper.step(lease, signal)).toEqual({ kind: 'in-doubt', operation: 'funding' });
  });

  it('goes through a restart of the node', async () => {
    const play = await startPlay(world);
    let restarted: Promise<void> | undefined;
    await keepUntilIdle(play, {
      beforeStep(step) {
        if (step === 1) restarted = world.chain.restart(20);
      },
    });
    await restarted;
    await expectSound(play);
    await expectRunwayOnce(play);
  });
});

describe('two keepers', () => {
  it('at once buy no more than one would, whoever holds the lease', async () => {
    const play = await startPlay(world);
    const { signal } = new AbortController();
    const keepers = [play.startKeeper(), play.startKeeper()];
    let lease = await play.store.acquire(60_000);
    const leases = [lease, lease];
    for (let round = 0; round < 40; round += 1) {
      // Both act; now and then the other one takes the lease over, and the first does not know.
      await Promise.all(
        keepers.map(async (keeper, index) => {
          const own = leases[index];
          if (own) await keeper.step(own, signal);
          await sleep(round % 3);
        }),
      );
      if (round % 5 === 4 && lease) {
        await play.store.release(lease);
        lease = await play.store.acquire(60_000);
        leases[round % 2] = lease;
      }
    }
    if (lease) await play.store.release(lease);
    await keepUntilIdle(play);
    await expectSound(play);
    await expectRunwayOnce(play);
  });
});

import { afterAll, beforeAll, expect, it } from 'vitest';
import { audit } from '../../storage/audit.ts';
import { keepUntilIdle } from '../../test/keeper/keep.ts';
import { startPlay } from '../../test/keeper/play.ts';
import { expectSound } from '../../test/keeper/sound.ts';
import { orderWithdrawals } from '../../test/keeper/withdrawals.ts';
import { startWorld, type World } from '../../test/keeper/world.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(async () => {
  expect(await audit(world.redis)).toMatchObject({ ok: true, differencePico: 0n, problems: [] });
  await world.close();
});

const amounts = [30_000n, 45_000n];

/** A treasury that has two withdrawals to pay, and one stack to buy. */
async function startWithdrawing() {
  const play = await startPlay(world, { settings: { runwayUnitsMin: 900_000n } });
  return { play, orders: await orderWithdrawals(play, amounts) };
}

async function callsOfOneLife(): Promise<number> {
  const { play } = await startWithdrawing();
  play.fuse.arm(undefined);
  await keepUntilIdle(play);
  return play.fuse.calls();
}

it.each(['before', 'after', 'late', 'very late'] as const)(
  'a keeper that dies at any call, %s its effect, pays each withdrawal once',
  async (how) => {
    const calls = await callsOfOneLife();
    expect(calls).toBeGreaterThan(50);
    for (let at = 1; at <= calls; at += 1) {
      const { play, orders } = await startWithdrawing();
      play.fuse.arm({ at, how });
      await keepUntilIdle(play);
      await expectSound(play, orders);
      expect(play.books().withdrawn).toBe(75_000n);
      expect(await play.ownStacks()).toHaveLength(1);
    }
  },
);

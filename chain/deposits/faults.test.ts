import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Storage } from '../../storage/storage.ts';
import { openStorage } from '../../storage/testing.ts';
import { ann, bob, type Payments, startPayments } from '../../test/payments.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { until } from '../../test/until.ts';

const fault = fc.record({
  cutStreams: fc.option(
    fc.record({ afterFrames: fc.nat(6), how: fc.constantFrom<'error' | 'end'>('error', 'end') }),
  ),
  indexLagCheckpoints: fc.nat(4),
  scanCheckpointsMax: fc.integer({ min: 1, max: 6 }),
  unavailable: fc.subarray(['LedgerService/GetServiceInfo', 'LedgerService/GetCheckpoint']),
  unimplemented: fc.subarray(['LedgerService/ListTransactions']),
});
const step = fc.record({
  fault,
  pays: fc.array(fc.record({ key: fc.constantFrom(ann, bob), amount: fc.bigInt(1n, 9n) }), {
    maxLength: 3,
  }),
  seals: fc.nat(3),
  restarts: fc.boolean(),
  links: fc.boolean(),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

let redis: TestRedis;
let storage: Storage;
beforeAll(async () => {
  redis = await startRedis();
  storage = await openStorage(redis.url);
}, 30_000);
afterAll(async () => {
  storage.close();
  await redis.stop();
});

/** The chain goes on, the node goes wrong, and Ann may link her wallet. */
async function live({ node, payFreely, link }: Payments, taken: Step, annsAccount: string) {
  for (const { key, amount } of taken.pays) payFreely(key, amount);
  for (let n = 0; n < taken.seals; n += 1) node.seal();
  node.faults.set(taken.fault);
  if (taken.links) await link(ann, annsAccount);
}

describe('following the deposits under faults', () => {
  it('ends with exactly what was paid, with two followers that come and go', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 20 }), async (steps) => {
        const world = await startPayments(storage, { checkpointMs: 0 });
        const [annsAccount, bobsAccount] = [
          await world.accountWith(),
          await world.accountWith(bob),
        ];
        let followers = [world.start(), world.start()];
        for (const taken of steps) {
          await live(world, taken, annsAccount);
          if (!taken.restarts) continue;
          await Promise.all(followers.map((one) => one.stop()));
          followers = [world.start(), world.start()];
        }
        world.node.faults.clear();
        await world.link(ann, annsAccount);
        await world.caughtUp();
        const pays = steps.flatMap((taken) => taken.pays);
        for (const [key, account] of [
          [ann, annsAccount],
          [bob, bobsAccount],
        ] as const) {
          const own = pays.filter((one) => one.key === key);
          const sum = own.reduce((total, { amount }) => total + amount * 1_000_000n, 0n);
          await until('all is credited', async () => (await world.deposited(account)) === sum);
        }
        await world.close();
        expect(await storage.audit()).toMatchObject({ ok: true, differencePico: 0n });
      }),
      { numRuns: 15 },
    );
  });
});

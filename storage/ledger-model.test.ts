import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { least, picoUsd } from '../domain/money.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import type { Storage } from './storage.ts';
import { fundedAccount, openStorage, reserveOrder, settleOrder } from './testing.ts';

// Few ids and amounts, so that duplicates and refusals are common; what is never ended is a crash of its owner.
const id = fc.constantFrom('a', 'b', 'c', 'd');
const amount = fc.oneof(
  fc.bigInt(0n, 30n),
  fc.constantFrom(9_007_199_254_740_993n, 9_000_000_000_000_000_000n),
);
const step = fc.oneof(
  fc.record({ kind: fc.constant('reserve' as const), id, amount, crashed: fc.boolean() }),
  fc.record({ kind: fc.constant('settle' as const), id, amount }),
  fc.record({ kind: fc.constant('release' as const), id }),
  fc.record({ kind: fc.constant('renew' as const), id }),
  fc.record({ kind: fc.constant('expire' as const) }),
  fc.record({ kind: fc.constant('credit' as const), id, amount: fc.bigInt(1n, 40n) }),
  fc.record({ kind: fc.constant('withdraw' as const), id }),
  fc.record({ kind: fc.constant('give-back' as const), id }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A reference always names the same amount. */
const withdrawals: Readonly<Record<string, bigint>> = { a: 1n, b: 5n, c: 12n, d: 25n };
const withdrawalOf = (reference: string) => ({
  reference,
  amount: picoUsd(withdrawals[reference] ?? 0n),
});

const longMs = 600_000;
const never = new AbortController().signal;
const runs = { numRuns: 40 };

let server: TestRedis;
let storage: Storage;
let replica: Storage;
beforeAll(async () => {
  server = await startRedis();
  storage = await openStorage(server.url);
  replica = await openStorage(server.url);
}, 30_000);
afterAll(async () => {
  storage.close();
  replica.close();
  await server.stop();
});

/** Takes a step; true where it ended a reservation. */
async function take(over: Storage, accountId: string, one: Step): Promise<boolean> {
  const { ledger } = over;
  switch (one.kind) {
    case 'reserve': {
      const leaseMs = one.crashed ? 0 : longMs;
      const order = { accountId, requestId: one.id, amount: picoUsd(one.amount), leaseMs };
      await ledger.reserve(reserveOrder(order));
      return false;
    }
    case 'settle':
      return (await ledger.settle(settleOrder({ accountId, requestId: one.id, cost: one.amount })))
        .resolved;
    case 'release':
      return (await ledger.release(settleOrder({ accountId, requestId: one.id }))).resolved;
    case 'renew':
      await ledger.renew({ accountId, requestId: one.id, leaseMs: longMs });
      return false;
    case 'expire':
      return (await over.sweeper.sweep(never)).expiredReservations > 0;
    case 'credit': {
      const deposit = { accountId, amount: picoUsd(one.amount), reference: one.id };
      await over.accounts.credit(deposit);
      return false;
    }
    case 'withdraw':
      await over.accounts.withdraw({ accountId, ...withdrawalOf(one.id) });
      return false;
    case 'give-back':
      await over.accounts.giveBack({ accountId, ...withdrawalOf(one.id) });
      return false;
  }
}

/** What a ledger is, in a few lines of bigint. */
function createModel() {
  let [available, settled, deposited] = [picoUsd(0n), 0n, 0n];
  const open = new Map<string, { held: bigint; overdue: boolean }>();
  const credits = new Set<string>();
  /** Whether the money of a withdrawal is out of the account; once it is not, it stays. */
  const outside = new Map<string, boolean>();
  const end = (requestId: string, cost: bigint) => {
    const held = picoUsd(open.get(requestId)?.held ?? 0n);
    const charged = open.has(requestId) ? least(held, picoUsd(cost)) : 0n;
    open.delete(requestId);
    available = picoUsd(available + held - charged);
    settled += charged;
  };

  function apply(one: Step): void {
    if (one.kind === 'reserve' && !open.has(one.id) && one.amount <= available) {
      available = picoUsd(available - one.amount);
      open.set(one.id, { held: one.amount, overdue: one.crashed });
    }
    if (one.kind === 'settle') end(one.id, one.amount);
    if (one.kind === 'release') end(one.id, 0n);
    if (one.kind === 'credit' && !credits.has(one.id)) {
      credits.add(one.id);
      deposited += one.amount;
      available = picoUsd(available + one.amount);
    }
    moveOut(one);
    touchLeases(one);
  }
  function moveOut({ kind, id: reference }: Step & { readonly id?: string }): void {
    if (reference === undefined) return;
    const { amount: sum } = withdrawalOf(reference);
    if (kind === 'withdraw' && !outside.has(reference)) {
      outside.set(reference, sum <= available);
      if (sum <= available) available = picoUsd(available - sum);
    }
    if (kind !== 'give-back') return;
    if (outside.get(reference)) available = picoUsd(available + sum);
    outside.set(reference, false);
  }
  function touchLeases(one: Step): void {
    const renewed = one.kind === 'renew' ? open.get(one.id) : undefined;
    if (renewed) renewed.overdue = false;
    if (one.kind !== 'expire') return;
    for (const [requestId, { overdue }] of open) if (overdue) end(requestId, 0n);
  }
  return {
    apply,
    balance: () => {
      const reserved = [...open.values()].reduce((total, { held }) => total + held, 0n);
      const withdrawn = [...outside].reduce(
        (total, [reference, isTaken]) => total + (isTaken ? withdrawalOf(reference).amount : 0n),
        0n,
      );
      return { available, reserved, settled, deposited, withdrawn };
    },
  };
}

/** The withdrawals here are of no treasury, which the audit sees. */
async function expectSound(): Promise<void> {
  const { problems } = await storage.audit();
  const bookless = /^withdrawal [a-d] is taken and in no book$/;
  expect(problems.filter((problem) => !bookless.test(problem))).toEqual([]);
}

describe('the ledger', () => {
  it('does what the model does, step by step', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const accountId = await fundedAccount(storage, 0n);
        const model = createModel();
        for (const one of steps) {
          await take(storage, accountId, one);
          model.apply(one);
          expect(await storage.ledger.balance(accountId)).toEqual(model.balance());
        }
      }),
      runs,
    );
    await expectSound();
  });

  it('neither loses nor makes money whatever runs at once', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.array(step, { maxLength: 8 }), { maxLength: 6 }),
        async (all) => {
          const accountId = await fundedAccount(storage, 50n);
          for (const batch of all) {
            const both = batch.flatMap((one) => [
              take(storage, accountId, one),
              take(replica, accountId, one),
            ]);
            await Promise.all(both);
            const balance = await storage.ledger.balance(accountId);
            const { available, reserved, settled, deposited, withdrawn } = balance;
            expect(available + reserved + settled + withdrawn).toBe(deposited);
          }
        },
      ),
      runs,
    );
    // The audit replays the entries: an id that ends twice, or is held twice, is a problem.
    await expectSound();
  });
});

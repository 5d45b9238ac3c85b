import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { microUsdc, worthOf } from '../domain/deposit.ts';
import { redisKinds, startRedis } from '../test/redis.ts';
import { audit } from './audit.ts';
import { mortal, openRedis } from './deposit-testing.ts';
import { accountKeys, treasuryKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { streamEntriesFrom } from './reply.ts';
import { reserveOrder, settleOrder } from './testing.ts';
import {
  keep,
  longMs,
  micro,
  newWorld,
  outsideOf,
  type Parts,
  partsOver,
  treasury,
  withdrawalOf,
} from './withdrawal-testing.ts';

// Few references and amounts, so that the same ones meet, and two accounts want more than they have.
const reference = fc.constantFrom('one', 'two', 'three');
const amounts: Readonly<Record<string, bigint>> = { one: 3n, two: 5n, three: 7n };
const step = fc.oneof(
  fc.record({ kind: fc.constant('order' as const), reference, isFirst: fc.boolean() }),
  fc.record({ kind: fc.constant('cancel' as const), reference }),
  fc.record({ kind: fc.constant('settle' as const) }),
  fc.record({ kind: fc.constant('keep' as const), isPaid: fc.boolean() }),
  fc.record({
    kind: fc.constant('request' as const),
    isFirst: fc.boolean(),
    cost: fc.bigInt(0n, 6n),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
/** At which command the process dies, if it does, and whether Redis executes that one. */
const death = fc.option(fc.record({ at: fc.integer({ min: 1, max: 16 }), executes: fc.boolean() }));
const batch = fc.array(fc.record({ one: step, death }), { maxLength: 6 });

type Owners = { readonly first: string; readonly second: string };

async function take(one: Step, parts: Parts, { first, second }: Owners): Promise<void> {
  switch (one.kind) {
    case 'order': {
      const accountId = one.isFirst ? first : second;
      const amount = amounts[one.reference] ?? 1n;
      await parts.book.order(withdrawalOf(accountId, { reference: one.reference, amount }));
      return;
    }
    case 'cancel':
      await parts.book.cancel(one.reference);
      return;
    case 'settle':
      return parts.book.settle();
    case 'keep':
      return keep(parts, one);
    case 'request': {
      const order = { accountId: one.isFirst ? first : second, requestId: randomUUID() };
      const amount = worthOf(microUsdc(4n));
      await parts.ledger.reserve(reserveOrder({ ...order, amount, leaseMs: longMs }));
      await parts.ledger.settle(settleOrder({ ...order, cost: one.cost * micro }));
    }
  }
}

/** Every withdrawal is paid, or its money is with its account. */
async function expectEnded({ accounts, book }: Parts, owners: Owners): Promise<void> {
  const paid = new Map([
    [owners.first, 0n],
    [owners.second, 0n],
  ]);
  for (const { withdrawal, state } of await book.list()) {
    expect(['paid', 'cancelled', 'refused']).toContain(state.kind);
    const { accountId, amount } = withdrawal;
    if (state.kind === 'paid') paid.set(accountId, (paid.get(accountId) ?? 0n) + worthOf(amount));
  }
  for (const [accountId, withdrawn] of paid) {
    expect((await accounts.get(accountId))?.balance).toMatchObject({ withdrawn });
  }
}

describe.each(redisKinds)('withdrawals over $name', ({ start }) => {
  let server: { url: string; stop(): Promise<void> };
  let redis: Redis;
  let other: Redis;
  beforeAll(async () => {
    server = await start();
    redis = await openRedis(server.url);
    other = await openRedis(server.url);
  }, 30_000);
  afterAll(async () => {
    expect(await audit(redis)).toMatchObject({ ok: true, differencePico: 0n, problems: [] });
    redis.close();
    other.close();
    await server.stop();
  });

  it('are neither lost nor repeated, whoever dies at which command, in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 5 }), async (batches) => {
        const { chainId, first, second, ...world } = await newWorld(redis);
        await world.keeper.acquire(longMs);
        for (const acts of batches) {
          const [report] = await Promise.all([
            audit(redis),
            ...acts.map(async (act, index) => {
              const base = index % 2 === 0 ? redis : other;
              const parts = partsOver(act.death ? mortal(base, act.death) : base, chainId);
              await take(act.one, parts, { first, second }).catch(() => {});
            }),
          ]);
          expect(report.problems).toEqual([]);
        }
        // Whoever comes next repeats what may have been left half done, and pays the rest.
        await world.book.settle();
        for (let steps = 0; steps < 8; steps += 1) await keep(world, { isPaid: true });
        await expectEnded(world, { first, second });
      }),
      { numRuns: 60 },
    );
  });

  /** The command dies, others go on, and it is repeated; returns whether it died. */
  async function dieAndRepeat(kind: 'order' | 'cancel', death: Parameters<typeof mortal>[1]) {
    const { chainId, ...world } = await newWorld(redis);
    const order = withdrawalOf(world.first);
    if (kind === 'cancel') await world.book.order(order);
    const run = ({ book }: Pick<Parts, 'book'>) =>
      kind === 'order' ? book.order(order) : book.cancel(order.reference);
    const isDead = await run(partsOver(mortal(redis, death), chainId)).then(
      () => false,
      () => true,
    );
    await world.book.settle();
    await run(world);
    const state = { kind: kind === 'order' ? 'queued' : 'cancelled' };
    expect(await world.book.find(order.reference)).toMatchObject({ state });
    expect(await outsideOf(world, world.first)).toEqual(kind === 'order' ? [6n, 4n] : [10n, 0n]);
    return isDead;
  }

  it.each([
    ['order', false],
    ['order', true],
    ['cancel', false],
    ['cancel', true],
  ] as const)(
    'survive a death at every single command of %s, executed: %s',
    async (kind, executes) => {
      let at = 1;
      // Until a process lives long enough to finish.
      while (await dieAndRepeat(kind, { at, executes })) at += 1;
      expect(at).toBeGreaterThan(6);
    },
  );
});

describe('the audit', () => {
  it('sees what a book of withdrawals and the ledger do not agree on', async () => {
    const server = await startRedis();
    const redis = await openRedis(server.url);
    try {
      const { chainId, first, second, ...world } = await newWorld(redis);
      const { keeper, book, accounts } = world;
      const keys = treasuryKeys({ chainId, address: treasury });
      await keeper.acquire(longMs);
      for (const name of ['a-paid', 'b-open', 'c-lost']) {
        await book.order(withdrawalOf(first, { reference: name, amount: 2n }));
      }
      await book.order(withdrawalOf(second, { reference: 'd-untaken', amount: 2n }));
      await keep(world, { isPaid: true });
      await keep(world, { isPaid: true });
      const sums = { withdrawn: 8n * micro, paid: 2n * micro, open: 6n * micro };
      expect(await audit(redis)).toMatchObject({ ok: true, withdrawals: sums });

      const returned = { accountId: first, reference: `${chainId}:${treasury}:a-paid` };
      await accounts.giveBack({ ...returned, amount: worthOf(microUsdc(2n)) });
      const bookless = { accountId: second, reference: 'x' };
      await accounts.withdraw({ ...bookless, amount: worthOf(microUsdc(1n)) });
      await redis.send(keys.treasury, ['ZREM', keys.withdrawalQueue, 'c-lost']);
      const { entries } = accountKeys(second);
      // The second one, after the deposit.
      const [, taken] = streamEntriesFrom(await redis.send(entries, ['XRANGE', entries, '-', '+']));
      await redis.send(entries, ['XDEL', entries, taken?.id ?? '']);
      const report = await audit(redis);
      expect(report.ok).toBe(false);
      expect(report.problems).toEqual(
        expect.arrayContaining([
          'withdrawal a-paid is paid and given back',
          'withdrawal c-lost is forgotten',
          'withdrawal x is taken and in no book',
          'withdrawal d-untaken is queued and was not taken from its account',
        ]),
      );
    } finally {
      redis.close();
      await server.stop();
    }
  });
});

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Deposit, depositId, worthOf } from '../domain/deposit.ts';
import { picoUsd } from '../domain/money.ts';
import { redisKinds, startRedis } from '../test/redis.ts';
import { audit } from './audit.ts';
import { depositToJson } from './codecs.ts';
import {
  depositOf,
  mortal,
  newBook,
  openRedis,
  type Parts,
  partsOver,
  wallets,
} from './deposit-testing.ts';
import { depositKeys } from './keys.ts';
import type { Redis } from './redis.ts';

// Few wallets and deposits, so that links and deposits of the same payer meet; the last deposits have no payer.
const payers = [wallets[0], wallets[1], wallets[2], wallets[0], wallets[0], undefined];
const step = fc.oneof(
  fc.record({ kind: fc.constant('record' as const), place: fc.nat(5), settles: fc.boolean() }),
  fc.record({
    kind: fc.constant('link' as const),
    wallet: fc.constantFrom(...wallets),
    isFirst: fc.boolean(),
  }),
  fc.record({ kind: fc.constant('settle' as const) }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
/** At which command the process dies, if it does, and whether Redis executes that one. */
const death = fc.option(fc.record({ at: fc.integer({ min: 1, max: 14 }), executes: fc.boolean() }));
const batch = fc.array(fc.record({ one: step, death }), { maxLength: 6 });

type World = {
  readonly parts: Parts;
  readonly deposits: readonly Deposit[];
  readonly accounts: { readonly first: string; readonly second: string };
};

async function take(one: Step, { parts, deposits, accounts }: World): Promise<void> {
  const { book, link } = parts;
  if (one.kind === 'record') {
    await book.record(deposits.slice(one.place, one.place + 1));
    if (!one.settles) return;
  }
  if (one.kind === 'link') await link(one.wallet, one.isFirst ? accounts.first : accounts.second);
  await book.settle();
}

/** Each deposit belongs to whoever has its payer, and each account has exactly that. */
async function expectCredited({ parts, deposits, accounts }: World): Promise<void> {
  const expected = new Map(Object.values(accounts).map((id) => [id, 0n]));
  for (const deposit of deposits) {
    const accountId = deposit.payer && (await parts.links.ownerOf(deposit.payer));
    const state = accountId === undefined ? 'waiting' : 'credited';
    expect(await parts.book.find(depositId(deposit))).toEqual({ deposit, accountId, state });
    const sum = expected.get(accountId ?? '') ?? 0n;
    if (accountId !== undefined) expected.set(accountId, sum + worthOf(deposit.amount));
  }
  for (const [id, deposited] of expected) {
    expect((await parts.accounts.get(id))?.balance).toMatchObject({ deposited });
  }
}

describe.each(redisKinds)('deposits over $name', ({ start }) => {
  let server: { url: string; stop(): Promise<void> };
  let redis: Redis;
  let other: Redis;
  beforeAll(async () => {
    server = await start();
    redis = await openRedis(server.url);
    other = await openRedis(server.url);
  }, 30_000);
  afterAll(async () => {
    redis.close();
    other.close();
    await server.stop();
  });

  async function newWorld() {
    const { chainId, first, second, ...parts } = await newBook(redis);
    const deposits = payers.map((payer, n) => depositOf({ payer, amount: 1n << BigInt(n) }));
    return { chainId, world: { parts, deposits, accounts: { first, second } } };
  }

  it('are neither lost nor repeated, whoever dies at which command, in any order', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(batch, { minLength: 1, maxLength: 4 }), async (batches) => {
        const { world, chainId } = await newWorld();
        for (const acts of batches) {
          const [report] = await Promise.all([
            audit(redis),
            ...acts.map(async (act, index) => {
              const base = index % 2 === 0 ? redis : other;
              const parts = partsOver(act.death ? mortal(base, act.death) : base, chainId);
              await take(act.one, { ...world, parts }).catch(() => {});
            }),
          ]);
          expect(report.problems).toEqual([]);
        }
        // Whoever comes next repeats what may have been left half done.
        await world.parts.book.record(world.deposits);
        await world.parts.book.settle();
        await expectCredited(world);
      }),
      { numRuns: 60 },
    );
    const { ok, differencePico, deposits } = await audit(redis);
    expect([ok, differencePico]).toEqual([true, 0n]);
    expect(deposits.onChain).toBe(deposits.credited + deposits.waiting);
  });

  it('survive a death before and after every single command of link and credit', async () => {
    for (const executes of [false, true]) {
      let deaths = 0;
      // Until a process lives long enough to finish.
      for (let isDead = true; isDead; ) {
        const { world, chainId } = await newWorld();
        const dying = partsOver(mortal(redis, { at: deaths + 1, executes }), chainId);
        await world.parts.book.record(world.deposits);
        const work = { ...world, parts: dying };
        const linking = { kind: 'link', wallet: wallets[0], isFirst: true } as const;
        isDead = await take(linking, work).then(
          () => false,
          () => true,
        );
        await take(linking, world);
        expect(await world.parts.links.ownerOf(wallets[0])).toBe(world.accounts.first);
        await expectCredited(world);
        deaths += isDead ? 1 : 0;
      }
      expect(deaths).toBeGreaterThan(20);
    }
    expect(await audit(redis)).toMatchObject({ ok: true, problems: [] });
  });
});

describe('the audit', () => {
  it('sees what a book and the ledger do not agree on', async () => {
    const server = await startRedis();
    const redis = await openRedis(server.url);
    try {
      const { chainId, first, book, link, accounts } = await newBook(redis);
      const keys = depositKeys(chainId);
      const [paid, waiting, lost] = ['paid', 'waiting', 'lost'].map((digest, n) =>
        depositOf({ digest, payer: wallets[n] }),
      );
      if (!(paid && waiting && lost)) throw new Error('there are three');
      await link(wallets[0], first);
      await book.record([paid, waiting]);
      await book.settle();
      const sums = { onChain: 10_000_000n, credited: 5_000_000n, waiting: 5_000_000n };
      expect(await audit(redis)).toMatchObject({ ok: true, deposits: sums });

      await accounts.credit({ accountId: first, amount: picoUsd(5n), reference: 'sui:forged:0' });
      await redis.send(keys.book, ['DEL', `${keys.waitingPrefix}${wallets[1]}`]);
      await redis.send(keys.rows, ['HSET', keys.rows, 'lost:0', depositToJson(lost)]);
      await redis.send(keys.owners, ['HSET', keys.owners, 'lost:0', first]);
      const report = await audit(redis);
      expect(report).toMatchObject({ ok: false, differencePico: 5_000_000n });
      expect(report.problems.toSorted()).toEqual([
        'deposit forged:0 is credited and in no book',
        `deposit lost:0 has no entry in the ledger of ${first}`,
        'deposit waiting:0 neither waits nor has an owner',
      ]);
    } finally {
      redis.close();
      await server.stop();
    }
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { depositId } from '../domain/deposit.ts';
import { createWalletChallenge } from '../domain/wallet-challenge.ts';
import { redisKinds } from '../test/redis.ts';
import { audit } from './audit.ts';
import {
  addressOf,
  depositedOf,
  depositOf,
  newBook,
  nowMs,
  openRedis,
  partsOver,
  wallets,
} from './deposit-testing.ts';
import type { Redis } from './redis.ts';
import { walletsMax } from './wallet-links.ts';

const following = { covered: 1n, cursor: undefined, status: { kind: 'following' } } as const;
const paid = (amount = 5n) => depositOf({ payer: wallets[0], amount });

describe.each(redisKinds)('the book of deposits over $name', ({ start }) => {
  let server: { url: string; stop(): Promise<void> };
  let redis: Redis;
  let other: Redis;
  beforeAll(async () => {
    server = await start();
    redis = await openRedis(server.url);
    other = await openRedis(server.url);
  }, 30_000);
  afterAll(async () => {
    const report = await audit(redis);
    expect(report).toMatchObject({ ok: true, differencePico: 0n, problems: [] });
    expect(report.deposits.onChain).toBe(report.deposits.credited + report.deposits.waiting);
    redis.close();
    other.close();
    await server.stop();
  });

  describe('a deposit', () => {
    it('waits until its payer is linked, and is then credited once', async () => {
      const { first, ...parts } = await newBook(redis);
      const { book, link } = parts;
      const deposit = paid();
      const id = depositId(deposit);
      expect(await book.record([deposit])).toEqual({ kind: 'recorded', conflicts: [] });
      await book.settle();
      expect(await book.find(id)).toEqual({ deposit, accountId: undefined, state: 'waiting' });
      expect(await link(wallets[0], first)).toBe('linked');
      await Promise.all([book.settle(), book.settle(), book.settle()]);
      expect(await book.find(id)).toEqual({ deposit, accountId: first, state: 'credited' });
      expect(await depositedOf(parts, first)).toBe(5_000_000n);
    });

    it('is credited once, whoever records it at once', async () => {
      const { first, chainId, ...parts } = await newBook(redis);
      await parts.link(wallets[0], first);
      const deposit = paid();
      const books = [parts.book, partsOver(other, chainId).book];
      const callers = Array.from({ length: 50 }, async (_, index) => {
        await books[index % 2]?.record([deposit]);
        await books[index % 2]?.settle();
      });
      await Promise.all(callers);
      expect(await depositedOf(parts, first)).toBe(5_000_000n);
    });

    it('keeps its first contents, and tells of others', async () => {
      const { book } = await newBook(redis);
      const deposit = paid();
      const id = depositId(deposit);
      await book.record([deposit]);
      const lie = { ...paid(9n), digest: deposit.digest, payer: wallets[1] };
      expect(await book.record([lie])).toMatchObject({ conflicts: [id] });
      expect(await book.find(id)).toMatchObject({ deposit });
    });

    it('waits where nobody can be told to have paid it', async () => {
      const { book } = await newBook(redis);
      const deposit = depositOf({});
      await book.record([deposit]);
      await book.settle();
      expect(await book.find(depositId(deposit))).toMatchObject({ state: 'waiting' });
    });

    it('waits with its owner where the account cannot hold it, and holds nothing else up', async () => {
      const { first, book, link } = await newBook(redis);
      const [huge, small] = [paid(10n ** 18n), paid()];
      await link(wallets[0], first);
      await book.record([huge, small]);
      await book.settle();
      expect(await book.find(depositId(huge))).toMatchObject({
        accountId: first,
        state: 'waiting',
      });
      expect(await book.find(depositId(small))).toMatchObject({ state: 'credited' });
    });

    it('is listed to its owner, newest first, each once', async () => {
      const { first, book, link } = await newBook(redis);
      await link(wallets[0], first);
      const all = [0n, 1n, 2n, 3n, 4n].map((checkpoint) => ({ ...paid(), checkpoint }));
      await book.record(all);
      const seen: bigint[] = [];
      let before: string | undefined;
      do {
        const page = await book.page({ accountId: first, before, limit: 2 });
        seen.push(...(page?.deposits ?? []).map(({ deposit }) => deposit.checkpoint));
        before = page?.next;
      } while (before !== undefined);
      expect(seen).toEqual([4n, 3n, 2n, 1n, 0n]);
      expect(await book.page({ accountId: first, before: 'x', limit: 2 })).toBeUndefined();
    });

    it('comes with the progress, or not at all where another has written it', async () => {
      const { book } = await newBook(redis);
      expect(await book.load()).toBeUndefined();
      const change = { revision: 0, progress: following, deposits: [paid()] };
      expect(await book.commit(change)).toMatchObject({ kind: 'recorded' });
      const late = paid();
      expect(await book.commit({ ...change, deposits: [late] })).toEqual({ kind: 'stale' });
      expect(await book.find(depositId(late))).toBeUndefined();
      const cursor = { provider: 'p', bytes: new Uint8Array([1, 2]) };
      const status = { kind: 'pruned', start: 3n, lowest: 9n } as const;
      const progress = { covered: 2n ** 60n, cursor, status };
      await book.commit({ revision: 1, progress, deposits: [] });
      expect(await book.load()).toEqual({ revision: 2, progress });
    });

    it('of thousands that waited for one wallet is credited like the others', async () => {
      const { first, ...parts } = await newBook(redis);
      await parts.book.record(Array.from({ length: 1200 }, () => paid(1n)));
      await parts.link(wallets[0], first);
      await parts.book.settle();
      expect(await depositedOf(parts, first)).toBe(1_200_000_000n);
    });
  });

  describe('a wallet', () => {
    it('belongs to one account, which may have several', async () => {
      const { first, second, link, links } = await newBook(redis);
      expect(await link(wallets[0], first)).toBe('linked');
      expect(await link(wallets[1], first)).toBe('linked');
      expect(await link(wallets[0], first)).toBe('linked');
      expect(await link(wallets[0], second)).toBe('wallet-taken');
      expect((await links.list(first)).map(({ wallet }) => wallet)).toEqual(wallets.slice(0, 2));
      expect(await links.list(second)).toEqual([]);
      expect(await links.ownerOf(wallets[0])).toBe(first);
    });

    it('goes to one account where two ask at once', async () => {
      const { first, second, link } = await newBook(redis);
      const replies = await Promise.all([link(wallets[0], first), link(wallets[0], second)]);
      expect(replies.toSorted()).toEqual(['linked', 'wallet-taken']);
    });

    it('is one of so many at most', async () => {
      const { first, link } = await newBook(redis);
      for (let n = 0; n < walletsMax; n += 1) await link(addressOf(100 + n), first);
      expect(await link(wallets[0], first)).toBe('wallets-exceeded');
    });
  });

  describe('a challenge', () => {
    it('is good once, also where many use it at once, and for its account only', async () => {
      const { first, second, chainId, links } = await newBook(redis);
      const order = { domain: 'd', chainId, accountId: first, wallet: wallets[0], nonce: 'n' };
      const challenge = createWalletChallenge({ ...order, nowMs });
      await links.keep(challenge);
      const { text } = challenge;
      expect(await links.find({ accountId: second, text })).toBeUndefined();
      expect(await links.find({ accountId: first, text: `${text} ` })).toBeUndefined();
      const open = await links.find({ accountId: first, text });
      if (!open) throw new Error('the challenge is open');
      const replies = await Promise.all([1, 2, 3].map(() => links.link(open)));
      expect(replies.toSorted()).toEqual(['challenge-unknown', 'challenge-unknown', 'linked']);
      expect(await links.find({ accountId: first, text })).toBeUndefined();
    });

    it('takes the place of the oldest once many are open', async () => {
      const { first, chainId, links } = await newBook(redis);
      const order = { domain: 'd', chainId, accountId: first, wallet: wallets[0], nowMs };
      const all = Array.from({ length: 17 }, (_, n) =>
        createWalletChallenge({ ...order, nonce: `${n}` }),
      );
      for (const one of all) await links.keep(one);
      const found = await Promise.all(all.map((one) => links.find(one)));
      expect(found.map((one) => one !== undefined)).toEqual([
        false,
        ...Array.from({ length: 16 }, () => true),
      ]);
    });
  });
});

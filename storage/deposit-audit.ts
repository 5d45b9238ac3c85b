/**
 * Checks the books of deposits against the ledger: what came on the chain is credited, once and to its owner, or waits.
 * Correct while traffic runs: books are read before the entries, and what the entries have more is looked up again.
 */
import { depositId, worthOf } from '../domain/deposit.ts';
import { depositFromJson } from './codecs.ts';
import type { BookedDeposit } from './deposit-book.ts';
import { depositKeys, globalKeys } from './keys.ts';
import { readHash } from './read-hash.ts';
import type { Redis } from './redis.ts';
import { maybeTextFrom, textsFrom } from './reply.ts';

/** In pico-dollars. */
export type DepositSums = {
  readonly onChain: bigint;
  readonly credited: bigint;
  readonly waiting: bigint;
};

export const noDeposits = { onChain: 0n, credited: 0n, waiting: 0n };

/** By deposit id, the accounts whose entries credit it. */
export type CreditedDeposits = Map<string, readonly { accountId: string; amount: bigint }[]>;

export type Book = { readonly chainId: string; readonly deposits: readonly BookedDeposit[] };

/** Every book as it stands; what is called credited has been credited before. */
export async function readBooks(redis: Redis): Promise<readonly Book[]> {
  const books: Book[] = [];
  for (const chainId of await bookIds(redis)) books.push(await readBook(redis, chainId));
  return books;
}

/** With the books that have begun since those were read. */
export async function withLaterBooks(
  redis: Redis,
  books: readonly Book[],
): Promise<readonly Book[]> {
  const known = books.map(({ chainId }) => chainId);
  const later = (await bookIds(redis)).filter((chainId) => !known.includes(chainId));
  return [...books, ...later.map((chainId) => ({ chainId, deposits: [] }))];
}

const bookIds = async (redis: Redis): Promise<readonly string[]> =>
  textsFrom(await redis.send(globalKeys.depositBooks, ['SMEMBERS', globalKeys.depositBooks]));

async function readBook(redis: Redis, chainId: string): Promise<Book> {
  const { rows, owners, pending } = depositKeys(chainId);
  const jsons = await readHash(redis, rows);
  const ownerOf = await readHash(redis, owners);
  // After the owners: what has one and is not pending any more is credited.
  const open = new Set(textsFrom(await redis.send(pending, ['SMEMBERS', pending])));
  const deposits = [...jsons].map(([id, json]): BookedDeposit => {
    const accountId = ownerOf.get(id);
    const state = accountId === undefined || open.has(id) ? 'waiting' : 'credited';
    return { deposit: depositFromJson(json), accountId, state };
  });
  return { chainId, deposits };
}

/** Compares one book with what the accounts' entries credit, and takes that out of `credited`. */
export async function compareBook(
  redis: Redis,
  { book, credited }: { book: Book; credited: CreditedDeposits },
): Promise<{ sums: DepositSums; problems: readonly string[] }> {
  const { chainId } = book;
  const known = new Map(book.deposits.map((booked) => [depositId(booked.deposit), booked]));
  for (const later of await readRows(redis, { chainId, known, ids: credited.keys() })) {
    known.set(depositId(later.deposit), later);
  }
  const sums = { ...noDeposits };
  const problems: string[] = [];
  for (const [id, booked] of known) {
    const worth = worthOf(booked.deposit.amount);
    const entries = credited.get(id) ?? [];
    credited.delete(id);
    sums.onChain += worth;
    for (const { amount } of entries) sums.credited += amount;
    if (entries.length === 0) sums.waiting += booked.state === 'waiting' ? worth : 0n;
    const found = await problemsOf(redis, { chainId, id, booked, entries });
    problems.push(...found.map((problem) => `deposit ${id} ${problem}`));
  }
  return { sums, problems };
}

/** What came into the book after it was read. */
async function readRows(
  redis: Redis,
  wanted: { chainId: string; known: ReadonlyMap<string, unknown>; ids: Iterable<string> },
): Promise<readonly BookedDeposit[]> {
  const { chainId, known, ids } = wanted;
  const missing = [...ids].filter((id) => !known.has(id));
  const rows = await Promise.all(missing.map((id) => readRow(redis, { chainId, id })));
  return rows.filter((row) => row !== undefined);
}

type Judged = {
  readonly chainId: string;
  readonly id: string;
  readonly booked: BookedDeposit;
  readonly entries: readonly { accountId: string; amount: bigint }[];
};

async function problemsOf(redis: Redis, judged: Judged): Promise<readonly string[]> {
  const { chainId, id, booked, entries } = judged;
  const worth = worthOf(booked.deposit.amount);
  const [entry, another] = entries;
  if (!entry) {
    if (booked.state === 'credited') return [`has no entry in the ledger of ${booked.accountId}`];
    return booked.accountId === undefined ? problemsOfWaiting(redis, judged) : [];
  }
  // The owner may have come after the book was read.
  const owner = booked.accountId ?? (await readRow(redis, { chainId, id }))?.accountId;
  return [
    ...(another ? [`is credited to ${entry.accountId} and to ${another.accountId}`] : []),
    ...(entry.accountId === owner ? [] : [`of ${owner} is credited to ${entry.accountId}`]),
    ...(entry.amount === worth ? [] : [`is worth ${worth} and credited with ${entry.amount}`]),
  ];
}

/** In this order: links come before sorting, and sorting ends when the last deposit has its owner. */
async function problemsOfWaiting(redis: Redis, judged: Judged): Promise<readonly string[]> {
  const { chainId, id, booked } = judged;
  const keys = depositKeys(chainId);
  const payer = booked.deposit.payer ?? '';
  const account = maybeTextFrom(await redis.send(keys.wallets, ['HGET', keys.wallets, payer]));
  const isUnsorted = await redis.send(keys.unsorted, ['SISMEMBER', keys.unsorted, payer]);
  const waiting = `${keys.waitingPrefix}${payer}`;
  const score = maybeTextFrom(await redis.send(waiting, ['ZSCORE', waiting, id]));
  const isOwned = (await readRow(redis, { chainId, id }))?.accountId !== undefined;
  if (isOwned) return [];
  return [
    ...(score === undefined ? ['neither waits nor has an owner'] : []),
    ...(account !== undefined && isUnsorted !== 1
      ? [`is forgotten: ${account} has its payer`]
      : []),
  ];
}

async function readRow(
  redis: Redis,
  { chainId, id }: { chainId: string; id: string },
): Promise<BookedDeposit | undefined> {
  const { rows, owners } = depositKeys(chainId);
  const json = maybeTextFrom(await redis.send(rows, ['HGET', rows, id]));
  if (json === undefined) return undefined;
  const accountId = maybeTextFrom(await redis.send(owners, ['HGET', owners, id]));
  return { deposit: depositFromJson(json), accountId, state: 'waiting' };
}

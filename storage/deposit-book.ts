/**
 * The book of deposits of one chain. The rows, their owners and the links of wallets share one slot, so that each of their
 * steps is atomic; only the credit stands in the account's own slot. A deposit gets its owner first and for ever, and is
 * then credited under its own reference, so that every step can be repeated, by anybody, after any crash.
 */
import type { DepositStore, Recording } from '../chain/deposits/store.ts';
import type { SuiAddress } from '../domain/chain-ids.ts';
import {
  type Deposit,
  depositId,
  depositReference,
  isCreditable,
  worthOf,
} from '../domain/deposit.ts';
import type { Logger } from '../runtime/log.ts';
import type { Accounts } from './accounts.ts';
import {
  depositFromJson,
  depositProgressFromJson,
  depositProgressToJson,
  depositToJson,
} from './codecs.ts';
import { depositKeys, globalKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { listFrom, maybeTextFrom, textsFrom } from './reply.ts';
import { scripts } from './script.ts';

export type BookedDeposit = {
  readonly deposit: Deposit;
  /** Nothing while nobody has linked the payer's wallet. */
  readonly accountId: string | undefined;
  readonly state: 'waiting' | 'credited';
};

export type DepositPage = {
  readonly deposits: readonly BookedDeposit[];
  /** The id with which to ask for older ones; nothing where there are none. */
  readonly next: string | undefined;
};

export type DepositBook = DepositStore & {
  find(id: string): Promise<BookedDeposit | undefined>;
  /** An account's deposits, newest first; nothing where `before` is none of them. */
  page(options: {
    accountId: string;
    before: string | undefined;
    limit: number;
  }): Promise<DepositPage | undefined>;
};

export type DepositBookOptions = {
  readonly redis: Redis;
  readonly accounts: Pick<Accounts, 'credit'>;
  readonly chainId: string;
  /** The gateway's own address on that chain. */
  readonly address: SuiAddress;
  readonly log: Logger;
};

const sortedPerCall = 500;
const creditedPerRound = 500;
const creditsAtOnce = 16;

export function createDepositBook(options: DepositBookOptions): DepositBook {
  const { redis, chainId, address } = options;
  const keys = depositKeys(chainId);
  const progressKey = `${keys.progressPrefix}${address}`;

  async function write(deposits: readonly Deposit[], progress: readonly [string, string]) {
    // First, so that the audit finds whatever is in the book.
    await redis.send(globalKeys.depositBooks, ['SADD', globalKeys.depositBooks, chainId]);
    const reply = await scripts.depositRecord(redis, {
      keys: [keys.rows, progressKey],
      args: [keys.book, ...progress, ...deposits.flatMap(argsOf)],
    });
    const [kind, ...conflicts] = textsFrom(reply);
    return { kind, conflicts };
  }

  return {
    async load() {
      const reply = await redis.send(progressKey, ['HMGET', progressKey, 'json', 'revision']);
      const [json, revision] = listFrom(reply).map(maybeTextFrom);
      if (json === undefined) return undefined;
      return { progress: depositProgressFromJson(json), revision: Number(revision) };
    },

    async commit({ revision, progress, deposits }) {
      const position = [String(revision), depositProgressToJson(progress)] as const;
      const { kind, conflicts } = await write(deposits, position);
      return kind === 'stale' ? { kind } : { kind: 'recorded', conflicts };
    },

    async record(deposits): Promise<Recording> {
      const { conflicts } = await write(deposits, ['', '']);
      return { kind: 'recorded', conflicts };
    },

    settle: () => settle(options),
    find: (id) => findDeposit(redis, { chainId, id }),
    page: (query) => readPage(redis, { ...query, chainId }),
  };
}

function argsOf(deposit: Deposit): string[] {
  const { payer = '', checkpoint } = deposit;
  return [depositId(deposit), depositToJson(deposit), payer, String(checkpoint)];
}

/** Sorts what waits for linked wallets, then credits whatever has an owner and is not known to be credited. */
async function settle(options: DepositBookOptions): Promise<void> {
  const { redis, chainId } = options;
  const { unsorted, pending } = depositKeys(chainId);
  for (const wallet of textsFrom(await redis.send(unsorted, ['SMEMBERS', unsorted]))) {
    await sortWallet(redis, { chainId, wallet });
  }
  for (;;) {
    const command = ['SRANDMEMBER', pending, String(creditedPerRound)];
    const ids = [...textsFrom(await redis.send(pending, command))];
    let credited = 0;
    while (ids.length > 0) {
      const some = ids.splice(0, creditsAtOnce);
      const outcomes = await Promise.all(some.map((id) => creditDeposit(options, id)));
      credited += outcomes.filter(Boolean).length;
    }
    // What cannot be credited stays, and is tried again another time.
    if (credited === 0) return;
  }
}

/** Gives all that waits for a linked wallet to its account. */
async function sortWallet(
  redis: Redis,
  { chainId, wallet }: { chainId: string; wallet: string },
): Promise<void> {
  const { book, unsorted } = depositKeys(chainId);
  const call = { keys: [unsorted], args: [book, wallet, String(sortedPerCall)] };
  while ((await scripts.depositSort(redis, call)) === sortedPerCall);
}

/** The step between the two slots: first the credit, which happens once, then the note that it has. */
async function creditDeposit(options: DepositBookOptions, id: string): Promise<boolean> {
  const { redis, accounts, chainId, log } = options;
  const { pending } = depositKeys(chainId);
  const booked = await findDeposit(redis, { chainId, id });
  if (booked?.accountId === undefined) throw new Error(`${id} is pending without an owner`);
  const { deposit, accountId } = booked;
  const crediting = isCreditable(deposit.amount)
    ? await accounts.credit({
        accountId,
        amount: worthOf(deposit.amount),
        reference: depositReference(id),
      })
    : ({ kind: 'deposits-exceeded' } as const);
  if (crediting.kind !== 'credited' && crediting.kind !== 'repeated') {
    log.error({ deposit: id, accountId, reason: crediting.kind }, 'a deposit cannot be credited');
    return false;
  }
  await redis.send(pending, ['SREM', pending, id]);
  return true;
}

async function findDeposit(
  redis: Redis,
  { chainId, id }: { chainId: string; id: string },
): Promise<BookedDeposit | undefined> {
  const { rows, owners, pending } = depositKeys(chainId);
  const json = maybeTextFrom(await redis.send(rows, ['HGET', rows, id]));
  if (json === undefined) return undefined;
  // In this order, so that what has an owner and is not pending any more is credited.
  const accountId = maybeTextFrom(await redis.send(owners, ['HGET', owners, id]));
  const isPending = (await redis.send(pending, ['SISMEMBER', pending, id])) === 1;
  const state = accountId === undefined || isPending ? 'waiting' : 'credited';
  return { deposit: depositFromJson(json), accountId, state };
}

async function readPage(
  redis: Redis,
  query: { chainId: string; accountId: string; before: string | undefined; limit: number },
): Promise<DepositPage | undefined> {
  const { chainId, accountId, before, limit } = query;
  const key = `${depositKeys(chainId).ownedPrefix}${accountId}`;
  let first = 0;
  if (before !== undefined) {
    const rank = maybeTextFrom(await redis.send(key, ['ZREVRANK', key, before]));
    if (rank === undefined) return undefined;
    first = Number(rank) + 1;
  }
  // One more tells whether there is another page.
  const range = ['ZREVRANGE', key, String(first), String(first + limit)];
  const ids = textsFrom(await redis.send(key, range));
  const shown = ids.slice(0, limit);
  const found = await Promise.all(shown.map((id) => findDeposit(redis, { chainId, id })));
  return {
    deposits: found.filter((deposit) => deposit !== undefined),
    next: ids.length > limit ? shown.at(-1) : undefined,
  };
}

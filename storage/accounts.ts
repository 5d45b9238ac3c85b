/** Accounts, what is deposited to them, and what is withdrawn. */
import { type PicoUsd, picoUsdMax } from '../domain/money.ts';
import type { Balance } from '../domain/reservation.ts';
import { amountFrom } from './codecs.ts';
import { accountKeys, globalKeys } from './keys.ts';
import { balanceFields, balanceFrom } from './ledger.ts';
import type { Redis } from './redis.ts';
import { fieldsFrom, textFrom, textsFrom } from './reply.ts';
import { type Script, scripts } from './script.ts';

export type Account = {
  readonly id: string;
  readonly name: string;
  readonly createdMs: number;
  readonly balance: Balance;
};

export type Crediting =
  | { readonly kind: 'credited' }
  /** The same deposit was made before; nothing has moved now. */
  | { readonly kind: 'repeated' }
  /** The reference belongs to a deposit of another amount. */
  | { readonly kind: 'reference-used'; readonly amount: PicoUsd }
  /** The account would exceed what a 64-bit counter holds. */
  | { readonly kind: 'deposits-exceeded' }
  | { readonly kind: 'account-unknown' };

/** What became of the money of one withdrawal; `refused` where the account did not have it, and never to change then. */
type Withdrawing = 'taken' | 'refused' | 'returned';

type Movement = {
  readonly accountId: string;
  readonly amount: PicoUsd;
  readonly reference: string;
};

export type Accounts = {
  create(options: { name: string }): Promise<Account>;
  get(accountId: string): Promise<Account | undefined>;
  /** Oldest first. */
  list(): Promise<readonly Account[]>;
  /** Adds a deposit, once per reference. */
  credit(deposit: Movement): Promise<Crediting>;
  /** Takes the money out of what is available, or refuses for ever: once per reference. */
  withdraw(withdrawal: Movement): Promise<Withdrawing>;
  /** Gives it back where it was taken, once, and forbids to take it later where not. */
  giveBack(withdrawal: Movement): Promise<Withdrawing>;
};

export function createAccounts(options: {
  redis: Redis;
  nowMs: () => number;
  randomId: () => string;
}): Accounts {
  const { redis, nowMs, randomId } = options;

  async function get(accountId: string): Promise<Account | undefined> {
    const key = accountKeys(accountId).balance;
    const fields = fieldsFrom(await redis.send(key, ['HGETALL', key]));
    return fields.size === 0 ? undefined : accountFrom(accountId, fields);
  }

  async function move(
    script: Script,
    { accountId, amount, reference }: Movement,
  ): Promise<Withdrawing> {
    const { balance, entries, withdrawals } = accountKeys(accountId);
    const call = { keys: [balance, entries, withdrawals], args: [reference, String(amount)] };
    return withdrawingFrom(textFrom(await script(redis, call)));
  }

  return {
    get,

    async create({ name }) {
      const id = `acc_${randomId()}`;
      const createdMs = nowMs();
      const key = accountKeys(id).balance;
      const zeros = balanceFields.flatMap((field) => [field, '0']);
      const fields = ['name', name, 'createdMs', String(createdMs)];
      await redis.send(key, ['HSET', key, ...zeros, ...fields]);
      // Last, so that whoever finds it in the list finds it whole.
      await redis.send(globalKeys.accounts, ['ZADD', globalKeys.accounts, String(createdMs), id]);
      return accountFrom(id, new Map([...pairs(zeros), ...pairs(fields)]));
    },

    async list() {
      const ids = await accountIds(redis, { first: 0, last: -1 });
      const accounts = await Promise.all(ids.map(get));
      return accounts.filter((account) => account !== undefined);
    },

    async credit({ accountId, amount, reference }) {
      const { balance, entries, credits } = accountKeys(accountId);
      const reply = await scripts.credit(redis, {
        keys: [balance, entries, credits],
        args: [String(amount), reference, String(picoUsdMax)],
      });
      return creditingFrom(textsFrom(reply));
    },

    withdraw: (withdrawal) => move(scripts.withdraw, withdrawal),
    giveBack: (withdrawal) => move(scripts.giveBack, withdrawal),
  };
}

/** The ids from one rank to another, oldest first; -1 is the last. */
export async function accountIds(
  redis: Redis,
  range: { first: number; last: number },
): Promise<readonly string[]> {
  const key = globalKeys.accounts;
  return textsFrom(await redis.send(key, ['ZRANGE', key, String(range.first), String(range.last)]));
}

function* pairs(flat: readonly string[]): Generator<[string, string]> {
  for (let index = 0; index < flat.length; index += 2) {
    yield [flat[index] ?? '', flat[index + 1] ?? ''];
  }
}

function accountFrom(id: string, fields: ReadonlyMap<string, string>): Account {
  const money = balanceFields.map((field) => fields.get(field));
  return {
    id,
    name: fields.get('name') ?? '',
    createdMs: Number(fields.get('createdMs') ?? 0),
    balance: balanceFrom(money),
  };
}

function withdrawingFrom(reply: string): Withdrawing {
  if (reply === 'taken' || reply === 'refused' || reply === 'returned') return reply;
  throw new Error(`a withdrawal answered "${reply}"`);
}

function creditingFrom([kind = '', detail = '']: readonly string[]): Crediting {
  switch (kind) {
    case 'credited':
    case 'repeated':
    case 'deposits-exceeded':
    case 'account-unknown':
      return { kind };
    case 'reference-used':
      return { kind, amount: amountFrom(detail) };
    default:
      throw new Error(`credit answered "${kind}"`);
  }
}

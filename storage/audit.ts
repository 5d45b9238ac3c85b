/** Checks every balance against the account's entries; correct while traffic runs, since it reads up to one entry. */
import type { Balance } from '../domain/reservation.ts';
import { accountIds } from './accounts.ts';
import { amountFrom } from './codecs.ts';
import {
  type CreditedDeposits,
  compareBook,
  type DepositSums,
  noDeposits,
  readBooks,
  withLaterBooks,
} from './deposit-audit.ts';
import { accountKeys } from './keys.ts';
import { balanceFields, balanceFrom } from './ledger.ts';
import type { Redis } from './redis.ts';
import { emptyReplay, type Replay, replayEntry } from './replay.ts';
import { fieldsFrom, listFrom, streamEntriesFrom, textFrom } from './reply.ts';
import { scripts } from './script.ts';
import {
  compareWithdrawals,
  readWithdrawals,
  type TakenMoneyOf,
  type WithdrawalSums,
} from './withdrawal-audit.ts';

export type AuditReport = {
  readonly ok: boolean;
  readonly accounts: number;
  /** The sum of all differences found, without sign. */
  readonly differencePico: bigint;
  /** `onChain` is `credited` and `waiting` together, or there is a problem. */
  readonly deposits: DepositSums;
  readonly withdrawals: WithdrawalSums;
  readonly problems: readonly string[];
};

const entriesPerRead = 1000;

export async function audit(redis: Redis): Promise<AuditReport> {
  // Before the accounts: what these books call credited, the entries that are read after must show.
  const books = await readBooks(redis);
  const rows = await readWithdrawals(redis);
  const ids = await accountIds(redis, { first: 0, last: -1 });
  const problems: string[] = [];
  const credited: CreditedDeposits = new Map();
  const taken: TakenMoneyOf = new Map();
  let differencePico = 0n;
  for (const id of ids) {
    const found = await auditAccount(redis, id);
    problems.push(...found.problems.map((problem) => `${id}: ${problem}`));
    differencePico += found.difference;
    for (const [deposit, amount] of found.chainDeposits) {
      add(credited, deposit, { accountId: id, amount });
    }
    for (const [reference, money] of found.withdrawals) {
      add(taken, reference, { accountId: id, ...money });
    }
  }
  const deposits = { ...noDeposits };
  for (const book of await withLaterBooks(redis, books)) {
    const found = await compareBook(redis, { book, credited });
    problems.push(...found.problems);
    for (const name of ['onChain', 'credited', 'waiting'] as const) {
      deposits[name] += found.sums[name];
    }
  }
  for (const id of credited.keys()) problems.push(`deposit ${id} is credited and in no book`);
  differencePico += absolute(deposits.onChain - deposits.credited - deposits.waiting);
  const { sums: withdrawals, ...found } = await compareWithdrawals(redis, { before: rows, taken });
  problems.push(...found.problems);
  differencePico += absolute(withdrawals.withdrawn - withdrawals.paid - withdrawals.open);
  const ok = problems.length === 0;
  return { ok, accounts: ids.length, differencePico, deposits, withdrawals, problems };
}

function add<Item>(lists: Map<string, readonly Item[]>, key: string, item: Item): void {
  lists.set(key, [...(lists.get(key) ?? []), item]);
}

const absolute = (amount: bigint) => (amount < 0n ? -amount : amount);

async function auditAccount(redis: Redis, accountId: string) {
  const keys = accountKeys(accountId);
  const picture = await scripts.audit(redis, {
    keys: [keys.balance, keys.entries, keys.leases],
    args: [keys.openPrefix],
  });
  const [balance, lastEntry, open] = listFrom(picture);
  const replay = await replayUntil(redis, { entries: keys.entries, last: textFrom(lastEntry) });
  const account = { balance: balanceFrom(balance), open: fieldsFrom(open), replay };
  const { chainDeposits, withdrawals } = replay;
  return { ...compare(account), chainDeposits, withdrawals };
}

async function replayUntil(redis: Redis, { entries, last }: { entries: string; last: string }) {
  const replay = emptyReplay();
  for (let first = '-'; last !== ''; ) {
    const command = ['XRANGE', entries, first, last, 'COUNT', String(entriesPerRead)];
    const page = streamEntriesFrom(await redis.send(entries, command));
    for (const entry of page) replayEntry(replay, entry);
    const end = page.at(-1);
    if (!end || page.length < entriesPerRead) break;
    first = `(${end.id}`;
  }
  return replay;
}

function compare(account: { balance: Balance; open: ReadonlyMap<string, string>; replay: Replay }) {
  const { balance, replay } = account;
  const problems = [...replay.problems];
  let difference = 0n;
  const expectEqual = (name: string, [found, expected]: readonly [bigint, bigint]) => {
    if (found === expected) return;
    difference += absolute(found - expected);
    problems.push(`${name} is ${found}, expected ${expected}`);
  };

  for (const name of balanceFields) expectEqual(name, [balance[name], replay[name]]);
  const sum = balance.available + balance.reserved + balance.settled + balance.withdrawn;
  expectEqual('available + reserved + settled + withdrawn', [sum, balance.deposited]);
  const held = [...account.open.values()].reduce((total, text) => total + amountFrom(text), 0n);
  expectEqual('money of open reservations', [held, balance.reserved]);
  for (const id of replay.open.keys()) {
    if (!account.open.has(id)) problems.push(`${id} is open by its entries only`);
  }
  return { problems, difference };
}

/**
 * Checks the books of withdrawals against the ledger: what is paid was taken from its account, once; what is given back is
 * not paid. Correct while traffic runs: a book is read before the entries, which must show what it says, and again after
 * them, when it must know what they show.
 */
import { endedFromJson } from '../chain/keeper/codec.ts';
import { worthOf } from '../domain/deposit.ts';
import {
  type Withdrawal,
  type WithdrawalState,
  withdrawalReference,
} from '../domain/withdrawal.ts';
import { withdrawalFromJson, withdrawalStateFromText } from './codecs.ts';
import { globalKeys, type TreasuryId, treasuryFromText, treasuryKeys } from './keys.ts';
import { readHash } from './read-hash.ts';
import type { Redis } from './redis.ts';
import type { TakenMoney } from './replay.ts';
import { maybeTextFrom, textsFrom } from './reply.ts';

/** In pico-dollars; `withdrawn` is `paid` and `open` together, or there is a problem. */
export type WithdrawalSums = {
  readonly withdrawn: bigint;
  readonly paid: bigint;
  readonly open: bigint;
};

type Row = {
  readonly treasury: TreasuryId;
  readonly withdrawal: Withdrawal;
  readonly state: WithdrawalState;
};

/** By the reference of the ledger. */
export type WithdrawalRows = ReadonlyMap<string, Row>;
export type TakenMoneyOf = Map<string, readonly (TakenMoney & { accountId: string })[]>;

/** Every withdrawal as it stands. */
export async function readWithdrawals(redis: Redis): Promise<WithdrawalRows> {
  const rows = new Map<string, Row>();
  for (const treasury of await readTreasuries(redis)) {
    const keys = treasuryKeys(treasury);
    // Written together, and the second never changes.
    const states = await readHash(redis, keys.withdrawalStates);
    const jsons = await readHash(redis, keys.withdrawals);
    for (const [reference, text] of states) {
      const withdrawal = withdrawalFromJson(jsons.get(reference) ?? '');
      const state = withdrawalStateFromText(text);
      rows.set(withdrawalReference(treasury, reference), { treasury, withdrawal, state });
    }
  }
  return rows;
}

async function readTreasuries(redis: Redis): Promise<readonly TreasuryId[]> {
  const { treasuries: key } = globalKeys;
  return textsFrom(await redis.send(key, ['SMEMBERS', key])).map(treasuryFromText);
}

/** Compares what was there before the entries were read, the entries, and what is there now. */
export async function compareWithdrawals(
  redis: Redis,
  { before, taken }: { before: WithdrawalRows; taken: TakenMoneyOf },
): Promise<{ sums: WithdrawalSums; problems: readonly string[] }> {
  // Between the two books: whatever was paid before is among them, and the later book knows them all.
  const digests = await readPayments(redis);
  const after = await readWithdrawals(redis);
  const all = [...after].map(([reference, row]) => ({
    row,
    stateBefore: before.get(reference)?.state,
    entries: taken.get(reference) ?? [],
    digests: digests.get(reference) ?? [],
  }));
  const problems = [...taken.keys()]
    .filter((reference) => !after.has(reference))
    .map((reference) => `withdrawal ${reference} is taken and in no book`);
  for (const one of all) {
    const found = [...problemsOf(one), ...(await lossOf(redis, one.row))];
    problems.push(...found.map((text) => `withdrawal ${one.row.withdrawal.reference} ${text}`));
  }
  return { sums: sumsOf(all, taken), problems };
}

function sumsOf(all: readonly Judged[], taken: TakenMoneyOf): WithdrawalSums {
  const sums = { withdrawn: 0n, paid: 0n, open: 0n };
  for (const { amount, isReturned } of [...taken.values()].flat()) {
    if (!isReturned) sums.withdrawn += amount;
  }
  for (const { row, stateBefore, entries } of all) {
    const isTaken = entries.some(({ isReturned }) => !isReturned);
    if (!isTaken && stateBefore?.kind !== 'paid') continue;
    sums[row.state.kind === 'paid' ? 'paid' : 'open'] += worthOf(row.withdrawal.amount);
  }
  return sums;
}

/** By the reference of the ledger, the digests with which the keeper paid. */
async function readPayments(redis: Redis): Promise<ReadonlyMap<string, readonly string[]>> {
  const payments = new Map<string, readonly string[]>();
  for (const treasury of await readTreasuries(redis)) {
    const { ended: key } = treasuryKeys(treasury);
    for (const json of textsFrom(await redis.send(key, ['ZRANGE', key, '0', '-1']))) {
      const ended = endedFromJson(json);
      if (ended.kind !== 'paid') continue;
      const reference = withdrawalReference(treasury, ended.withdrawal.reference);
      payments.set(reference, [...(payments.get(reference) ?? []), ended.digest]);
    }
  }
  return payments;
}

type Judged = {
  readonly row: Row;
  readonly stateBefore: WithdrawalState | undefined;
  readonly entries: readonly (TakenMoney & { accountId: string })[];
  readonly digests: readonly string[];
};

const problemsOf = (judged: Judged): readonly string[] => [
  ...problemsOfMoney(judged),
  ...problemsOfState(judged),
  ...problemsOfPayment(judged),
];

function problemsOfMoney({ row: { withdrawal }, entries }: Judged): readonly string[] {
  const { accountId, amount } = withdrawal;
  const worth = worthOf(amount);
  return [
    ...(entries.length > 1 ? [`is taken from ${entries.length} accounts`] : []),
    ...entries.flatMap((entry) => [
      ...(entry.accountId === accountId
        ? []
        : [`of ${accountId} is taken from ${entry.accountId}`]),
      ...(entry.amount === worth ? [] : [`is worth ${worth}, and ${entry.amount} was taken`]),
    ]),
  ];
}

function problemsOfState({ row, stateBefore, entries }: Judged): readonly string[] {
  const { kind } = row.state;
  const [entry] = entries;
  const needsMoney = ['queued', 'paying', 'paid'].includes(stateBefore?.kind ?? '');
  const isToReturn = kind === 'cancelling' || kind === 'cancelled';
  return [
    ...(needsMoney && !entry ? [`is ${stateBefore?.kind} and was not taken from its account`] : []),
    ...(stateBefore?.kind === 'cancelled' && entry?.isReturned === false
      ? ['is cancelled and not given back']
      : []),
    ...(entry?.isReturned && !isToReturn ? [`is ${kind} and given back`] : []),
    ...(entry && kind === 'refused' ? ['is refused and was taken'] : []),
  ];
}

function problemsOfPayment({ row: { state }, stateBefore, digests }: Judged): readonly string[] {
  const [digest] = digests;
  return [
    ...(digests.length > 1 ? [`is paid ${digests.length} times`] : []),
    ...(digest !== undefined && (state.kind !== 'paid' || state.digest !== digest)
      ? [`is ${state.kind} and was paid by ${digest}`]
      : []),
    ...(digest === undefined && stateBefore?.kind === 'paid' ? ['is paid by no transaction'] : []),
  ];
}

/** Whether nobody would ever go on with it. */
async function lossOf(
  redis: Redis,
  { treasury, withdrawal, state }: Row,
): Promise<readonly string[]> {
  const { withdrawalQueue, withdrawalsPending, withdrawalStates } = treasuryKeys(treasury);
  const { reference } = withdrawal;
  const isQueued = state.kind === 'queued' || state.kind === 'paying';
  const isPending = state.kind === 'proposed' || state.kind === 'cancelling';
  if (!(isQueued || isPending)) return [];
  const found = isQueued
    ? await redis.send(withdrawalQueue, ['ZSCORE', withdrawalQueue, reference])
    : await redis.send(withdrawalsPending, ['SISMEMBER', withdrawalsPending, reference]);
  if (found !== null && found !== 0) return [];
  // It may have gone on since it was read; no state but these two comes again, and both are queued.
  const now = await redis.send(withdrawalStates, ['HGET', withdrawalStates, reference]);
  const { kind } = withdrawalStateFromText(maybeTextFrom(now) ?? '');
  return kind === state.kind ? ['is forgotten'] : [];
}

/**
 * The withdrawals from one treasury. What is ordered and how it stands share the slot of the keeper's operations, so that
 * no order is cancelled and paid; only the money stands in the account's own slot. An order is written first, then the
 * money is taken under its own reference, then the order is queued, and it is cancelled in the same manner: each step can
 * be repeated, by anybody, after any crash.
 */
import type { WithdrawalQueue } from '../chain/keeper/store.ts';
import { worthOf } from '../domain/deposit.ts';
import type { PicoUsd } from '../domain/money.ts';
import {
  type Withdrawal,
  type WithdrawalState,
  withdrawalReference,
} from '../domain/withdrawal.ts';
import type { Accounts } from './accounts.ts';
import {
  withdrawalFromJson,
  withdrawalStateFromText,
  withdrawalStateToText,
  withdrawalToJson,
} from './codecs.ts';
import { globalKeys, type TreasuryId, treasuryKeys, treasuryToText } from './keys.ts';
import type { Redis } from './redis.ts';
import { maybeTextFrom, textFrom, textsFrom } from './reply.ts';
import { scripts } from './script.ts';

export type BookedWithdrawal = {
  readonly withdrawal: Withdrawal;
  readonly state: WithdrawalState;
  readonly orderedMs: number;
};

export type Ordering =
  /** As it stands now, also where it was ordered before. */
  | { readonly kind: 'ordered'; readonly booked: BookedWithdrawal }
  /** The reference belongs to another withdrawal. */
  | { readonly kind: 'reference-used'; readonly booked: BookedWithdrawal }
  | { readonly kind: 'balance-too-low'; readonly available: PicoUsd }
  | { readonly kind: 'account-unknown' };

export type WithdrawalBook = WithdrawalQueue & {
  /** Takes the account's money and queues the withdrawal, once per reference. */
  order(withdrawal: Withdrawal): Promise<Ordering>;
  /** Gives the money back, unless it is paid or may be: the state says which. Nothing where it was never ordered. */
  cancel(reference: string): Promise<BookedWithdrawal | undefined>;
  find(reference: string): Promise<BookedWithdrawal | undefined>;
  /** Oldest first. */
  list(): Promise<readonly BookedWithdrawal[]>;
};

export type WithdrawalBookOptions = TreasuryId & {
  readonly redis: Redis;
  readonly accounts: Pick<Accounts, 'get' | 'withdraw' | 'giveBack'>;
};

/** The oldest ones, of which one is paid at a time. */
const queuedMax = 500;

export function createWithdrawalBook(options: WithdrawalBookOptions): WithdrawalBook {
  const { redis, accounts } = options;
  const keys = treasuryKeys(options);
  const find = (reference: string) => findWithdrawal(options, reference);

  async function propose(withdrawal: Withdrawal): Promise<string> {
    // First, so that the audit finds whatever is in the book.
    const treasury = treasuryToText(options);
    await redis.send(globalKeys.treasuries, ['SADD', globalKeys.treasuries, treasury]);
    const { reference } = withdrawal;
    const args = [keys.treasury, reference, withdrawalToJson(withdrawal)];
    return textFrom(await scripts.withdrawalPropose(redis, { keys: [keys.withdrawals], args }));
  }

  /** So that what cannot be paid at all uses no reference up. */
  async function refusalOf({ accountId, amount }: Withdrawal): Promise<Ordering | undefined> {
    const account = await accounts.get(accountId);
    if (!account) return { kind: 'account-unknown' };
    const { available } = account.balance;
    return available < worthOf(amount) ? { kind: 'balance-too-low', available } : undefined;
  }

  return {
    find,

    async order(withdrawal) {
      const { reference } = withdrawal;
      const refusal = (await find(reference)) ? undefined : await refusalOf(withdrawal);
      if (refusal) return refusal;
      const isOther = (await propose(withdrawal)) === 'reference-used';
      if (!isOther) await settleOne(options, reference);
      const booked = await find(reference);
      if (!booked) throw new Error(`withdrawal ${reference} is written and not there`);
      return { kind: isOther ? 'reference-used' : 'ordered', booked };
    },

    async cancel(reference) {
      await move(options, { reference, state: { kind: 'cancelling' } });
      await settleOne(options, reference);
      return find(reference);
    },

    async settle() {
      const pending = await redis.send(keys.withdrawalsPending, [
        'SMEMBERS',
        keys.withdrawalsPending,
      ]);
      for (const reference of textsFrom(pending)) await settleOne(options, reference);
    },

    async queued() {
      const all = await findAll(options, { key: keys.withdrawalQueue, last: queuedMax - 1 });
      const payable: Withdrawal[] = [];
      for (const { withdrawal, state } of all) {
        if (state.kind !== 'queued') continue;
        // Again, since of two masters one may have lost its last seconds: what is not out of the account is not paid.
        const taken = await accounts.withdraw(movementOf(options, withdrawal));
        if (taken === 'taken') payable.push(withdrawal);
      }
      return payable;
    },

    list: () => findAll(options, { key: keys.withdrawalTimes, last: -1 }),
  };
}

/** The step between the two slots: first the money, which moves once, then the note that it has. */
async function settleOne(options: WithdrawalBookOptions, reference: string): Promise<void> {
  const { accounts } = options;
  const booked = await findWithdrawal(options, reference);
  if (!booked) return;
  const { withdrawal, state } = booked;
  const movement = movementOf(options, withdrawal);
  if (state.kind === 'proposed') {
    const isTaken = (await accounts.withdraw(movement)) === 'taken';
    // Where it is cancelled meanwhile neither can follow.
    await move(options, { reference, state: { kind: isTaken ? 'queued' : 'refused' } });
  }
  if (state.kind === 'cancelling') {
    await accounts.giveBack(movement);
    await move(options, { reference, state: { kind: 'cancelled' } });
  }
}

const movementOf = (treasury: TreasuryId, { reference, accountId, amount }: Withdrawal) => ({
  accountId,
  amount: worthOf(amount),
  reference: withdrawalReference(treasury, reference),
});

/** Nothing happens where that state cannot follow. */
async function move(
  { redis, ...treasury }: WithdrawalBookOptions,
  { reference, state }: { reference: string; state: WithdrawalState },
): Promise<void> {
  const keys = treasuryKeys(treasury);
  const args = [keys.treasury, reference, withdrawalStateToText(state)];
  await scripts.withdrawalMove(redis, { keys: [keys.withdrawalStates], args });
}

async function findWithdrawal(
  { redis, ...treasury }: WithdrawalBookOptions,
  reference: string,
): Promise<BookedWithdrawal | undefined> {
  const { withdrawals, withdrawalStates, withdrawalTimes } = treasuryKeys(treasury);
  const [json, state, orderedMs] = await Promise.all([
    redis.send(withdrawals, ['HGET', withdrawals, reference]),
    redis.send(withdrawalStates, ['HGET', withdrawalStates, reference]),
    redis.send(withdrawalTimes, ['ZSCORE', withdrawalTimes, reference]),
  ]);
  // Written by one script: between it and the next read all are there.
  const texts = [json, state, orderedMs].map(maybeTextFrom);
  const [jsonText, stateText, timeText] = texts;
  if (jsonText === undefined || stateText === undefined || timeText === undefined) return undefined;
  return {
    withdrawal: withdrawalFromJson(jsonText),
    state: withdrawalStateFromText(stateText),
    orderedMs: Number(timeText),
  };
}

async function findAll(
  options: WithdrawalBookOptions,
  { key, last }: { key: string; last: number },
): Promise<readonly BookedWithdrawal[]> {
  const reply = await options.redis.send(key, ['ZRANGE', key, '0', String(last)]);
  const found: BookedWithdrawal[] = [];
  for (const reference of textsFrom(reply)) {
    const booked = await findWithdrawal(options, reference);
    if (booked) found.push(booked);
  }
  return found;
}

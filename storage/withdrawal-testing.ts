/** For tests of withdrawals: a treasury, two accounts that withdraw from it, and the steps of its keeper. */
import { randomUUID } from 'node:crypto';
import type { SentTransaction } from '../chain/keeper/operation.ts';
import { microUsdc, worthOf } from '../domain/deposit.ts';
import type { Withdrawal } from '../domain/withdrawal.ts';
import { createAccounts } from './accounts.ts';
import { addressOf, nowMs } from './deposit-testing.ts';
import { createKeeperStore } from './keeper-store.ts';
import { createLedger } from './ledger.ts';
import type { Redis } from './redis.ts';
import { createWithdrawalBook } from './withdrawal-book.ts';

export const treasury = addressOf(1);
const recipient = addressOf(77);
export const micro = worthOf(microUsdc(1n));
const deposited = 10n;
export const longMs = 600_000;

/** All that moves money of two accounts and one treasury, over one connection. */
export function partsOver(redis: Redis, chainId: string) {
  const accounts = createAccounts({ redis, nowMs: () => nowMs, randomId: randomUUID });
  const id = { redis, chainId, address: treasury };
  return {
    accounts,
    ledger: createLedger(redis),
    book: createWithdrawalBook({ ...id, accounts }),
    keeper: createKeeperStore(id),
  };
}

export type Parts = ReturnType<typeof partsOver>;

/** The book of a new treasury, and two accounts that have 10 micro-USDC each. */
export async function newWorld(redis: Redis) {
  const chainId = randomUUID();
  const parts = partsOver(redis, chainId);
  const ids: string[] = [];
  for (const name of ['a', 'b']) {
    const { id: accountId } = await parts.accounts.create({ name });
    const amount = worthOf(microUsdc(deposited));
    await parts.accounts.credit({ accountId, amount, reference: 'start' });
    ids.push(accountId);
  }
  const [first = '', second = ''] = ids;
  return { ...parts, chainId, first, second };
}

export const withdrawalOf = (
  accountId: string,
  options: { reference?: string; amount?: bigint } = {},
): Withdrawal => {
  const { reference = 'one', amount = 4n } = options;
  return { reference, accountId, recipient, amount: microUsdc(amount) };
};

/** What an account has, and what is out of it, in micro-USDC. */
export async function outsideOf({ accounts }: Parts, id: string): Promise<readonly bigint[]> {
  const balance = (await accounts.get(id))?.balance;
  return [(balance?.available ?? 0n) / micro, (balance?.withdrawn ?? 0n) / micro];
}

export const sentOf = (digest: string): SentTransaction => ({
  digest,
  bytes: Uint8Array.of(1),
  signatures: [],
  inputs: [],
  lastEpoch: 1n,
  builtAtHeight: 1n,
});

/** What a keeper does in one step, where whoever holds the lease is trusted to hold it: begins to pay, or ends that. */
export async function keep(
  { keeper, book }: Parts,
  { isPaid }: { isPaid: boolean },
): Promise<void> {
  const { operation, revision } = await keeper.load(0);
  const lease = { token: '1' };
  if (operation?.kind === 'withdrawing') {
    const { id, startedMs, withdrawal } = operation;
    const end = { id, startedMs, endedMs: startedMs, withdrawal };
    const failure = { kind: 'not-landed' } as const;
    const ended = isPaid
      ? ({ ...end, kind: 'paid', digest: id } as const)
      : ({ ...end, kind: 'not-paid', failure } as const);
    await keeper.commit(lease, { revision, operation: undefined, ended });
    return;
  }
  const [withdrawal] = await book.queued();
  if (!withdrawal) return;
  const id = randomUUID();
  const begun = { id, startedMs: nowMs, withdrawal, sent: sentOf(id) };
  const next = { kind: 'withdrawing', ...begun } as const;
  await keeper.commit(lease, { revision, operation: next, ended: undefined });
}

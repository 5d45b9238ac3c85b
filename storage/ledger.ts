/** The ledger over Redis: each operation is one script, so that it is atomic and one round trip. */
import type { KeyLimits } from '../domain/api-key.ts';
import type { Failure } from '../domain/failure.ts';
import { picoUsd } from '../domain/money.ts';
import type {
  Balance,
  Ledger,
  RateState,
  Reserved,
  ReserveOrder,
  Resolution,
} from '../domain/reservation.ts';
import { amountFrom, usageRecordToJson } from './codecs.ts';
import { accountKeys } from './keys.ts';
import { evidenceToJson } from './receipt-codecs.ts';
import type { Redis } from './redis.ts';
import { listFrom, maybeTextFrom, textsFrom } from './reply.ts';
import { scripts } from './script.ts';

/** About how many usage records an account keeps; Redis trims whole nodes of about a hundred. */
export const usageRecordsMax = 10_000;

/** Money and places held by others come free when one of their requests ends. */
const heldRetryMs = 1000;
const minuteMs = 60_000;

/** The sums of an account, in the order in which they are read. */
export const balanceFields = [
  'available',
  'reserved',
  'settled',
  'deposited',
  'withdrawn',
] as const;

export function createLedger(redis: Redis): Ledger {
  const keysOf = (accountId: string, requestId: string) => {
    const keys = accountKeys(accountId);
    return {
      ...keys,
      ending: [
        keys.balance,
        `${keys.openPrefix}${requestId}`,
        keys.leases,
        keys.entries,
        keys.usage,
      ],
    };
  };

  return {
    async reserve(order) {
      const keys = accountKeys(order.accountId);
      const reply = await scripts.reserve(redis, {
        keys: [
          keys.balance,
          `${keys.openPrefix}${order.requestId}`,
          keys.leases,
          keys.entries,
          `${keys.limitsPrefix}${order.keyId}`,
        ],
        args: argsOf(order),
      });
      return answerFrom(textsFrom(reply), order);
    },

    async settle({ requestId, accountId, cost, record, evidence }) {
      const keys = keysOf(accountId, requestId);
      const { inputTokens, outputTokens } = record.usage;
      const reply = await scripts.settle(redis, {
        keys: [...keys.ending, keys.receipts, keys.receiptsUnsealed],
        args: [
          requestId,
          keys.limitsPrefix,
          String(cost),
          String(inputTokens + outputTokens),
          record.priceVersion,
          usageRecordToJson(record),
          String(usageRecordsMax),
          evidence ? evidenceToJson(evidence) : '',
        ],
      });
      return resolutionFrom(reply);
    },

    async release({ requestId, accountId, record }) {
      const keys = keysOf(accountId, requestId);
      const reply = await scripts.release(redis, {
        keys: keys.ending,
        args: [requestId, keys.limitsPrefix, usageRecordToJson(record), String(usageRecordsMax)],
      });
      return resolutionFrom(reply);
    },

    async renew({ accountId, requestId, leaseMs }) {
      const keys = [accountKeys(accountId).leases];
      return (await scripts.renew(redis, { keys, args: [requestId, String(leaseMs)] })) === 1;
    },

    async isOpen({ accountId, requestId }) {
      const key = `${accountKeys(accountId).openPrefix}${requestId}`;
      return (await redis.send(key, ['EXISTS', key])) === 1;
    },

    balance: (accountId) => readBalance(redis, accountId),
  };
}

/** Throws where there is no such account. */
async function readBalance(redis: Redis, accountId: string): Promise<Balance> {
  const key = accountKeys(accountId).balance;
  return balanceFrom(await redis.send(key, ['HMGET', key, ...balanceFields]));
}

/** The values of `balanceFields`; throws where there is no such account. */
export function balanceFrom(reply: unknown): Balance {
  const texts = listFrom(reply).map(maybeTextFrom);
  const [available = '', reserved = '', settled = '', deposited = '', withdrawn = '0'] = texts;
  return {
    available: amountFrom(available),
    reserved: amountFrom(reserved),
    settled: amountFrom(settled),
    deposited: amountFrom(deposited),
    // An account that has never withdrawn may lack it.
    withdrawn: amountFrom(withdrawn),
  };
}

function argsOf(order: ReserveOrder): string[] {
  const { limits } = order;
  const maxima = [
    limits.requestsPerMinuteMax,
    limits.tokensPerMinuteMax,
    limits.parallelRequestsMax,
    limits.budgetPerDay,
    limits.budgetPerMonth,
    limits.budgetTotal,
  ];
  return [
    order.requestId,
    order.keyId,
    order.model,
    order.endpoint,
    String(order.amount),
    String(order.tokens),
    String(order.leaseMs),
    ...maxima.map((max) => String(max ?? '')),
  ];
}

/** Puts what the script said into the words of the domain. */
function answerFrom(reply: readonly string[], order: ReserveOrder): Reserved | Failure {
  const [kind = '', detail = '', more = ''] = reply;
  const limits = order.limits;
  switch (kind) {
    case 'reserved':
      return { kind, ...rateStates({ requestsLevel: detail, tokensLevel: more }, limits) };
    case 'requests-exceeded':
      return { kind, limit: limits.requestsPerMinuteMax ?? 0, retryAfterMs: Number(detail) };
    case 'tokens-exceeded':
      return { kind, limit: limits.tokensPerMinuteMax ?? 0, retryAfterMs: Number(detail) };
    case 'tokens-oversized':
      return { kind, limit: limits.tokensPerMinuteMax ?? 0 };
    case 'parallel-exceeded':
      return { kind, limit: limits.parallelRequestsMax ?? 0, retryAfterMs: heldRetryMs };
    case 'budget-exhausted':
      return { kind, window: windowFrom(detail) };
    case 'budget-held':
      return { kind, window: windowFrom(detail), retryAfterMs: heldRetryMs };
    case 'balance-held':
      return { kind, retryAfterMs: heldRetryMs };
    case 'balance-exhausted':
      return { kind, missing: picoUsd(order.amount - amountFrom(detail)) };
    default:
      throw new Error(`reserve answered "${kind}" for account ${order.accountId}`);
  }
}

function windowFrom(text: string): 'day' | 'month' | 'total' {
  if (text === 'day' || text === 'month' || text === 'total') return text;
  throw new TypeError(`expected a window, got "${text}"`);
}

function rateStates(levels: { requestsLevel: string; tokensLevel: string }, limits: KeyLimits) {
  return {
    requests: rateState(levels.requestsLevel, limits.requestsPerMinuteMax),
    tokens: rateState(levels.tokensLevel, limits.tokensPerMinuteMax),
  };
}

function rateState(level: string, limit: number | undefined): RateState | undefined {
  if (limit === undefined || level === '') return undefined;
  const left = Math.max(0, Number(level));
  const resetMs = limit === 0 ? minuteMs : Math.ceil(((limit - left) * minuteMs) / limit);
  return { limit, remaining: Math.floor(left), resetMs };
}

function resolutionFrom(reply: unknown): Resolution {
  const charged = maybeTextFrom(reply);
  return charged === undefined
    ? { resolved: false, charged: picoUsd(0n) }
    : { resolved: true, charged: amountFrom(charged) };
}

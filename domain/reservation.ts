/**
 * The life of a reservation: money held while a request runs, ended exactly once by settle, release or expire.
 * These types are the port that `storage/` implements.
 */
import type { KeyLimits } from './api-key.ts';
import type { Evidence } from './evidence.ts';
import type { Failure } from './failure.ts';
import type { Endpoint } from './model.ts';
import { least, type PicoUsd, picoUsd } from './money.ts';
import type { Usage } from './usage.ts';

export type ReserveOrder = {
  readonly requestId: string;
  readonly accountId: string;
  readonly keyId: string;
  readonly limits: KeyLimits;
  readonly model: string;
  /** For the usage record that is written where nobody but the sweeper ends the reservation. */
  readonly endpoint: Endpoint;
  readonly amount: PicoUsd;
  /** The tokens that count against tokens per minute until the settlement tells the true number. */
  readonly tokens: number;
  readonly leaseMs: number;
};

/** What is left of the key's limits after the reservation, for `x-ratelimit-*`; nothing where there is no limit. */
export type RateState = {
  readonly limit: number;
  readonly remaining: number;
  readonly resetMs: number;
};

export type Reserved = {
  readonly kind: 'reserved';
  readonly requests: RateState | undefined;
  readonly tokens: RateState | undefined;
};

/** How an exchange ended, for the ledger, the usage list, metrics and logs. */
export const endings = [
  'completed',
  'client-aborted',
  'node-failed',
  'node-truncated',
  'timed-out',
  'refused',
  'gateway-failed',
  'expired',
] as const;
export type Ending = (typeof endings)[number];

export type SettleOrder = {
  readonly requestId: string;
  readonly accountId: string;
  readonly cost: PicoUsd;
  readonly record: UsageRecord;
  /** What the receipt of a settlement tells besides; nothing where none is issued. */
  readonly evidence: Evidence | undefined;
};

/** One line of `/v1/account/usage`. */
export type UsageRecord = {
  readonly timeMs: number;
  readonly requestId: string;
  readonly keyId: string;
  readonly model: string;
  readonly endpoint: Endpoint;
  readonly nodeId: string;
  readonly priceVersion: string;
  readonly usage: Usage;
  /** True where the gateway counted because the node's own count was missing or implausible. */
  readonly estimated: boolean;
  readonly status: number;
  readonly ending: Ending;
};

/** `resolved` is false where the reservation had ended before, or never was: nothing has moved then. */
export type Resolution = {
  readonly resolved: boolean;
  readonly charged: PicoUsd;
};

export type Balance = {
  readonly available: PicoUsd;
  readonly reserved: PicoUsd;
  readonly settled: PicoUsd;
  readonly deposited: PicoUsd;
  /** What has left for the chain, or is about to. */
  readonly withdrawn: PicoUsd;
};

export type Ledger = {
  /** Checks every limit and holds the money in one atomic step; repeating an open id changes nothing. */
  reserve(order: ReserveOrder): Promise<Reserved | Failure>;
  /** Charges at most what is held and returns the rest; also appends the usage record, and what its receipt is made of. */
  settle(order: SettleOrder): Promise<Resolution>;
  /** Returns all that is held; the usage record says why. */
  release(order: SettleOrder): Promise<Resolution>;
  /** Extends the lease of an open reservation; false where it has ended. */
  renew(order: { accountId: string; requestId: string; leaseMs: number }): Promise<boolean>;
  /** Whether the reservation is still open. */
  isOpen(order: { accountId: string; requestId: string }): Promise<boolean>;
  balance(accountId: string): Promise<Balance>;
};

/** Divides the held money into charge and return; the charge never exceeds what was held. */
export function divide(held: PicoUsd, cost: PicoUsd): { charged: PicoUsd; returned: PicoUsd } {
  const charged = least(held, cost);
  return { charged, returned: picoUsd(held - charged) };
}

/** Compute units of a model's stacks, which live in another slot of a cluster than the account's money. */
export type UnitPool = {
  /** Holds units of the model; repeating an open id changes nothing. */
  reserve(order: {
    requestId: string;
    model: string;
    units: number;
    leaseMs: number;
  }): Promise<'reserved' | Failure>;
  /** Ends the hold and charges the stack that served, if any did. */
  settle(order: {
    requestId: string;
    model: string;
    stackId: string | undefined;
    units: number;
  }): Promise<boolean>;
  renew(order: { requestId: string; model: string; leaseMs: number }): Promise<boolean>;
};

/** API keys: who holds one, what it may do and how much; the key itself is never stored, only its SHA-256. */
import type { Endpoint } from './model.ts';
import type { PicoUsd } from './money.ts';

export const scopes = ['chat', 'completions', 'embeddings', 'images', 'models', 'account'] as const;
export type Scope = (typeof scopes)[number] & (Endpoint | 'models' | 'account');

/** Nothing stands for "no limit". */
export type KeyLimits = {
  readonly requestsPerMinuteMax: number | undefined;
  readonly tokensPerMinuteMax: number | undefined;
  readonly parallelRequestsMax: number | undefined;
  readonly budgetPerDay: PicoUsd | undefined;
  readonly budgetPerMonth: PicoUsd | undefined;
  readonly budgetTotal: PicoUsd | undefined;
};

export type ApiKey = {
  readonly id: string;
  readonly accountId: string;
  readonly name: string;
  /** The first characters of the key, to recognise it in a list. */
  readonly hint: string;
  readonly createdMs: number;
  readonly expiresMs: number | undefined;
  readonly revokedMs: number | undefined;
  readonly scopes: readonly Scope[];
  /** Nothing stands for "every model". */
  readonly models: readonly string[] | undefined;
  readonly limits: KeyLimits;
};

export const noLimits: KeyLimits = {
  requestsPerMinuteMax: undefined,
  tokensPerMinuteMax: undefined,
  parallelRequestsMax: undefined,
  budgetPerDay: undefined,
  budgetPerMonth: undefined,
  budgetTotal: undefined,
};

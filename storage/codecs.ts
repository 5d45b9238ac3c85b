/** How records stand in Redis: JSON, strict, with amounts as decimal strings. */
import { z } from 'zod';
import type { DepositProgress } from '../chain/deposits/store.ts';
import { type ApiKey, scopes } from '../domain/api-key.ts';
import { suiAddress } from '../domain/chain-ids.ts';
import { type Deposit, microUsdc } from '../domain/deposit.ts';
import { type Catalogue, endpoints, protocols } from '../domain/model.ts';
import { type PicoUsd, picoUsd } from '../domain/money.ts';
import type { Price } from '../domain/price.ts';
import { endings, type UsageRecord } from '../domain/reservation.ts';
import type { WalletChallenge } from '../domain/wallet-challenge.ts';
import type { Withdrawal, WithdrawalState } from '../domain/withdrawal.ts';

export const toJson = (value: unknown): string =>
  JSON.stringify(value, (_name, field) => (typeof field === 'bigint' ? String(field) : field));

/** Reads an amount that a script or a codec wrote. */
export function amountFrom(text: string): PicoUsd {
  if (!/^(0|[1-9]\d{0,18})$/.test(text)) throw new TypeError(`expected an amount, got "${text}"`);
  return picoUsd(BigInt(text));
}

export const amount = z.string().transform(amountFrom);
const count = z.int().min(0);

/** JSON has no `undefined`: an absent field reads as one. */
export const maybe = <T extends z.ZodType>(schema: T) =>
  schema.optional().transform((value): z.output<T> | undefined => value);

const price = z.strictObject({
  version: z.string(),
  inputToken: amount,
  cachedInputToken: amount,
  outputToken: amount,
  image: amount,
  imagePixel: amount,
});

const apiKey = z.strictObject({
  id: z.string(),
  accountId: z.string(),
  name: z.string(),
  hint: z.string(),
  createdMs: count,
  expiresMs: maybe(count),
  revokedMs: maybe(count),
  scopes: z.array(z.enum(scopes)),
  models: maybe(z.array(z.string())),
  limits: z.strictObject({
    requestsPerMinuteMax: maybe(count),
    tokensPerMinuteMax: maybe(count),
    parallelRequestsMax: maybe(count),
    budgetPerDay: maybe(amount),
    budgetPerMonth: maybe(amount),
    budgetTotal: maybe(amount),
  }),
});

const catalogue = z.strictObject({
  version: z.string(),
  models: z.array(
    z.strictObject({
      id: z.string(),
      createdSeconds: count,
      ownedBy: z.string(),
      endpoints: z.array(z.enum(endpoints)),
      protocols: z.array(z.enum(protocols)),
      contextTokensMax: count,
      outputTokensMax: count,
      mediaTokensMax: count,
      price: maybe(price),
    }),
  ),
});

export const usageRecord = z.strictObject({
  timeMs: count,
  requestId: z.string(),
  keyId: z.string(),
  model: z.string(),
  endpoint: z.enum(endpoints),
  nodeId: z.string(),
  priceVersion: z.string(),
  usage: z.strictObject({
    inputTokens: count,
    cachedInputTokens: count,
    outputTokens: count,
    images: count,
    imagePixels: count,
  }),
  estimated: z.boolean(),
  status: count,
  ending: z.enum(endings),
});

const integer = z
  .string()
  .regex(/^\d{1,20}$/)
  .transform(BigInt);

const deposit = z.strictObject({
  digest: z.string(),
  index: count,
  amount: integer.transform(microUsdc),
  payer: maybe(z.string().transform(suiAddress)),
  checkpoint: integer,
  timeMs: count,
});

export const priceToJson = (value: Price): string => toJson(value);
export const priceFromJson = (text: string): Price => price.parse(JSON.parse(text));

export const apiKeyToJson = (value: ApiKey): string => toJson(value);
export const apiKeyFromJson = (text: string): ApiKey => apiKey.parse(JSON.parse(text));

export const catalogueToJson = (value: Catalogue): string => toJson(value);
export const catalogueFromJson = (text: string): Catalogue => catalogue.parse(JSON.parse(text));

export const usageRecordToJson = (value: UsageRecord): string => toJson(value);
export const usageRecordFromJson = (text: string): UsageRecord =>
  usageRecord.parse(JSON.parse(text));

/** The fields in one order, so that the same deposit is always the same text. */
export const depositToJson = (value: Deposit): string =>
  toJson({
    digest: value.digest,
    index: value.index,
    amount: value.amount,
    payer: value.payer,
    checkpoint: value.checkpoint,
    timeMs: value.timeMs,
  });
export const depositFromJson = (text: string): Deposit => deposit.parse(JSON.parse(text));

const depositProgress = z.strictObject({
  /** Before the first checkpoint of the chain it is -1. */
  covered: z
    .string()
    .regex(/^(-1|\d{1,20})$/)
    .transform(BigInt),
  cursor: maybe(
    z
      .strictObject({ provider: z.string(), bytes: z.base64() })
      .transform(({ provider, bytes }) => ({
        provider,
        bytes: new Uint8Array(Buffer.from(bytes, 'base64')),
      })),
  ),
  status: z.discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('following') }),
    z.strictObject({ kind: z.literal('pruned'), start: integer, lowest: integer }),
    z.strictObject({ kind: z.literal('halted'), reason: z.string() }),
  ]),
});

export function depositProgressToJson({ covered, cursor, status }: DepositProgress): string {
  const bytes = cursor && Buffer.from(cursor.bytes).toString('base64');
  return toJson({ covered, cursor: cursor && { provider: cursor.provider, bytes }, status });
}
export const depositProgressFromJson = (text: string): DepositProgress =>
  depositProgress.parse(JSON.parse(text));

const walletChallenge = z.strictObject({
  accountId: z.string(),
  wallet: z.string().transform(suiAddress),
  text: z.string(),
  expiresMs: count,
});

export const walletChallengeToJson = (value: WalletChallenge): string => toJson(value);
export const walletChallengeFromJson = (text: string): WalletChallenge =>
  walletChallenge.parse(JSON.parse(text));

const withdrawal = z.strictObject({
  reference: z.string(),
  accountId: z.string(),
  recipient: z.string().transform(suiAddress),
  amount: integer.transform(microUsdc),
});

/** The fields in one order, so that the same withdrawal is always the same text. */
export const withdrawalToJson = ({ reference, accountId, recipient, amount }: Withdrawal): string =>
  toJson({ reference, accountId, recipient, amount });
export const withdrawalFromJson = (text: string): Withdrawal => withdrawal.parse(JSON.parse(text));

/** One word, and behind it the digest of what is paid, so that scripts can read it too. */
export const withdrawalStateToText = (state: WithdrawalState): string =>
  state.kind === 'paid' ? `${state.kind} ${state.digest}` : state.kind;

export function withdrawalStateFromText(text: string): WithdrawalState {
  const [kind = '', digest] = text.split(' ');
  switch (kind) {
    case 'proposed':
    case 'refused':
    case 'queued':
    case 'paying':
    case 'cancelling':
    case 'cancelled':
      return { kind };
    case 'paid':
      if (digest !== undefined) return { kind, digest };
  }
  throw new TypeError(`expected the state of a withdrawal, got "${text}"`);
}

/**
 * Wallets and deposits of an account: a wallet is linked by signing a text that was issued for it, once; deposits of linked
 * wallets are credited by themselves, and a look-up by digest only speeds that up.
 */
import { isValidTransactionDigest } from '@mysten/sui/utils';
import type { Context, Hono } from 'hono';
import { z } from 'zod';
import type { DepositLookup } from '../../chain/deposits/lookup.ts';
import type { WalletVerdict } from '../../chain/wallet-proof.ts';
import { parseSuiAddress, type SuiAddress } from '../../domain/chain-ids.ts';
import { depositId } from '../../domain/deposit.ts';
import type { Failure } from '../../domain/failure.ts';
import { headers } from '../../domain/names.ts';
import { invalid } from '../../domain/request-fields.ts';
import { createWalletChallenge } from '../../domain/wallet-challenge.ts';
import type { DepositBook } from '../../storage/deposit-book.ts';
import type { WalletLinks } from '../../storage/wallet-links.ts';
import { parseUsageQuery } from './account-objects.ts';
import { readJson } from './body.ts';
import { toDepositList, toDepositObject, toWalletList } from './deposit-objects.ts';
import { toResponse } from './response.ts';

export type DepositPorts = {
  /** The gateway's name as its callers know it; wallets show it. */
  readonly domain: string;
  readonly chainId: string;
  readonly wallets: WalletLinks;
  readonly book: Pick<DepositBook, 'find' | 'page' | 'settle'>;
  readonly verify: (options: {
    wallet: SuiAddress;
    text: string;
    signature: string;
  }) => Promise<WalletVerdict>;
  /** Nothing where the full node gives no usable answer. */
  readonly lookUp: (digest: string) => Promise<DepositLookup | undefined>;
  /** 128 random bits in hex. */
  readonly nonce: () => string;
  readonly nowMs: () => number;
};

/** A signature and the text that was signed fit well. */
const bodyBytesMax = 24_576;
const retryAfterMs = 2000;

const challengeBody = z.strictObject({
  address: z.string().transform((text, context) => {
    const address = parseSuiAddress(text);
    if (address) return address;
    context.addIssue('expected 0x and 64 lower-case hex digits');
    return z.NEVER;
  }),
});
const linkBody = z.strictObject({
  message: z.string().max(2048),
  signature: z.string().max(16_384),
});
const digestBody = z.strictObject({
  digest: z.string().max(44).refine(isValidTransactionDigest, 'expected a transaction’s digest'),
});

export function addDepositEndpoints(api: Hono, ports: DepositPorts): void {
  const handle =
    (run: (request: { accountId: string; context: Context }) => Promise<Response | Failure>) =>
    async (context: Context): Promise<Response> => {
      const accountId = context.req.header(headers.account);
      if (accountId === undefined) return toResponse({ kind: 'key-missing' });
      const answer = await run({ accountId, context });
      return answer instanceof Response ? answer : toResponse(answer);
    };

  api.post(
    '/v1/wallets/challenge',
    handle((request) => issueChallenge(ports, request)),
  );
  api.post(
    '/v1/wallets',
    handle((request) => linkWallet(ports, request)),
  );
  api.get(
    '/v1/wallets',
    handle((request) => listWallets(ports, request)),
  );
  api.post(
    '/v1/deposits',
    handle((request) => lookUpDeposit(ports, request)),
  );
  api.get(
    '/v1/deposits',
    handle((request) => listDeposits(ports, request)),
  );
  for (const [path, allow] of [
    ['/v1/wallets/challenge', 'POST'],
    ['/v1/wallets', 'GET, POST'],
    ['/v1/deposits', 'GET, POST'],
  ] as const) {
    api.all(path, () => toResponse({ kind: 'method-not-allowed', allow }));
  }
}

type Request = { readonly accountId: string; readonly context: Context };

async function issueChallenge(
  { domain, chainId, wallets, nonce, nowMs }: DepositPorts,
  { accountId, context }: Request,
): Promise<Response | Failure> {
  const body = await readBody(context, challengeBody);
  if (body.kind !== 'body') return body;
  const wallet = body.value.address;
  const order = { domain, chainId, accountId, wallet, nonce: nonce(), nowMs: nowMs() };
  const challenge = createWalletChallenge(order);
  await wallets.keep(challenge);
  return context.json({
    object: 'wallet.challenge',
    address: wallet,
    message: challenge.text,
    expires_at: new Date(challenge.expiresMs).toISOString(),
  });
}

/** Verifies first and uses the challenge up then, so that a failed attempt costs nothing. */
async function linkWallet(
  { wallets, book, verify, nowMs }: DepositPorts,
  { accountId, context }: Request,
): Promise<Response | Failure> {
  const body = await readBody(context, linkBody);
  if (body.kind !== 'body') return body;
  const { message, signature } = body.value;
  const challenge = await wallets.find({ accountId, text: message });
  if (!challenge || challenge.expiresMs <= nowMs()) return { kind: 'wallet-unproved' };
  const { wallet, text } = challenge;
  const verdict = await verify({ wallet, text, signature });
  if (verdict === 'unavailable') return { kind: 'gateway-unavailable', retryAfterMs };
  if (verdict === 'not-signed') return { kind: 'wallet-unproved' };
  const linking = await wallets.link(challenge);
  if (linking === 'challenge-unknown') return { kind: 'wallet-unproved' };
  if (linking === 'wallet-taken') return { kind: 'wallet-taken' };
  if (linking === 'wallets-exceeded') {
    return invalid('message', 'The account has as many wallets as it may have.');
  }
  await book.settle();
  return context.json({ object: 'wallet', address: wallet });
}

async function listWallets({ wallets }: DepositPorts, { accountId, context }: Request) {
  return context.json(toWalletList(await wallets.list(accountId)));
}

/** Shows a deposit to its owner, and to anybody while it has none: what the chain tells is public. */
async function lookUpDeposit(
  { book, lookUp }: DepositPorts,
  { accountId, context }: Request,
): Promise<Response | Failure> {
  const body = await readBody(context, digestBody);
  if (body.kind !== 'body') return body;
  const lookup = await lookUp(body.value.digest);
  if (lookup === undefined || lookup.kind === 'not-final') {
    return { kind: 'gateway-unavailable', retryAfterMs };
  }
  if (lookup.kind !== 'deposit') return { kind: 'not-found' };
  const booked = await book.find(depositId(lookup.deposit));
  const isForeign = booked?.accountId !== undefined && booked.accountId !== accountId;
  if (!booked || isForeign) return { kind: 'not-found' };
  return context.json(toDepositObject(booked));
}

async function listDeposits(
  { book }: DepositPorts,
  { accountId, context }: Request,
): Promise<Response | Failure> {
  const query = parseUsageQuery(context.req.query());
  if (query.kind !== 'query') return query;
  const page = await book.page({ accountId, before: query.before, limit: query.limit });
  return page
    ? context.json(toDepositList(page))
    : invalid('before', 'This is not a cursor of a page of deposits.');
}

async function readBody<Value>(
  context: Context,
  schema: z.ZodType<Value>,
): Promise<{ readonly kind: 'body'; readonly value: Value } | Failure> {
  const type = context.req.header('content-type')?.split(';')[0]?.trim().toLowerCase();
  if (type !== 'application/json') return { kind: 'content-type-unsupported' };
  const json = await readJson(context, bodyBytesMax);
  if (json.kind !== 'json') return json;
  const parsed = schema.safeParse(json.value);
  if (parsed.success) return { kind: 'body', value: parsed.data };
  const [issue] = parsed.error.issues;
  const param = issue && issue.path.length > 0 ? issue.path.join('.') : null;
  return invalid(param, issue?.message ?? 'The body is not as it should be.');
}

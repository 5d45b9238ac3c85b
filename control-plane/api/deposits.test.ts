import { randomBytes } from 'node:crypto';
import { toBase64 } from '@mysten/sui/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { lookUpDeposit } from '../../chain/deposits/lookup.ts';
import { connectDeposits } from '../../chain/deposits/testing.ts';
import type { FullNode } from '../../chain/full-node.ts';
import { verifyWallet } from '../../chain/wallet-proof.ts';
import { emptyFleet } from '../../domain/fleet.ts';
import { challengeLifeMs } from '../../domain/wallet-challenge.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import type { Storage } from '../../storage/storage.ts';
import { openStorage } from '../../storage/testing.ts';
import { ann, bob, type Payments, startPayments } from '../../test/payments.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { createApi } from './app.ts';

const signal = new AbortController().signal;
let redis: TestRedis;
let storage: Storage;
let world: Payments;
let fullNode: FullNode;
let api: ReturnType<typeof createApi>;
let nowMs = Date.now();
let accounts: { readonly anns: string; readonly bobs: string };

beforeAll(async () => {
  redis = await startRedis();
  storage = await openStorage(redis.url);
  world = await startPayments(storage);
  const { chainId, book, gateway: treasury } = world;
  fullNode = connectDeposits({ host: world.node.address, chainId });
  accounts = { anns: await world.accountWith(), bobs: await world.accountWith() };
  api = createApi({
    catalogue: () => ({ version: '', models: [] }),
    findKey: storage.apiKeys.get,
    findAccount: storage.accounts.get,
    usagePage: storage.usage.page,
    ping: storage.ping,
    nodes: undefined,
    log: silentLog,
    locks: { fleet: () => emptyFleet, addLock: async () => true, random: () => 0 },
    deposits: {
      domain: 'gateway.test',
      chainId,
      wallets: storage.wallets(chainId),
      book,
      verify: (signed) => verifyWallet({ ...signed, fullNode, signal }),
      lookUp: (digest) =>
        lookUpDeposit({ fullNode, store: book, treasury, digest, log: silentLog, signal }),
      nonce: () => randomBytes(16).toString('hex'),
      nowMs: () => nowMs,
    },
  });
});
afterAll(async () => {
  fullNode.close();
  await world.close();
  const { problems, deposits } = await storage.audit();
  expect(problems).toEqual([]);
  expect(deposits.onChain).toBe(deposits.credited + deposits.waiting);
  storage.close();
  await redis.stop();
});

async function ask(path: string, options: { account?: string; method?: string; body?: unknown }) {
  const { account = accounts.anns, body, method = body === undefined ? 'GET' : 'POST' } = options;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const response = await api.request(path, {
    method,
    headers: { 'x-atoma-account': account, 'content-type': 'application/json' },
    ...(body === undefined ? {} : { body: text }),
  });
  return { status: response.status, body: z.unknown().parse(await response.json()) };
}

const challengeSchema = z.object({ message: z.string() });
async function challengeFor(address: string, account = accounts.anns): Promise<string> {
  const { body } = await ask('/v1/wallets/challenge', { account, body: { address } });
  return challengeSchema.parse(body).message;
}

async function prove(key: typeof ann, options: { account?: string; message: string }) {
  const { account = accounts.anns, message } = options;
  const { signature } = await key.signPersonalMessage(new TextEncoder().encode(message));
  return ask('/v1/wallets', { account, body: { message, signature } });
}

const unproved = { status: 401, body: { error: { code: 'wallet_not_proved' } } };

describe('a caller', () => {
  it('links wallets by signing what was issued, once, and has their deposits', async () => {
    const early = await world.pay(ann, { amount: 3_000_000n / 10n });
    world.node.seal();
    const waiting = { status: 'waiting', from_address: ann.toSuiAddress(), amount_usd: '0.3' };
    expect(await ask('/v1/deposits', { body: { digest: early } })).toMatchObject({ body: waiting });

    const message = await challengeFor(ann.toSuiAddress());
    for (const part of ['Domain: gateway.test', accounts.anns, ann.toSuiAddress(), world.chainId]) {
      expect(message).toContain(part);
    }
    expect(await prove(bob, { message })).toMatchObject(unproved);
    expect(await prove(ann, { message: `${message} ` })).toMatchObject(unproved);
    expect(await prove(ann, { message, account: accounts.bobs })).toMatchObject(unproved);
    expect(await prove(ann, { message })).toMatchObject({ status: 200 });
    expect(await prove(ann, { message })).toMatchObject(unproved);
    const credited = { ...waiting, status: 'credited' };
    expect(await ask('/v1/deposits', {})).toMatchObject({ body: { data: [credited] } });
    expect(await world.deposited(accounts.anns)).toBe(300_000_000_000n);

    const foreign = await challengeFor(ann.toSuiAddress(), accounts.bobs);
    expect(await prove(ann, { message: foreign, account: accounts.bobs })).toMatchObject({
      status: 409,
      body: { error: { code: 'wallet_taken' } },
    });
    const second = await challengeFor(bob.toSuiAddress());
    expect(await prove(bob, { message: second })).toMatchObject({ status: 200 });
    expect(await ask('/v1/wallets', {})).toMatchObject({
      body: { data: [{ address: ann.toSuiAddress() }, { address: bob.toSuiAddress() }] },
    });
    expect(await ask('/v1/wallets', { account: accounts.bobs })).toMatchObject({
      body: { data: [] },
    });
  });

  it('speeds a deposit up, credited once for fifty at once, and shown to nobody else', async () => {
    const before = await world.deposited(accounts.anns);
    const digest = await world.pay(ann, { amount: 7n });
    world.node.seal();
    const body = { digest };
    const answers = await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        ask('/v1/deposits', { body, account: index % 2 === 0 ? accounts.anns : accounts.bobs }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual(
      Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? 200 : 404)),
    );
    expect((await world.deposited(accounts.anns)) - before).toBe(7_000_000n);
    expect(await world.deposited(accounts.bobs)).toBe(0n);
  });

  it('cannot use a challenge whose time is over', async () => {
    const message = await challengeFor(ann.toSuiAddress());
    nowMs += challengeLifeMs;
    expect(await prove(ann, { message })).toMatchObject(unproved);
    nowMs = Date.now();
  });

  it('with zkLogin meets 503 and keeps the challenge while the full node is away', async () => {
    const address = `0x${'5'.repeat(64)}`;
    const message = await challengeFor(address);
    const body = { message, signature: toBase64(Uint8Array.of(5, 1, 2)) };
    expect(await ask('/v1/wallets', { body })).toMatchObject(unproved);
    world.node.chain.vouched.add(address);
    world.node.faults.set({ unavailable: ['SignatureVerificationService/VerifySignature'] });
    expect(await ask('/v1/wallets', { body })).toMatchObject({ status: 503 });
    world.node.faults.clear();
    expect(await ask('/v1/wallets', { body })).toMatchObject({ status: 200 });
  });
});

describe('the endpoints of deposits', () => {
  const digest = '4btiuiMPvEENsttpZC7CZ53DruC3MAgfznDbASZ7DR6S';
  it.each([
    ['/v1/wallets/challenge', { address: '0x1' }, 400],
    ['/v1/wallets/challenge', { address: `0x${'1'.repeat(64)}`, more: 1 }, 400],
    ['/v1/wallets', { message: 'x', signature: 'y' }, 401],
    ['/v1/wallets', { message: 'x' }, 400],
    ['/v1/wallets', 'x', 400],
    ['/v1/wallets', { message: 'x', signature: 'y'.repeat(30_000) }, 413],
    ['/v1/deposits', { digest: 'x' }, 400],
    ['/v1/deposits', { digest }, 404],
    ['/v1/deposits', [], 400],
  ] as const)('refuse %s %j as %d', async (path, body, status) => {
    expect(await ask(path, { body })).toMatchObject({ status, body: { error: {} } });
  });

  it('know their methods, their caller and their content type', async () => {
    expect(await ask('/v1/wallets', { method: 'PUT' })).toMatchObject({ status: 405 });
    expect((await api.request('/v1/deposits')).status).toBe(401);
    const post = { method: 'POST', headers: { 'x-atoma-account': 'a' }, body: '{}' };
    expect((await api.request('/v1/deposits', post)).status).toBe(415);
    expect(await ask('/v1/deposits?before=x', {})).toMatchObject({ status: 400 });
  });
});

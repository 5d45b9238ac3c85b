/** What a key may do and how much: every limit refuses in OpenAI's words, on every replica, and says when to come back. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type KeyLimits, noLimits, type Scope, scopes } from '../../domain/api-key.ts';
import { picoUsd } from '../../domain/money.ts';
import { chatModel, embeddingModel, imageModel, plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';
import { errorIn, type RawAnswer, type RawRequest, send } from './raw.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ replicas: { extAuthz: 2, extProc: 1 } });
});
afterAll(() => gateway?.close());

const chatBody = (extra: object = {}) =>
  JSON.stringify({
    model: plainModel,
    messages: [{ role: 'user', content: 'hi' }],
    max_tokens: 4,
    ...extra,
  });
const ask = (apiKey: string, extra: object = {}) =>
  send(gateway, { apiKey, body: chatBody(extra) });
const openWith = (limits: Partial<KeyLimits>) => gateway.openAccount({ usd: '10', limits });
const setFirstTokenMs = (firstTokenMs: number) => {
  for (const id of ['plain-a', 'plain-b']) gateway.devnet.node(id).setPace({ firstTokenMs });
};

/** Milliseconds of a duration such as `12ms`, `1s`, `1.5s` or `6m0s`; nothing where it has another form. */
function durationMs(text: unknown): number | undefined {
  const match = /^(?:(\d+)ms|(?:(\d+)m)?(\d+(?:\.\d{1,3})?)s)$/.exec(String(text));
  if (!match) return undefined;
  const [, ms, minutes, seconds] = match;
  if (ms !== undefined) return Number(ms);
  return Number(minutes ?? 0) * 60_000 + Math.round(Number(seconds) * 1000);
}

/** A refusal that is worth waiting for; returns how long it says to wait. */
function expectWait(answer: RawAnswer, error: { type: string; code: string }): number {
  expect(answer.status).toBe(429);
  expect(errorIn(answer)).toMatchObject({ ...error, param: null });
  const { headers } = answer;
  expect(headers['x-should-retry']).toBe('true');
  const waitMs = Number(headers['retry-after-ms']);
  expect(headers['retry-after']).toBe(String(Math.ceil(waitMs / 1000)));
  expect(waitMs).toBeGreaterThanOrEqual(1000);
  expect(waitMs).toBeLessThanOrEqual(60_000);
  return waitMs;
}

const rateExceeded = (type: string) => ({ type, code: 'rate_limit_exceeded' });
const held = { type: 'insufficient_quota', code: 'in_flight_budget_exhausted' };

/** Sends a request that stays in flight until the returned function is called, which also waits for its answer. */
async function holdOne(account: { accountId: string; apiKey: string }, extra: object = {}) {
  setFirstTokenMs(1500);
  const first = ask(account.apiKey, extra);
  await until(async () => (await gateway.storage.ledger.balance(account.accountId)).reserved > 0n);
  return async () => {
    setFirstTokenMs(0);
    expect((await first).status).toBe(200);
    await untilSettled(gateway, account.accountId);
  };
}

describe('x-ratelimit headers', () => {
  const rates = ({ headers }: RawAnswer) =>
    Object.entries(headers).filter(([name]) => name.startsWith('x-ratelimit-'));

  it('stand on no answer to a key without such limits', async () => {
    expect(rates(await send(gateway, { body: chatBody() }))).toEqual([]);
  });

  it.each([false, true])('count down requests and tokens; in a stream: %s', async (stream) => {
    const limits = { requestsPerMinuteMax: 60, tokensPerMinuteMax: 60_000 };
    const { apiKey } = await openWith(limits);
    const { status, headers } = await ask(apiKey, { stream });
    expect(status).toBe(200);
    expect(headers).toMatchObject({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-requests': '1s',
      'x-ratelimit-limit-tokens': '60000',
    });
    const remaining = Number(headers['x-ratelimit-remaining-tokens']);
    expect(remaining).toBeGreaterThan(59_900);
    expect(remaining).toBeLessThan(60_000);
    // A token comes back each millisecond.
    expect(headers['x-ratelimit-reset-tokens']).toBe(`${60_000 - remaining}ms`);
  });

  it('stand alone for the one limit that a key has', async () => {
    const { apiKey } = await openWith({ requestsPerMinuteMax: 7 });
    expect(new Map(rates(await ask(apiKey)))).toEqual(
      new Map([
        ['x-ratelimit-limit-requests', '7'],
        ['x-ratelimit-remaining-requests', '6'],
        ['x-ratelimit-reset-requests', '8.572s'],
      ]),
    );
  });
});

describe('requests per minute', () => {
  it('refuse the next one and say when it may come', async () => {
    const { apiKey } = await openWith({ requestsPerMinuteMax: 2 });
    expect([(await ask(apiKey)).status, (await ask(apiKey)).status]).toEqual([200, 200]);
    const refused = await ask(apiKey);
    const waitMs = expectWait(refused, rateExceeded('requests'));
    expect(waitMs).toBeLessThanOrEqual(30_000);
    expect(waitMs).toBeGreaterThan(15_000);
    expect(refused.headers).toMatchObject({
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-requests': '0',
    });
    expect(durationMs(refused.headers['x-ratelimit-reset-requests'])).toBe(waitMs);
  });

  it('hold over all replicas together', async () => {
    const { apiKey } = await openWith({ requestsPerMinuteMax: 10 });
    const answers = await Promise.all(Array.from({ length: 60 }, () => ask(apiKey)));
    const served = answers.filter(({ status }) => status === 200).length;
    expect(served).toBeGreaterThanOrEqual(10);
    // One more comes back every six seconds.
    expect(served).toBeLessThanOrEqual(12);
    for (const answer of answers) {
      if (answer.status !== 200) expectWait(answer, rateExceeded('requests'));
    }
  });
});

describe('tokens per minute', () => {
  it('refuse what may exceed them, and give back what was not used', async () => {
    const account = await openWith({ tokensPerMinuteMax: 3000 });
    const large = { max_tokens: 2000 };
    const release = await holdOne(account, large);
    const refused = await ask(account.apiKey, large);
    expectWait(refused, rateExceeded('tokens'));
    expect(refused.headers['x-ratelimit-remaining-tokens']).toBe('0');
    expect(durationMs(refused.headers['x-ratelimit-reset-tokens'])).toBeGreaterThan(0);
    await release();
    expect((await ask(account.apiKey, large)).status).toBe(200);
  });

  it('say so where a request alone is above them', async () => {
    const { apiKey } = await openWith({ tokensPerMinuteMax: 3000 });
    const refused = await ask(apiKey, { max_tokens: 3001 });
    expect(refused.status).toBe(400);
    expect(errorIn(refused)).toMatchObject({ code: 'request_above_token_limit' });
    expect(refused.headers['x-should-retry']).toBe('false');
  });
});

it('parallel requests are refused until one ends', async () => {
  const account = await openWith({ parallelRequestsMax: 1 });
  const release = await holdOne(account);
  expectWait(await ask(account.apiKey), rateExceeded('requests'));
  await release();
  expect((await ask(account.apiKey)).status).toBe(200);
});

/** The money that one request holds while it runs. */
async function findAmount(): Promise<bigint> {
  const account = await openWith({});
  const release = await holdOne(account);
  const { reserved } = await gateway.storage.ledger.balance(account.accountId);
  await release();
  return reserved;
}
let amountOfOne: Promise<bigint> | undefined;

describe.each([
  ['budgetPerDay', 'day'],
  ['budgetPerMonth', 'month'],
  ['budgetTotal', 'total'],
] as const)('%s', (limit, window) => {
  it('refuses with 429 while it is held, and with 402 once it is used up', async () => {
    amountOfOne ??= findAmount();
    const amount = await amountOfOne;
    const account = await openWith({ [limit]: picoUsd(amount) });
    const release = await holdOne(account);
    const waiting = await ask(account.apiKey);
    expectWait(waiting, held);
    expect(waiting.text).toContain(window);
    await release();

    const refused = await ask(account.apiKey);
    expect(refused.status).toBe(402);
    expect(refused.headers['x-should-retry']).toBe('false');
    expect(errorIn(refused)).toMatchObject({
      type: 'insufficient_quota',
      code: 'insufficient_quota',
      message: expect.stringContaining(window),
    });
    const { settled } = await gateway.storage.ledger.balance(account.accountId);
    expect(settled).toBeLessThanOrEqual(amount);
  });
});

const calls: Readonly<Record<Scope, RawRequest>> = {
  chat: { body: chatBody() },
  completions: {
    path: '/v1/completions',
    body: JSON.stringify({ model: plainModel, prompt: 'Once', max_tokens: 2 }),
  },
  embeddings: {
    path: '/v1/embeddings',
    body: JSON.stringify({ model: embeddingModel, input: 'one' }),
  },
  images: {
    path: '/v1/images/generations',
    body: JSON.stringify({ model: imageModel, prompt: 'a fox', size: '64x64' }),
  },
  models: { method: 'GET', path: '/v1/models', contentType: null },
  account: { method: 'GET', path: '/v1/account', contentType: null },
};

it.each(scopes)('a key of the scope %s may do that and nothing else', async (scope) => {
  const { apiKey } = await gateway.openAccount({ usd: '1', scopes: [scope] });
  for (const other of scopes) {
    const answer = await send(gateway, { ...calls[other], apiKey });
    expect([other, answer.status]).toEqual([other, other === scope ? 200 : 403]);
    if (other !== scope) expect(errorIn(answer).code).toBe('insufficient_permissions');
  }
});

it('a key for one model may use and see that one alone', async () => {
  const { apiKey } = await gateway.openAccount({ usd: '1', models: [plainModel] });
  expect((await ask(apiKey)).status).toBe(200);
  const refused = await ask(apiKey, { model: chatModel });
  expect(refused.status).toBe(403);
  expect(errorIn(refused)).toMatchObject({ code: 'model_not_allowed', param: 'model' });
  const listed = await send(gateway, { ...calls.models, apiKey });
  const { data } = z
    .object({ data: z.array(z.object({ id: z.string() })) })
    .parse(JSON.parse(listed.text));
  expect(data.map(({ id }) => id)).toEqual([plainModel]);
});

describe('a key that ends', () => {
  /** Many requests on connections of their own, so that each replica sees some. */
  const askMany = (apiKey: string) =>
    Promise.all(Array.from({ length: 10 }, () => send(gateway, { ...calls.models, apiKey })));

  function expectRefused(answers: readonly RawAnswer[], word: string): void {
    for (const answer of answers) {
      expect(answer.status).toBe(401);
      const { code, message } = errorIn(answer);
      expect([code, message]).toEqual(['invalid_api_key', expect.stringContaining(word)]);
      expect(answer.headers['www-authenticate']).toBe('Bearer');
    }
  }

  it('by a revocation is refused everywhere within a second', async () => {
    const { apiKey, keyId } = await gateway.openAccount({ usd: '1' });
    const before = [...(await askMany(apiKey)), ...(await askMany(apiKey))];
    expect(before.filter(({ status }) => status !== 200)).toEqual([]);
    await gateway.storage.apiKeys.revoke(keyId);
    await delay(1000);
    for (let round = 0; round < 5; round += 1) expectRefused(await askMany(apiKey), 'revoked');
    expectRefused([await ask(apiKey)], 'revoked');
  });

  it('by its expiry is refused from then on', async () => {
    const { accountId } = await gateway.openAccount({ usd: '1' });
    const order = { accountId, name: '', scopes, models: undefined, limits: noLimits };
    const expiresMs = Date.now() + 3000;
    const { text } = await gateway.storage.apiKeys.create({ ...order, expiresMs });
    expect((await askMany(text)).filter(({ status }) => status !== 200)).toEqual([]);
    await delay(expiresMs - Date.now() + 1);
    expectRefused(await askMany(text), 'expired');
  });
});

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noLimits } from '../domain/api-key.ts';
import { keyTextFrom } from '../domain/key-text.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import type { Question } from './testing/wire.ts';
import { chatBody, createCaller, headersWith, modelNamed, startReplica } from './testing/world.ts';

let redis: TestRedis;
let replica: Awaited<ReturnType<typeof startReplica>>;
let caller: Awaited<ReturnType<typeof createCaller>>;
let text = '';
const later = () => Date.now() + 60_000;

beforeAll(async () => {
  redis = await startRedis();
  const models = [
    modelNamed('plain'),
    modelNamed('atoma', { protocols: ['atoma'] }),
    modelNamed('unpriced', { price: undefined }),
    modelNamed('chat-only', { endpoints: ['chat'] }),
    modelNamed('dark', { protocols: [] }),
  ];
  replica = await startReplica({ redisUrl: redis.url, models });
  caller = await createCaller(replica.storage, 100_000n);
  ({ text } = await caller.createKey());
});
afterAll(async () => {
  await replica.close();
  await redis.stop();
});

type Refusal = {
  readonly status: number;
  readonly code: string | null;
  readonly type?: string;
  readonly param?: string | null;
  readonly headers?: Record<string, string>;
};

/** Sends the question, and expects this error in OpenAI's shape and that no money has moved. */
async function expectRefusal(question: Question, refusal: Refusal) {
  const before = await caller.balance();
  const answer = await replica.ask(question);
  if (answer.kind !== 'denied') throw new Error('not denied');
  const { status, code, type = 'invalid_request_error', param = null, headers = {} } = refusal;
  expect(answer.status).toBe(status);
  expect(JSON.parse(answer.body)).toEqual({
    error: { message: expect.any(String), type, code, param },
  });
  expect(answer.headers).toEqual({
    'content-type': 'application/json',
    'x-should-retry': 'false',
    ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
    ...headers,
  });
  expect(await caller.balance()).toEqual(before);
}

const retry = (seconds: number) => ({
  'x-should-retry': 'true',
  'retry-after': String(seconds),
  'retry-after-ms': String(seconds * 1000),
});

describe('what stands before the body', () => {
  it.each([
    ['/', 'GET', { status: 404, code: null }],
    ['/v1/chat/completions/', 'POST', { status: 404, code: null }],
    ['/v1/chat/completions', 'GET', { status: 405, code: null, headers: { allow: 'POST' } }],
    ['/v1/models', 'POST', { status: 405, code: null, headers: { allow: 'GET' } }],
  ])('refuses %s by %s', async (path, method, refusal) => {
    await expectRefusal({ path, method, headers: headersWith(text) }, refusal);
  });

  it.each([
    ['no authorization', {}],
    ['another scheme', { authorization: 'Basic dXNlcjpwYXNz' }],
    ['an empty token', { authorization: 'Bearer  ' }],
    ['a foreign key', { authorization: 'Bearer sk-proj-123' }],
    ['a very long key', { authorization: `Bearer ${'x'.repeat(100_000)}` }],
    ['two keys', { authorization: 'Bearer a,Bearer b' }],
    ['a key that was never issued', { authorization: `Bearer ${keyTextFrom(Buffer.alloc(32))}` }],
  ])('refuses %s', async (_name, headers) => {
    await expectRefusal({ headers, body: chatBody() }, { status: 401, code: 'invalid_api_key' });
    const early = { headers, keyOnly: true };
    await expectRefusal(early, { status: 401, code: 'invalid_api_key' });
  });

  it('refuses revoked and expired keys', async () => {
    const revoked = await caller.createKey();
    await replica.storage.apiKeys.revoke(revoked.key.id);
    const expired = await caller.createKey({ expiresMs: Date.now() - 1 });
    for (const key of [revoked, expired]) {
      const question = { headers: headersWith(key.text), body: chatBody() };
      await expectRefusal(question, { status: 401, code: 'invalid_api_key' });
    }
  });

  it('refuses keys without the scope or the model', async () => {
    const narrow = await caller.createKey({ scopes: ['chat'], models: ['atoma'] });
    const headers = headersWith(narrow.text);
    const scope = { status: 403, code: 'insufficient_permissions' };
    await expectRefusal({ headers, path: '/v1/embeddings', keyOnly: true }, scope);
    await expectRefusal({ headers, path: '/v1/account', method: 'GET' }, scope);
    const denied = { status: 403, code: 'model_not_allowed', param: 'model' };
    await expectRefusal({ headers, body: chatBody() }, denied);
  });
});

describe('the body', () => {
  it.each([
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['no type', { 'content-type': '' }],
    ['a type that only begins alike', { 'content-type': 'application/jsonp' }],
    ['a compressed body', { 'content-encoding': 'gzip' }],
  ])('is refused as %s', async (_name, headers) => {
    const question = { headers: { ...headersWith(text), ...headers }, body: chatBody() };
    await expectRefusal(question, { status: 415, code: null });
  });

  it.each([
    ['nothing', '', null],
    ['a list', '[]', null],
    ['half an object', '{"model":', null],
    ['deep nesting', '['.repeat(100_000), null],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), null],
    ['a parameter twice', '{"model":"plain","model":"dark"}', 'model'],
    ['no model', chatBody({ model: undefined }), 'model'],
    ['no messages', chatBody({ messages: [] }), 'messages'],
    ['a huge n', chatBody({ n: 1e9 }), 'n'],
    ['a negative limit', chatBody({ max_tokens: -1 }), 'max_tokens'],
    ['a fractional limit', chatBody({ max_tokens: 1.5 }), 'max_tokens'],
  ])('is refused as %s', async (_name, body, param) => {
    const question = { headers: headersWith(text), body };
    await expectRefusal(question, { status: 400, code: null, param });
  });

  it('is refused above the limit of the gateway', async () => {
    const body = chatBody({ user: 'x'.repeat(2 ** 20) });
    await expectRefusal(
      { headers: headersWith(text), body },
      { status: 413, code: 'request_too_large' },
    );
  });

  it('is refused where an Atoma node could not read it', async () => {
    const content = JSON.stringify('half').replace('half', '\\ud800');
    const body = `{"model":"atoma","max_tokens":5,"messages":[{"role":"user","content":${content}}]}`;
    await expectRefusal({ headers: headersWith(text), body }, { status: 400, code: null });
  });
});

describe('the model', () => {
  it.each([
    ['nothing', { status: 404, code: 'model_not_found' }],
    ['unpriced', { status: 404, code: 'model_not_found' }],
  ])('is refused as %s', async (model, refusal) => {
    const question = { headers: headersWith(text), body: chatBody({ model }) };
    await expectRefusal(question, { ...refusal, param: 'model' });
  });

  it('is refused for an endpoint that it does not serve', async () => {
    const body = JSON.stringify({ model: 'chat-only', input: 'hello' });
    await expectRefusal(
      { path: '/v1/embeddings', headers: headersWith(text), body },
      { status: 400, code: 'unsupported_endpoint', param: 'model' },
    );
  });

  it('is refused while no node serves it', async () => {
    await expectRefusal(
      { headers: headersWith(text), body: chatBody({ model: 'dark' }) },
      {
        ...{ status: 503, code: 'no_healthy_node', type: 'server_error', param: 'model' },
        headers: retry(5),
      },
    );
  });

  it('is refused while its stacks have no units, and the money returns', async () => {
    await expectRefusal(
      { headers: headersWith(text), body: chatBody({ model: 'atoma' }) },
      { status: 503, code: 'stack_exhausted', type: 'server_error', headers: retry(1) },
    );
  });
});

describe('the limits', () => {
  it('refuse what no balance covers', async () => {
    const poor = await createCaller(replica.storage, 5n);
    const key = await poor.createKey();
    await expectRefusal(
      { headers: headersWith(key.text), body: chatBody() },
      { status: 402, code: 'insufficient_quota', type: 'insufficient_quota' },
    );
  });

  it('refuse more requests than the key may send, and say so in headers', async () => {
    const { text: limited } = await caller.createKey({
      expiresMs: later(),
      limits: { ...noLimits, requestsPerMinuteMax: 1 },
    });
    const first = await replica.ask({ headers: headersWith(limited), body: chatBody() });
    expect(first).toMatchObject({
      kind: 'ok',
      responseHeaders: {
        'x-ratelimit-limit-requests': '1',
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': '1m0s',
      },
    });
    const second = await replica.ask({ headers: headersWith(limited), body: chatBody() });
    expect(second).toMatchObject({
      kind: 'denied',
      status: 429,
      headers: {
        'x-should-retry': 'true',
        'x-ratelimit-limit-requests': '1',
        'x-ratelimit-remaining-requests': '0',
        'x-ratelimit-reset-requests': expect.stringMatching(/^(1m0|59(\.\d+)?)s$/),
        'retry-after': '60',
      },
    });
  });

  it('refuse a single request that is above the tokens per minute', async () => {
    const key = await caller.createKey({ limits: { ...noLimits, tokensPerMinuteMax: 5 } });
    await expectRefusal(
      { headers: headersWith(key.text), body: chatBody() },
      { status: 400, code: 'request_above_token_limit' },
    );
  });
});

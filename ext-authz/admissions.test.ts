import { createHash, randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { blake2b256 } from '../chain/blake2b.ts';
import { signerOf } from '../chain/request-signature.ts';
import { noLimits } from '../domain/api-key.ts';
import { canonicalJson } from '../domain/canonical-json.ts';
import { applyEdits } from '../domain/edits.ts';
import type { Exchange } from '../domain/exchange.ts';
import { exchangeFromJson } from '../domain/exchange-json.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import type { Question } from './testing/wire.ts';
import { chatBody, createCaller, headersWith, modelNamed, startReplica } from './testing/world.ts';

let redis: TestRedis;
let replica: Awaited<ReturnType<typeof startReplica>>;
let caller: Awaited<ReturnType<typeof createCaller>>;
let text = '';
let refusing = false;

beforeAll(async () => {
  redis = await startRedis();
  const models = [
    modelNamed('plain'),
    modelNamed('atoma', { protocols: ['atoma', 'openai'] }),
    modelNamed('org/model:v1'),
  ];
  replica = await startReplica({
    redisUrl: redis.url,
    models,
    steps: [
      async () => ({ kind: 'pass' }),
      async ({ model }) =>
        refusing ? { kind: 'model-denied', model: model.id } : { kind: 'pass' },
    ],
  });
  await replica.storage.unitPool.syncStacks('atoma', [{ id: '7', units: 20_000 }]);
  caller = await createCaller(replica.storage, 1_000_000n);
  ({ text } = await caller.createKey());
});
afterAll(async () => {
  await replica.close();
  await redis.stop();
});

async function admit(question: Question) {
  const answer = await replica.ask({ headers: headersWith(text), ...question });
  if (answer.kind !== 'ok') throw new Error(`denied: ${answer.body}`);
  return answer;
}

function readExchange(json: string | undefined): Exchange {
  const exchange = exchangeFromJson(json ?? '');
  if (!exchange) throw new Error('no exchange');
  return exchange;
}

describe('an admitted request', () => {
  it('holds its bound and carries what ext-proc needs', async () => {
    const before = await caller.balance();
    const headers = headersWith(text);
    const answer = await admit({ headers, body: chatBody(), path: '/v1/chat/completions?a=b' });
    expect(answer.headers).toEqual({ 'x-atoma-cluster': 'model:plain' });
    expect(answer.responseHeaders).toEqual({});

    const exchange = readExchange(answer.exchange);
    expect(exchange).toMatchObject({
      requestId: headers['x-request-id'],
      accountId: caller.accountId,
      model: 'plain',
      endpoint: 'chat',
      stream: false,
      units: 0,
      bound: { outputTokens: 10 },
      edits: [],
      requestHash: '',
    });
    const after = await caller.balance();
    expect(exchange.reserved).toBeGreaterThan(10n);
    expect(after.reserved - before.reserved).toBe(exchange.reserved);
    expect(before.available - after.available).toBe(exchange.reserved);
  });

  it('is told the id of its receipt where there will be one, and its hash goes on', async () => {
    const issuing = await startReplica({
      redisUrl: redis.url,
      models: [modelNamed('plain')],
      issuesReceipts: true,
    });
    const headers = headersWith(text);
    const body = chatBody({ stream: true });
    const answer = await issuing.ask({ headers, body });
    await issuing.close();
    if (answer.kind !== 'ok') throw new Error(`got ${answer.kind}`);
    expect(answer.responseHeaders).toEqual({ 'x-receipt-id': headers['x-request-id'] });
    const requestHash = createHash('sha256').update(body).digest('hex');
    expect(readExchange(answer.exchange)).toMatchObject({ requestHash });
  });

  it('has its stream marked and its body edited so that usage is reported', async () => {
    const body = chatBody({ stream: true });
    const { headers, exchange } = await admit({ body });
    expect(headers).toMatchObject({ 'x-atoma-stream': '1', 'x-atoma-edit': '1' });
    const { edits, usageWanted } = readExchange(exchange);
    expect(usageWanted).toBe(false);
    const edited: unknown = JSON.parse(
      Buffer.from(applyEdits(Buffer.from(body), edits)).toString(),
    );
    expect(edited).toMatchObject({ stream_options: { include_usage: true } });
  });

  it('is signed as edited where an Atoma node may serve it, and holds units', async () => {
    const body = chatBody({ model: 'atoma', stream: true, temperature: 0.12345678901234568 });
    const { headers, exchange } = await admit({ body });
    const { edits, units } = readExchange(exchange);
    const edited = Buffer.from(applyEdits(Buffer.from(body), edits)).toString();
    const hash = blake2b256(canonicalJson(edited));
    expect(signerOf(hash, headers['x-signature'] ?? '')).toBe(replica.signerAddress);
    expect(units).toBeGreaterThan(10);
    expect((await replica.storage.unitPool.state('atoma')).held).toBe(units);
  });

  it('keeps unusual model names in the cluster', async () => {
    const { headers } = await admit({ body: chatBody({ model: 'org/model:v1' }) });
    expect(headers['x-atoma-cluster']).toBe('model:org/model:v1');
  });

  it.each([
    ['/v1/completions', { prompt: 'hello', max_tokens: 5 }],
    ['/v1/embeddings', { input: 'hello' }],
    ['/v1/images/generations', { prompt: 'a cat', size: '256x256' }],
  ])('may be for %s', async (path, parts) => {
    const body = JSON.stringify({ model: 'plain', ...parts });
    expect(await admit({ path, body })).toMatchObject({ kind: 'ok' });
  });

  it('loses every header of ours that it brought along', async () => {
    const smuggled = {
      'x-atoma-cluster': 'model:free',
      'x-atoma-edit': '1',
      'x-atoma-account': 'acc_other',
      'x-atoma-node': 'mine',
      'x-signature': 'forged',
      'x-stack-small-id': '1',
      'x-tx-digest': 'digest',
      'x-user-id': '1',
    };
    const headers = { ...headersWith(text), ...smuggled };
    const answer = await admit({ headers, body: chatBody() });
    expect(answer.headers).toEqual({ 'x-atoma-cluster': 'model:plain' });
    const others = Object.keys(smuggled).filter((name) => name !== 'x-atoma-cluster');
    expect(new Set(answer.removed)).toEqual(new Set(others));
  });

  it('tells what is left of the limits', async () => {
    const limits = { ...noLimits, requestsPerMinuteMax: 60, tokensPerMinuteMax: 60_000 };
    const { text: limited } = await caller.createKey({ limits });
    const { responseHeaders } = await admit({ headers: headersWith(limited), body: chatBody() });
    expect(responseHeaders).toMatchObject({
      'x-ratelimit-limit-requests': '60',
      'x-ratelimit-remaining-requests': '59',
      'x-ratelimit-reset-requests': '1s',
      'x-ratelimit-limit-tokens': '60000',
      'x-ratelimit-remaining-tokens': expect.stringMatching(/^599\d\d$/),
      'x-ratelimit-reset-tokens': expect.stringMatching(/^\d+ms$/),
    });
  });

  it('passes the steps of the user first', async () => {
    const before = await caller.balance();
    refusing = true;
    const answer = await replica.ask({ headers: headersWith(text), body: chatBody() });
    refusing = false;
    expect(answer).toMatchObject({ kind: 'denied', status: 403 });
    expect(await caller.balance()).toEqual(before);
  });

  it('counts as a retry where the SDK says so', async () => {
    const headers = { ...headersWith(text), 'x-stainless-retry-count': '1' };
    await admit({ headers, body: chatBody() });
    const metrics = await replica.metrics();
    expect(metrics).toContain('atoma_client_retries_total{service="test"} 1');
    expect(metrics).toMatch(/atoma_admission_decisions_total\{outcome="admitted".*\} \d/);
  });
});

describe('a request that costs nothing', () => {
  it('passes the key check before its body without a change', async () => {
    const before = await caller.balance();
    const answer = await admit({ headers: { authorization: `bearer  ${text}` }, keyOnly: true });
    expect(answer).toEqual({
      ...{ kind: 'ok', headers: {}, removed: [], responseHeaders: {}, exchange: undefined },
    });
    expect(await caller.balance()).toEqual(before);
  });

  it.each(['/v1/models', '/v1/models/org/model:v1', '/v1/account', '/v1/account/usage?limit=1'])(
    'tells %s who asks',
    async (path) => {
      const headers = { ...headersWith(text), 'x-atoma-account': 'acc_other' };
      const answer = await admit({ path, method: 'GET', headers });
      expect(answer.headers).toEqual({
        'x-atoma-account': caller.accountId,
        'x-atoma-key': expect.stringMatching(/./),
      });
      expect(answer.removed).toEqual([]);
      expect(answer.exchange).toBeUndefined();
    },
  );
});

describe('whatever is sent', () => {
  it('is answered, and moves no money unless it is admitted', async () => {
    const json = fc.oneof(
      fc.json().map((value) => Buffer.from(value)),
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      fc
        .record({
          model: fc.constantFrom('plain', 'atoma', '', '__proto__'),
          messages: fc.oneof(fc.jsonValue(), fc.array(fc.record({ role: fc.string() }))),
          max_tokens: fc.oneof(fc.double(), fc.bigInt().map(String), fc.jsonValue()),
          n: fc.jsonValue(),
          stream: fc.jsonValue(),
        })
        .map((value) => Buffer.from(JSON.stringify(value))),
    );
    const paths = ['/v1/chat/completions', '/v1/completions', '/v1/embeddings'];
    const before = await caller.balance();
    let held = 0n;
    await fc.assert(
      fc.asyncProperty(json, fc.constantFrom(...paths), async (body, path) => {
        const headers = { authorization: `Bearer ${text}`, 'x-request-id': randomUUID() };
        const answer = await replica.ask({ path, headers, body });
        if (answer.kind === 'ok') held += readExchange(answer.exchange).reserved;
        else if (answer.status === 503) expect(answer.body).toContain('stack_exhausted');
        else expect([400, 404, 402]).toContain(answer.status);
      }),
      { numRuns: 300 },
    );
    expect((await caller.balance()).reserved - before.reserved).toBe(held);
    expect((await replica.storage.audit()).problems).toEqual([]);
  });
});

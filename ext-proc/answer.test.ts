import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Exchange } from '../domain/exchange.ts';
import { exchangeToJson } from '../domain/exchange-json.ts';
import { costOf } from '../domain/price.ts';
import { noUsage } from '../domain/usage.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { estimatedInputTokens, type Gateway, price, startGateway } from './testing/gateway.ts';

const json = { 'content-type': 'application/json' };
const plain = { node: 'n1', protocol: 'openai' };
const atoma = { node: 'n2', protocol: 'atoma' };

let redis: TestRedis;
let gateway: Gateway;

beforeAll(async () => {
  redis = await startRedis();
  gateway = await startGateway({ redisUrl: redis.url });
});

afterAll(async () => {
  await gateway.close();
  await redis.stop();
});

async function run(options: {
  status?: number;
  headers?: Record<string, string>;
  body: string;
  node?: { node: string; protocol: string; signer?: string };
  changes?: Partial<Exchange>;
}) {
  const exchange = await gateway.reserve({ stream: false, ...options.changes });
  const stream = gateway.envoy.open({
    exchange: exchangeToJson(exchange),
    node: options.node ?? plain,
  });
  await stream.headers(options.status ?? 200, options.headers ?? json);
  if (stream.received.mode !== undefined) await stream.body(options.body, true);
  stream.end();
  return { ...stream.received, record: await gateway.recordOf(exchange) };
}

const chat = (more: object = {}) =>
  JSON.stringify({ choices: [{ message: { role: 'assistant', content: '12345678' } }], ...more });
const usage = { prompt_tokens: 12, completion_tokens: 3 };

describe('a JSON answer', () => {
  it('passes byte for byte and tells its cost', async () => {
    const body = `${chat({ usage, seed: 1 }).slice(0, -1)},"big":12345678901234567890}`;
    const answer = await run({ body });
    const cost = costOf(price, { ...noUsage, inputTokens: 12, outputTokens: 3 });
    expect(answer).toMatchObject({ status: 200, body, mode: 2 });
    expect(answer.headers['x-gateway-cost']).toBe('0.00000000021');
    expect(answer.record).toMatchObject({ ending: 'completed', estimated: false, cost });
  });

  it('loses the headers by which a node could steer the caller', async () => {
    const headers = { ...json, 'set-cookie': 'a=1', 'x-should-retry': 'true', 'x-vendor': 'v' };
    const { removed } = await run({ body: chat({ usage }), headers });
    expect(removed).toEqual(['set-cookie', 'x-should-retry']);
  });

  it('without usage is charged by the own count', async () => {
    const { record } = await run({ body: chat() });
    expect(record).toMatchObject({
      estimated: true,
      usage: { inputTokens: estimatedInputTokens, outputTokens: 2 },
    });
  });

  it('of pictures is charged by their number', async () => {
    const bound = { ...noUsage, images: 2, imagePixels: 200 };
    const { record } = await run({
      body: '{"created":1,"data":[{"url":"a"}]}',
      changes: { endpoint: 'images', bound, reserved: costOf(price, bound) },
    });
    expect(record).toMatchObject({ usage: { images: 1, imagePixels: 100 }, cost: 1000n });
  });

  it.each([
    ['malformed', '{"choices":', json],
    ['no object', '[1]', json],
    ['of another type', '<html>', { 'content-type': 'text/html' }],
    ['streamed although nobody asked', 'data: 1\n\n', { 'content-type': 'text/event-stream' }],
    ['compressed', 'x', { ...json, 'content-encoding': 'gzip' }],
  ])('that is %s becomes a 502 and costs nothing', async (_name, body, headers) => {
    const answer = await run({ body, headers });
    expect(answer.status).toBe(502);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'upstream_error' } });
    expect(answer.record).toMatchObject({ ending: 'node-failed', cost: 0n, status: 502 });
  });

  it('without the signature of its node is withheld and costs nothing', async () => {
    const answer = await run({ body: chat({ usage }), node: { ...atoma, signer: '0x1' } });
    expect(answer.status).toBe(502);
    expect(answer.record).toMatchObject({ ending: 'node-failed', cost: 0n });
  });
});

describe('an error of a node', () => {
  const error = (code: string, message: string) => JSON.stringify({ error: { code, message } });

  it.each([
    ['atoma', 400, error('INVALID_BODY', 'bad\u0007 body'), 400, 'node_refused', 'refused'],
    ['atoma', 400, error('INVALID_HEADER', 'x'), 502, 'upstream_error', 'node-failed'],
    ['atoma', 401, error('AUTH_ERROR', 'x'), 502, 'upstream_error', 'node-failed'],
    ['atoma', 423, error('LOCKED_STACK_ERROR', 'x'), 502, 'upstream_error', 'node-failed'],
    ['atoma', 425, error('UNAVAILABLE_STACK_ERROR', 'x'), 502, 'upstream_error', 'node-failed'],
    ['atoma', 500, 'oops', 502, 'upstream_error', 'node-failed'],
    ['openai', 504, '', 504, 'upstream_timeout', 'timed-out'],
    ['openai', 429, '', 429, 'rate_limit_exceeded', 'node-failed'],
    ['openai', 400, 'plain text', 400, 'node_refused', 'refused'],
    [
      'openai',
      404,
      '{"error":{"message":"no","type":"NotFoundError","code":404}}',
      400,
      'node_refused',
      'refused',
    ],
  ])('of an %s node, %i %s, becomes %i %s', async (protocol, status, body, seen, code, ending) => {
    const answer = await run({ status, body, node: { node: 'n', protocol } });
    expect(answer.status).toBe(seen);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code } });
    expect(answer.record).toMatchObject({ ending, cost: 0n, status: seen });
  });

  it.each([
    ['7', '7'],
    ['999999', '60'],
    ['soon', '1'],
  ])('that says Retry-After: %s tells the caller %s', async (told, seen) => {
    const { headers } = await run({ status: 429, body: '', headers: { 'retry-after': told } });
    expect(headers).toMatchObject({ 'retry-after': seen, 'x-should-retry': 'true' });
  });

  it('about the request passes untouched in the OpenAI shape', async () => {
    const body =
      '{"error":{"message":"too long","type":"BadRequestError","param":null,"code":"x"},"more":1}';
    const answer = await run({ status: 400, body });
    expect(answer).toMatchObject({ status: 400, body });
    expect(answer.record).toMatchObject({ ending: 'refused', cost: 0n });
  });
});

describe('an answer of Envoy itself', () => {
  it.each([
    ['upstream_reset_before_response_started{connection_termination}', 'node-failed'],
    ['response_timeout', 'timed-out'],
  ])('(%s) releases the reservation and passes', async (details, ending) => {
    const exchange = await gateway.reserve();
    const stream = gateway.envoy.open({ exchange: exchangeToJson(exchange), node: plain, details });
    await stream.headers(503, json);
    stream.end();
    expect(stream.received).toMatchObject({ status: 503, mode: undefined });
    expect(await gateway.recordOf(exchange)).toMatchObject({ ending, cost: 0n, status: 503 });
  });

  it('to a request that was never admitted concerns nobody', async () => {
    const stream = gateway.envoy.open({ exchange: undefined, details: 'ext_authz_denied' });
    await stream.headers(402, json);
    stream.end();
    expect(stream.received).toMatchObject({ status: 402, headers: {}, mode: undefined });
  });
});

describe('a request body', () => {
  it('is edited where the exchange says so, with its exact length', async () => {
    const edits = [{ offset: 1, length: 0, text: '"n":"é",' }];
    const exchange = await gateway.reserve({ edits });
    const stream = gateway.envoy.open({ exchange: exchangeToJson(exchange) });
    const sent = await stream.requestBody('{"a":1}');
    expect(sent).toBe('{"n":"é","a":1}');
    expect(stream.received.headers['content-length']).toBe(String(Buffer.byteLength(sent)));
    stream.reset();
    expect(await gateway.recordOf(exchange)).toMatchObject({ ending: 'client-aborted', cost: 0n });
  });
});

describe('the access log', () => {
  it('releases what nobody settled', async () => {
    const exchange = await gateway.reserve();
    const entry = { exchange: exchangeToJson(exchange), details: 'x', isCallerGone: true };
    await gateway.envoy.log(entry);
    await gateway.envoy.log(entry);
    expect(await gateway.recordOf(exchange)).toMatchObject({ ending: 'client-aborted', cost: 0n });
  });
});

describe('a ledger that is away', () => {
  it('gets its settlements once it is back', async () => {
    const own = await startRedis();
    const other = await startGateway({ redisUrl: own.url });
    try {
      const exchange = await other.reserve({ stream: false });
      const stream = other.envoy.open({ exchange: exchangeToJson(exchange), node: plain });
      await stream.headers(200, json);
      await new Promise((resolve) => setTimeout(resolve, 1100));
      await own.kill();
      await stream.body(chat({ usage }), true);
      stream.end();
      await own.start();
      await expect
        .poll(() => other.recordOf(exchange).catch(() => undefined), { timeout: 15_000 })
        .toMatchObject({ ending: 'completed', cost: 210n });
      expect((await other.storage.audit()).ok).toBe(true);
    } finally {
      await other.close();
      await own.stop();
    }
  }, 30_000);
});

/** The official SDKs, sealed at the caller, through the real gateway: Node's by the sealing `fetch`, Python's by the sealing proxy. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type SealedFetchOptions, sealedFetch } from '../../confidential/client/sealed-fetch.ts';
import { createHandler } from '../../confidential/proxy/handler.ts';
import { startProxyServer } from '../../confidential/proxy/server.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { resolvePythonSdk } from '../python.ts';
import { models } from './fleet.ts';
import { startTestGateway, type TestGateway, untilSettled } from './gateway.ts';

const run = promisify(execFile);
const [chatModel, otherModel, embeddingModel, imageModel, brokenModel] = [
  'acme/chat-1',
  'acme/plain-1',
  'acme/embed-1',
  'acme/paint-1',
  'acme/broken-1',
] as const;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    models,
    nodes: [
      { id: 'a', protocol: 'atoma', models: [chatModel, otherModel], nonces: 'numbered' },
      { id: 'b', protocol: 'atoma', models: [chatModel, otherModel], nonces: 'numbered' },
      { id: 'other', protocol: 'atoma', models: [embeddingModel, imageModel] },
      { id: 'broken', protocol: 'atoma', models: [brokenModel] },
    ],
  });
});
afterAll(() => gateway?.close());

const clientOf = (options: Partial<SealedFetchOptions> = {}, apiKey = gateway.apiKey) =>
  new OpenAI({
    baseURL: `${gateway.baseUrl}/v1`,
    apiKey,
    maxRetries: 0,
    fetch: sealedFetch({ trust: { kind: 'lock' }, ...options }),
  });

const messages = [{ role: 'user' as const, content: 'Say hello, please.' }];
const ask = { model: chatModel, messages, max_tokens: 12 };
const received = () => gateway.devnet.nodes.flatMap(({ received: all }) => all);

describe('the Node SDK', () => {
  it('chats, and pays what the node counted', async () => {
    const before = await gateway.storage.ledger.balance(gateway.accountId);
    const { data, request_id: id } = await clientOf().chat.completions.create(ask).withResponse();
    expect(data.choices[0]?.message.content).toBeTruthy();
    expect(data.usage?.completion_tokens).toBe(12);
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
    await untilSettled(gateway, gateway.accountId);
    const after = await gateway.storage.ledger.balance(gateway.accountId);
    expect(after.available).toBeLessThan(before.available);
    const { path, body } = received().at(-1) ?? { path: '', body: '' };
    expect(path).toBe('/v1/confidential/chat/completions');
    expect(body).not.toContain('hello');
  });

  it.each(['whole', 'live'] as const)('streams and calls tools (streams: %s)', async (streams) => {
    const client = clientOf({ streams });
    const stream = client.chat.completions.stream({
      ...ask,
      stream_options: { include_usage: true },
    });
    expect(await stream.finalChatCompletion()).toMatchObject({
      choices: [{ finish_reason: 'length' }],
      usage: { completion_tokens: 12 },
    });
    const weather = client.chat.completions.stream({
      model: chatModel,
      messages: [{ role: 'user', content: 'Use the tool for the weather in Paris.' }],
      tools: [
        {
          type: 'function',
          function: { name: 'get_weather', parameters: { type: 'object', properties: {} } },
        },
      ],
    });
    const [call] = (await weather.finalChatCompletion()).choices[0]?.message.tool_calls ?? [];
    expect(call).toMatchObject({ function: { name: 'get_weather' } });
  });

  it('completes, embeds, paints, lists models and is refused in its own words', async () => {
    const client = clientOf();
    const completion = await client.completions.create({ model: otherModel, prompt: 'Once' });
    expect(completion.choices[0]?.text).toBeTruthy();
    const vectors = await client.embeddings.create({ model: embeddingModel, input: ['a', 'b'] });
    expect(vectors.data).toHaveLength(2);
    const picture = { model: imageModel, prompt: 'a fox', size: '256x256' } as const;
    expect((await client.images.generate(picture)).data).toHaveLength(1);
    expect((await client.models.list()).data.map((one) => one.id)).toContain(chatModel);
    const nobody = clientOf({}, 'sk-atoma-nobody').chat.completions.create(ask);
    await expect(nobody).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    const empty = client.chat.completions.create({ model: chatModel, messages: [] });
    await expect(empty).rejects.toMatchObject({ status: 400, param: 'messages' });
  });

  it('is asked to seal anew after a rotation', async () => {
    const client = clientOf();
    for (const id of ['a', 'b']) gateway.devnet.atomaNode(id).rotateSealingKey();
    const answer = await client.withOptions({ maxRetries: 5 }).chat.completions.create(ask);
    expect(answer.choices[0]?.message.content).toBeTruthy();
  });

  it.each(['whole', 'live'] as const)(
    'leaves, and the node stops (streams: %s)',
    async (streams) => {
      for (const id of ['a', 'b']) gateway.devnet.node(id).setPace({ tokensPerSecond: 20 });
      const left = new AbortController();
      const reading = clientOf({ streams })
        .chat.completions.create({ ...ask, max_tokens: 500, stream: true }, { signal: left.signal })
        .then(async (stream) => {
          for await (const _ of stream);
        });
      reading.catch(() => undefined);
      const open = () => gateway.devnet.nodes.reduce((sum, node) => sum + node.openRequests, 0);
      await expect.poll(open, { timeout: 5000 }).toBe(1);
      left.abort();
      await expect.poll(open, { timeout: 5000 }).toBe(0);
      for (const id of ['a', 'b']) gateway.devnet.node(id).setPace({ tokensPerSecond: 0 });
      await untilSettled(gateway, gateway.accountId);
    },
  );
});

describe('the Python SDK, by the proxy', () => {
  let facts: Record<string, unknown>;
  beforeAll(async () => {
    gateway.devnet.node('broken').setFault({ kind: 'status', status: 500 });
    const baseUrl = `${gateway.baseUrl}/v1`;
    const fetchSealed = sealedFetch({ trust: { kind: 'lock' }, baseUrl, streams: 'live' });
    const limits = { parallelMax: 8, timeoutMs: 60_000, log: silentLog };
    const proxy = await startProxyServer(createHandler({ fetchSealed, baseUrl, ...limits }), {
      listen: { host: '127.0.0.1', port: 0 },
      drainMs: 1000,
    });
    const poor = await gateway.openAccount({ usd: '0.000000001' });
    const limited = await gateway.openAccount({ usd: '1', limits: { requestsPerMinuteMax: 1 } });
    const narrow = await gateway.openAccount({ usd: '1', models: [otherModel] });
    const { stdout } = await run('python3', [join(import.meta.dirname, 'openai_sdk.py')], {
      env: {
        PATH: gateway.env.PATH,
        PYTHONPATH: await resolvePythonSdk(gateway.env),
        GATEWAY_URL: `http://127.0.0.1:${proxy.port}`,
        API_KEY: gateway.apiKey,
        POOR_KEY: poor.apiKey,
        NARROW_KEY: narrow.apiKey,
        LIMITED_KEY: limited.apiKey,
        MODELS: [chatModel, otherModel, embeddingModel, imageModel].join(','),
        BROKEN_MODEL: brokenModel,
      },
    });
    await proxy.close();
    facts = z.record(z.string(), z.unknown()).parse(JSON.parse(stdout));
  });

  it('chats, streams, calls tools, completes, embeds, paints and lists models', () => {
    expect(facts).toMatchObject({
      chat: { text: true, usage: true, request_id: true },
      streams: Array(2).fill({ text: true, finished: true, usage_chunks: 0, empty_chunks: 0 }),
      streams_with_usage: Array(2).fill({
        ...{ text: true, finished: true, usage_chunks: 1, empty_chunks: 1 },
      }),
      tool: 'get_weather',
      streamed_tool: { name: 'get_weather', arguments: ['city'] },
      vision: true,
      completion: true,
      embeddings: { count: 2, numbers: true },
      images: 1,
      model: chatModel,
    });
    const inference = received().filter(({ path }) => !path.startsWith('/v1/confidential/'));
    expect(inference).toEqual([]);
  });

  it('raises a typed exception for each refusal', () => {
    expect(facts.errors).toMatchObject({
      '400': { type: 'BadRequestError', status: 400 },
      '401': {
        type: 'AuthenticationError',
        status: 401,
        code: 'invalid_api_key',
        request_id: true,
      },
      '402': { type: 'APIStatusError', status: 402, code: 'insufficient_quota', request_id: true },
      '403': { type: 'PermissionDeniedError', status: 403, code: 'model_not_allowed' },
      '404': { type: 'NotFoundError', status: 404, code: 'model_not_found' },
      '413': { type: 'APIStatusError', status: 413, code: 'request_too_large' },
      '429': { type: 'RateLimitError', status: 429, code: 'rate_limit_exceeded' },
      '5xx': { type: 'APIStatusError', status: 424, code: 'locked_node_failed' },
    });
  });
});

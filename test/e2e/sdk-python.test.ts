/** The official Python SDK, with nothing changed but its base URL and key. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { resolvePythonSdk } from '../python.ts';
import { brokenModel, chatModel, embeddingModel, imageModel, plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway } from './gateway.ts';

const run = promisify(execFile);
let gateway: TestGateway;
let facts: Record<string, unknown>;

beforeAll(async () => {
  gateway = await startTestGateway();
  gateway.devnet.node('broken').setFault({ kind: 'status', status: 500 });
  const poor = await gateway.openAccount({ usd: '0.000000001' });
  const limited = await gateway.openAccount({ usd: '1', limits: { requestsPerMinuteMax: 1 } });
  const narrow = await gateway.openAccount({ usd: '1', models: [plainModel] });
  const { stdout } = await run('python3', [join(import.meta.dirname, 'openai_sdk.py')], {
    env: {
      PATH: gateway.env.PATH,
      PYTHONPATH: await resolvePythonSdk(gateway.env),
      GATEWAY_URL: gateway.baseUrl,
      API_KEY: gateway.apiKey,
      POOR_KEY: poor.apiKey,
      NARROW_KEY: narrow.apiKey,
      LIMITED_KEY: limited.apiKey,
      MODELS: [chatModel, plainModel, embeddingModel, imageModel].join(','),
      BROKEN_MODEL: brokenModel,
    },
  });
  facts = z.record(z.string(), z.unknown()).parse(JSON.parse(stdout));
});

afterAll(() => gateway?.close());

it('chats', () => {
  expect(facts.chat).toEqual({ text: true, usage: true, request_id: true });
});

it('streams, without a usage chunk unless asked', () => {
  const whole = { text: true, finished: true };
  const without = { ...whole, usage_chunks: 0, empty_chunks: 0 };
  expect(facts.streams).toEqual([without, without]);
  const asked = { ...whole, usage_chunks: 1, empty_chunks: 1 };
  expect(facts.streams_with_usage).toEqual([asked, asked]);
});

it('calls tools and sends pictures', () => {
  expect(facts).toMatchObject({
    tool: 'get_weather',
    streamed_tool: { name: 'get_weather', arguments: ['city'] },
    vision: true,
  });
});

it('completes, embeds and paints', () => {
  expect(facts).toMatchObject({
    completion: true,
    embeddings: { count: 2, numbers: true },
    images: 1,
  });
});

it('lists models', () => {
  expect(facts.model).toBe(chatModel);
  expect(facts.models).toEqual(expect.arrayContaining([chatModel, embeddingModel, imageModel]));
});

it('raises a typed exception for each refusal', () => {
  expect(facts.errors).toMatchObject({
    '400': { type: 'BadRequestError', status: 400, request_id: true },
    '401': { type: 'AuthenticationError', status: 401, code: 'invalid_api_key', request_id: true },
    '402': { type: 'APIStatusError', status: 402, code: 'insufficient_quota', request_id: true },
    '403': {
      type: 'PermissionDeniedError',
      status: 403,
      code: 'model_not_allowed',
      request_id: true,
    },
    '404': { type: 'NotFoundError', status: 404, code: 'model_not_found', request_id: true },
    '413': { type: 'APIStatusError', status: 413, code: 'request_too_large', request_id: true },
    '429': { type: 'RateLimitError', status: 429, code: 'rate_limit_exceeded', request_id: true },
    '5xx': { type: 'InternalServerError', status: 502, code: 'upstream_error', request_id: true },
  });
});

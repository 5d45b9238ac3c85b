import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../runtime/silent-log.ts';
import { chatModel, embeddingModel, type Relay, startRelay } from '../../test/sealing/relay.ts';
import { type SealedFetchOptions, sealedFetch } from '../client/sealed-fetch.ts';
import { createHandler } from './handler.ts';
import { startProxyServer } from './server.ts';

const messages = [{ role: 'user' as const, content: 'Say hello, please.' }];
const ask = { model: chatModel, messages, max_tokens: 12 };

let relay: Relay;
const openRequests = () => relay.node.openRequests;
/** A busy machine takes its time. */
const patience = { timeout: 10_000 };
let proxies: { readonly port: number; close(): Promise<void> }[] = [];
beforeAll(async () => {
  relay = await startRelay();
});
afterAll(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  await relay?.close();
});
beforeEach(async () => {
  await Promise.all(proxies.map((proxy) => proxy.close()));
  proxies = [];
  relay.setMiddleman({});
  relay.node.clearFault();
  relay.node.setPace({ firstTokenMs: 0, tokensPerSecond: 0 });
  relay.carried.length = 0;
});

async function startProxy(
  options: Partial<SealedFetchOptions> & { parallelMax?: number; timeoutMs?: number } = {},
) {
  const { parallelMax = 8, timeoutMs = 5000, ...client } = options;
  const { baseUrl } = relay;
  const handle = createHandler({
    fetchSealed: sealedFetch({ trust: { kind: 'lock' }, baseUrl, ...client }),
    baseUrl,
    parallelMax,
    timeoutMs,
    log: silentLog,
  });
  const proxy = await startProxyServer(handle, {
    listen: { host: '127.0.0.1', port: 0 },
    drainMs: 200,
  });
  proxies.push(proxy);
  const baseURL = `http://127.0.0.1:${proxy.port}/v1`;
  return { proxy, baseURL, client: new OpenAI({ baseURL, apiKey: 'sk-test', maxRetries: 0 }) };
}

describe('a program that knows nothing of sealing', () => {
  it.each(['whole', 'live'] as const)(
    'chats, streams and embeds (streams: %s)',
    async (streams) => {
      const { client } = await startProxy({ streams });
      const { data, request_id: id } = await client.chat.completions.create(ask).withResponse();
      expect(data.choices[0]?.message.content).toBeTruthy();
      expect(id).toBeTruthy();
      const stream = client.chat.completions.stream(ask);
      expect((await stream.finalChatCompletion()).choices).toEqual([
        expect.objectContaining({ finish_reason: 'length' }),
      ]);
      const { data: vectors } = await client.embeddings.create({
        model: embeddingModel,
        input: 'a',
      });
      expect(vectors).toHaveLength(1);
      expect((await client.models.list()).data.map((model) => model.id)).toContain(chatModel);
      expect(relay.carried.map(({ body }) => body).join()).not.toContain('hello');
    },
  );

  it('gets each part of a live stream when it is there', async () => {
    relay.node.setPace({ firstTokenMs: 0, tokensPerSecond: 20 });
    const { client } = await startProxy({ streams: 'live' });
    const stream = await client.chat.completions.create({ ...ask, stream: true });
    const times: number[] = [];
    for await (const _ of stream) times.push(performance.now());
    expect((times.at(-1) ?? 0) - (times[0] ?? 0)).toBeGreaterThan(300);
  });

  it('is told what the gateway refuses, as the gateway says it', async () => {
    const body = JSON.stringify({
      error: {
        message: 'Broke.',
        type: 'insufficient_quota',
        param: null,
        code: 'insufficient_quota',
      },
    });
    relay.setMiddleman({ instead: { status: 402, body } });
    const { client } = await startProxy();
    const call = client.chat.completions.create(ask);
    await expect(call).rejects.toMatchObject({ status: 402, code: 'insufficient_quota' });
  });

  it('is told what was not proven, and not to ask again', async () => {
    relay.setMiddleman({
      answer: (bytes) => Buffer.concat([bytes.subarray(0, -40), bytes.subarray(-39)]),
    });
    const { client } = await startProxy();
    const failed: unknown = await client.chat.completions
      .create(ask)
      .catch((error: unknown) => error);
    if (!(failed instanceof OpenAI.APIError)) throw new Error('no error of the SDK');
    expect(failed).toMatchObject({ status: 502, code: 'answer_unproven' });
    expect(failed.message).toContain('Reason:');
    expect(failed.headers?.get('x-should-retry')).toBe('false');
    const unknown = await startProxy({ trust: { kind: 'keys', keys: {} } });
    const call = unknown.client.chat.completions.create(ask);
    await expect(call).rejects.toMatchObject({ status: 502, code: 'node_unproven' });
  });

  it('sees an error in the midst of a live stream, and no end', async () => {
    relay.setMiddleman({ answer: (bytes) => bytes.subarray(0, bytes.length >> 1) });
    const { client } = await startProxy({ streams: 'live' });
    const stream = await client.chat.completions.create({ ...ask, stream: true });
    const reading = (async () => {
      for await (const _ of stream);
    })();
    await expect(reading).rejects.toMatchObject({ code: 'answer_unproven' });
  });
});

describe('limits', () => {
  it('refuse a body that is too large, and one that has no sealed form', async () => {
    const { client } = await startProxy();
    const user = 'x'.repeat(3 * 2 ** 20);
    const large = client.chat.completions.create({ ...ask, user });
    await expect(large).rejects.toMatchObject({ status: 413, code: 'request_too_large' });
    const other = client.responses.create({ model: chatModel, input: 'secret' });
    await expect(other).rejects.toMatchObject({ status: 404, code: 'unsealable' });
    expect(relay.carried).toEqual([]);
  });

  it('refuse browsers, whatever their page', async () => {
    const { baseURL } = await startProxy();
    for (const headers of [{ origin: 'http://evil.example' }, { 'sec-fetch-site': 'none' }]) {
      expect((await fetch(`${baseURL}/models`, { headers })).status).toBe(403);
    }
  });

  it('refuse more requests than may be open, until one ends', async () => {
    relay.node.setPace({ firstTokenMs: 300, tokensPerSecond: 0 });
    const { client } = await startProxy({ parallelMax: 1 });
    const first = client.chat.completions.create(ask);
    first.catch(() => undefined);
    await expect.poll(openRequests, patience).toBe(1);
    await expect(client.chat.completions.create(ask)).rejects.toMatchObject({ status: 429 });
    await first;
    await client.chat.completions.create(ask);
  });

  it('end what takes too long', async () => {
    relay.node.setFault({ kind: 'hang-before-headers' });
    const { client } = await startProxy({ timeoutMs: 200 });
    const call = client.chat.completions.create(ask);
    await expect(call).rejects.toMatchObject({ status: 504, code: 'upstream_timeout' });
    await expect.poll(openRequests, patience).toBe(0);
  });
});

it.each(['whole', 'live'] as const)(
  'a caller who leaves ends the work (streams: %s)',
  async (streams) => {
    relay.node.setPace({ firstTokenMs: 0, tokensPerSecond: 10 });
    const { client } = await startProxy({ streams });
    const left = new AbortController();
    const stream = client.chat.completions.stream(
      { ...ask, max_tokens: 500 },
      { signal: left.signal },
    );
    stream.done().catch(() => undefined);
    await expect.poll(openRequests, patience).toBe(1);
    left.abort();
    await expect.poll(openRequests, patience).toBe(0);
  },
);

it('closing breaks what is still open', async () => {
  relay.node.setFault({ kind: 'hang-before-headers' });
  const { client, proxy } = await startProxy();
  const call = client.chat.completions.create(ask).catch((error: unknown) => error);
  await expect.poll(openRequests, patience).toBe(1);
  await proxy.close();
  expect(await call).toBeInstanceOf(OpenAI.APIConnectionError);
  await expect.poll(openRequests, patience).toBe(0);
});

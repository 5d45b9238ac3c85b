/** The official Node SDK, with nothing changed but its base URL and key. */
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brokenModel, chatModel, embeddingModel, imageModel, plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway } from './gateway.ts';

let gateway: TestGateway;
let client: OpenAI;
beforeAll(async () => {
  gateway = await startTestGateway();
  client = gateway.client;
});
afterAll(() => gateway?.close());

const hello = [{ role: 'user' as const, content: 'Say hello, please.' }];

const weather = {
  messages: [{ role: 'user' as const, content: 'Use the tool for the weather in Paris.' }],
  tools: [
    {
      type: 'function' as const,
      function: {
        name: 'get_weather',
        parameters: { type: 'object', properties: { city: { type: 'string' } } },
      },
    },
  ],
};

describe.each([chatModel, plainModel])('chat with %s', (model) => {
  it('answers with usage and a request id', async () => {
    const { data, request_id: id } = await client.chat.completions
      .create({ model, messages: hello, max_tokens: 12 })
      .withResponse();
    expect(data.choices[0]?.message.content).toBeTruthy();
    expect(data.usage?.completion_tokens).toBe(12);
    expect(id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it.each([false, true])('streams; usage asked for: %s', async (wanted) => {
    const stream = await client.chat.completions.create({
      model,
      messages: hello,
      max_tokens: 12,
      stream: true,
      ...(wanted ? { stream_options: { include_usage: true } } : {}),
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBeTruthy();
    expect(chunks.some((chunk) => chunk.choices[0]?.finish_reason === 'length')).toBe(true);
    const told = chunks.filter((chunk) => chunk.usage);
    expect(told).toHaveLength(wanted ? 1 : 0);
    expect(chunks.filter((chunk) => chunk.choices.length === 0)).toHaveLength(wanted ? 1 : 0);
  });

  it('ends a stream with [DONE]', async () => {
    const response = await client.chat.completions
      .create({ model, messages: hello, max_tokens: 3, stream: true })
      .asResponse();
    expect((await response.text()).trimEnd().endsWith('data: [DONE]')).toBe(true);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
  });

  it('calls tools', async () => {
    const answer = await client.chat.completions.create({ model, ...weather });
    expect(answer.choices[0]?.message.tool_calls?.[0]).toMatchObject({
      type: 'function',
      function: { name: 'get_weather' },
    });
  });

  it('calls tools in a stream', async () => {
    const stream = client.chat.completions.stream({ model, ...weather });
    const [call] = (await stream.finalChatCompletion()).choices[0]?.message.tool_calls ?? [];
    if (call?.type !== 'function') throw new Error('no function is called');
    expect(call.function.name).toBe('get_weather');
    expect(JSON.parse(call.function.arguments)).toEqual({ city: expect.any(String) });
  });

  it('takes pictures, several choices, JSON mode and unknown fields', async () => {
    const answer = await client.chat.completions.create({
      model,
      n: 2,
      max_tokens: 8,
      response_format: { type: 'json_object' },
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'What is this?' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          ],
        },
      ],
      ...{ guided_regex: '.*', top_k: 3 },
    });
    expect(answer.choices).toHaveLength(2);
    const nodeIds = model === chatModel ? ['atoma-a', 'atoma-b'] : ['plain-a', 'plain-b'];
    const bodies = nodeIds
      .flatMap((id) => gateway.devnet.node(id).received)
      .map(({ body }) => body);
    expect(bodies.some((body) => body.includes('"guided_regex":".*"'))).toBe(true);
  });

  it('completes', async () => {
    const answer = await client.completions.create({ model, prompt: 'Once', max_tokens: 5 });
    expect(answer.choices[0]?.text).toBeTruthy();
  });
});

describe('other endpoints', () => {
  it('embed', async () => {
    const answer = await client.embeddings.create({ model: embeddingModel, input: ['a', 'b'] });
    expect(answer.data).toHaveLength(2);
  });

  it('paint', async () => {
    const answer = await client.images.generate({
      model: imageModel,
      prompt: 'a fox',
      size: '256x256',
    });
    expect(answer.data).toHaveLength(1);
  });

  it('list models with prices', async () => {
    const { data } = await client.models.list();
    expect(data.map(({ id }) => id)).toContain(chatModel);
    expect(await client.models.retrieve(chatModel)).toMatchObject({
      id: chatModel,
      object: 'model',
      pricing: { prompt: '0.0000005', completion: '0.0000015' },
    });
  });

  it('tell the account and its usage', async () => {
    const account = await client.get('/account');
    expect(account).toMatchObject({ id: gateway.accountId, deposited_usd: '10' });
    const usage = await client.get('/account/usage?limit=2');
    expect(usage).toMatchObject({ data: [{ status: 200 }, { status: 200 }] });
  });

  it('tell health without a key', async () => {
    const response = await fetch(`${gateway.baseUrl}/health`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ message: expect.any(String) });
  });
});

describe('errors are typed exceptions', () => {
  const ask = (target: OpenAI, model: string) =>
    target.chat.completions.create({ model, messages: hello, max_tokens: 4 });

  it('400', async () => {
    const call = client.chat.completions.create({ model: chatModel, messages: [] });
    await expect(call).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    await expect(call).rejects.toMatchObject({ param: 'messages' });
  });

  it('401', async () => {
    const call = ask(gateway.clientFor('sk-atoma-nobody'), chatModel);
    await expect(call).rejects.toBeInstanceOf(OpenAI.AuthenticationError);
    await expect(call).rejects.toMatchObject({ code: 'invalid_api_key' });
  });

  it('402', async () => {
    const poor = await gateway.openAccount({ usd: '0.000000001' });
    const call = ask(gateway.clientFor(poor.apiKey), chatModel);
    await expect(call).rejects.toBeInstanceOf(OpenAI.APIError);
    await expect(call).rejects.toMatchObject({ status: 402, code: 'insufficient_quota' });
  });

  it('403', async () => {
    const narrow = await gateway.openAccount({ usd: '1', models: [plainModel], scopes: ['chat'] });
    const denied = gateway.clientFor(narrow.apiKey);
    await expect(ask(denied, chatModel)).rejects.toBeInstanceOf(OpenAI.PermissionDeniedError);
    await expect(denied.models.list()).rejects.toMatchObject({ status: 403 });
  });

  it('404', async () => {
    const call = ask(client, 'nobody/knows');
    await expect(call).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(call).rejects.toMatchObject({ code: 'model_not_found', param: 'model' });
  });

  it('413', async () => {
    const user = 'x'.repeat(21 * 2 ** 20);
    const call = client.chat.completions.create({ model: plainModel, messages: hello, user });
    await expect(call).rejects.toMatchObject({ status: 413, code: 'request_too_large' });
  });

  it('429, with the wait in the headers', async () => {
    const limited = await gateway.openAccount({ usd: '1', limits: { requestsPerMinuteMax: 1 } });
    const hurried = gateway.clientFor(limited.apiKey);
    const { response } = await hurried.chat.completions
      .create({ model: chatModel, messages: hello, max_tokens: 4 })
      .withResponse();
    expect(response.headers.get('x-ratelimit-limit-requests')).toBe('1');
    expect(response.headers.get('x-ratelimit-remaining-requests')).toBe('0');
    const refused = await ask(hurried, chatModel).catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(OpenAI.RateLimitError);
    if (!(refused instanceof OpenAI.RateLimitError)) return;
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThanOrEqual(1);
    expect(Number(refused.headers.get('retry-after-ms'))).toBeGreaterThanOrEqual(1000);
  });

  it('5xx', async () => {
    gateway.devnet.node('broken').setFault({ kind: 'status', status: 500 });
    const call = ask(client, brokenModel);
    await expect(call).rejects.toBeInstanceOf(OpenAI.InternalServerError);
    await expect(call).rejects.toMatchObject({ status: 502, code: 'upstream_error' });
  });
});

describe('unknown paths and methods', () => {
  it.each([
    ['GET', '/v1/nothing', 404],
    ['GET', '/', 404],
    ['GET', '/v1/chat/completions', 405],
    ['DELETE', '/v1/models', 405],
  ])('%s %s is %i in OpenAI JSON', async (method, path, status) => {
    const response = await fetch(`${gateway.baseUrl}${path}`, {
      method,
      headers: { authorization: `Bearer ${gateway.apiKey}` },
    });
    expect(response.status).toBe(status);
    expect(response.headers.get('x-request-id')).toBeTruthy();
    expect(await response.json()).toMatchObject({
      error: { message: expect.any(String), code: null },
    });
  });

  it('another content type is 415', async () => {
    const response = await fetch(`${gateway.baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${gateway.apiKey}`, 'content-type': 'text/plain' },
      body: '{}',
    });
    expect(response.status).toBe(415);
  });
});

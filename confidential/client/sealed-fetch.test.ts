import OpenAI from 'openai';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  chatModel,
  embeddingModel,
  imageModel,
  type Relay,
  sealedClient,
  startRelay,
} from '../../test/sealing/relay.ts';
import { UnsealableError } from './errors.ts';
import { type SealedFetchOptions, sealedFetch } from './sealed-fetch.ts';

let relay: Relay;
const openRequests = () => relay.node.openRequests;
/** A busy machine takes its time. */
const patience = { timeout: 10_000 };
beforeAll(async () => {
  relay = await startRelay();
});
afterAll(() => relay?.close());
beforeEach(() => {
  relay.setMiddleman({});
  relay.node.clearFault();
  relay.node.setPace({ firstTokenMs: 0, tokensPerSecond: 0 });
  relay.carried.length = 0;
});

const clientOf = (options: Partial<SealedFetchOptions> = {}) => sealedClient(relay, options);

const messages = [{ role: 'user' as const, content: 'Say hello, please.' }];
const ask = { model: chatModel, messages, max_tokens: 12 };
const tools = [
  {
    type: 'function' as const,
    function: { name: 'get_weather', parameters: { type: 'object', properties: {} } },
  },
];

async function textOf(stream: AsyncIterable<OpenAI.ChatCompletionChunk>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
  return text;
}

describe('an unchanged SDK', () => {
  it('chats, and nobody on the way sees what about', async () => {
    const answer = await clientOf().chat.completions.create(ask);
    const text = answer.choices[0]?.message.content ?? '';
    expect(text).toBeTruthy();
    expect(answer.usage?.completion_tokens).toBe(12);
    const [{ path, body } = { path: '', body: '' }] = relay.carried;
    expect(path).toBe('/v1/confidential/chat/completions');
    expect(body).not.toContain('hello');
    expect(JSON.parse(body)).toMatchObject({ model_name: chatModel, stream: false });
  });

  it.each(['whole', 'live'] as const)('streams (%s), with usage where it asks', async (streams) => {
    const client = clientOf({ streams });
    const whole = await client.chat.completions.create(ask);
    const plain = await client.chat.completions.create({ ...ask, stream: true });
    expect(await textOf(plain)).toBe(whole.choices[0]?.message.content);
    const stream = await client.chat.completions.create({
      ...ask,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks: OpenAI.ChatCompletionChunk[] = [];
    for await (const chunk of stream) chunks.push(chunk);
    expect(chunks.filter(({ usage }) => usage).map(({ choices }) => choices)).toEqual([[]]);
    expect(chunks.some(({ choices }) => choices[0]?.finish_reason === 'length')).toBe(true);
    const response = await client.chat.completions.create({ ...ask, stream: true }).asResponse();
    expect((await response.text()).endsWith('data: [DONE]\n\n')).toBe(true);
    expect(response.headers.get('content-type')).toContain('text/event-stream');
  });

  it.each(['whole', 'live'] as const)('calls tools (streams: %s)', async (streams) => {
    const client = clientOf({ streams });
    const weather = {
      model: chatModel,
      messages: [{ role: 'user' as const, content: 'Use the tool for the weather in Paris.' }],
      tools,
    };
    const answer = await client.chat.completions.create(weather);
    const stream = await client.chat.completions.stream(weather).finalChatCompletion();
    for (const { choices } of [answer, stream]) {
      const [call] = choices[0]?.message.tool_calls ?? [];
      if (call?.type !== 'function') throw new Error('no function is called');
      expect(call.function.name).toBe('get_weather');
      expect(JSON.parse(call.function.arguments)).toEqual({});
    }
  });

  it.each(['whole', 'live'] as const)('takes several choices (streams: %s)', async (streams) => {
    const client = clientOf({ streams });
    const several = { ...ask, n: 3 };
    const whole = await client.chat.completions.create(several);
    const stream = await client.chat.completions.stream(several).finalChatCompletion();
    const texts = (answer: OpenAI.ChatCompletion) =>
      answer.choices.map(({ message }) => message.content);
    expect(texts(stream)).toEqual(texts(whole));
    expect(texts(whole)).toHaveLength(3);
    expect(relay.carried.map(({ body }) => JSON.parse(body).num_compute_units)).toEqual([36, 36]);
  });

  it('completes, embeds and paints', async () => {
    const client = clientOf();
    const completion = await client.completions.create({ model: chatModel, prompt: 'Once' });
    expect(completion.choices[0]?.text).toBeTruthy();
    const stream = await client.completions.create({
      model: chatModel,
      prompt: 'Once',
      stream: true,
    });
    let text = '';
    for await (const chunk of stream) text += chunk.choices[0]?.text ?? '';
    expect(text).toBe(completion.choices[0]?.text);
    const embeddings = await client.embeddings.create({ model: embeddingModel, input: ['a', 'b'] });
    expect(embeddings.data.map(({ embedding }) => typeof embedding[0])).toEqual([
      'number',
      'number',
    ]);
    const images = await client.images.generate({
      model: imageModel,
      prompt: 'a fox',
      n: 2,
      size: '256x256',
    });
    expect(images.data).toHaveLength(2);
  });

  it('lists models in clear, and sends no other body in clear', async () => {
    expect((await clientOf().models.list()).data.map(({ id }) => id)).toContain(chatModel);
    const call = clientOf().responses.create({ model: chatModel, input: 'secret' });
    await expect(call).rejects.toMatchObject({ cause: expect.any(UnsealableError) });
    expect(relay.carried).toEqual([]);
  });

  it('takes a request as one object, too', async () => {
    const call = sealedFetch({ trust: { kind: 'lock' } });
    const body = JSON.stringify(ask);
    const url = `${relay.baseUrl}/chat/completions`;
    const answer = await call(new Request(url, { method: 'POST', body }));
    expect(await answer.json()).toMatchObject({ object: 'chat.completion' });
    const head = await call(new Request(`${relay.baseUrl}/models`, { method: 'HEAD' }));
    expect(await head.text()).toBe('');
  });

  it('reaches the gateway that the options name, with their key', async () => {
    const seen: Request[] = [];
    const client = new OpenAI({
      apiKey: 'sk-other',
      maxRetries: 0,
      fetch: sealedFetch({
        trust: { kind: 'lock' },
        baseUrl: relay.baseUrl,
        apiKey: 'sk-mine',
        fetch(input, init) {
          seen.push(new Request(input, init));
          return fetch(input, init);
        },
      }),
    });
    await client.chat.completions.create(ask);
    await client.models.list();
    expect(seen.map(({ url }) => url.replace(relay.baseUrl, ''))).toEqual([
      '/nodes/lock',
      '/confidential/chat/completions',
      '/models',
    ]);
    expect(new Set(seen.map(({ headers }) => headers.get('authorization')))).toEqual(
      new Set(['Bearer sk-mine']),
    );
  });
});

describe('refusals', () => {
  it('keep their status and shape', async () => {
    const body = JSON.stringify({
      error: {
        message: 'No such model.',
        type: 'invalid_request_error',
        param: 'model',
        code: 'model_not_found',
      },
    });
    relay.setMiddleman({ instead: { status: 404, body } });
    const call = clientOf().chat.completions.create(ask);
    await expect(call).rejects.toBeInstanceOf(OpenAI.NotFoundError);
    await expect(call).rejects.toMatchObject({ code: 'model_not_found', param: 'model' });
  });

  it('come without the gateway where there is nothing to seal', async () => {
    const call = clientOf().chat.completions.create({ messages, model: '' });
    await expect(call).rejects.toBeInstanceOf(OpenAI.BadRequestError);
    await expect(call).rejects.toMatchObject({ param: 'model' });
    const long = [{ role: 'user' as const, content: 'x'.repeat(2 ** 21) }];
    const large = clientOf().chat.completions.create({ model: chatModel, messages: long });
    await expect(large).rejects.toMatchObject({ status: 413, code: 'request_too_large' });
    expect(relay.carried).toEqual([]);
  });

  it('of a lock that is gone lead to another lock and another envelope, three times at most', async () => {
    const locks = relay.locks();
    relay.setMiddleman({ instead: { status: 425, body: '{}' } });
    await expect(clientOf().chat.completions.create(ask)).rejects.toMatchObject({ status: 425 });
    expect(relay.locks() - locks).toBe(3);
    expect(new Set(relay.carried.map(({ body }) => body)).size).toBe(3);
  });

  it('of a node that failed lead the SDK to another lock, as they do in clear', async () => {
    const locks = relay.locks();
    relay.setMiddleman({ instead: { status: 424, body: '{}' } });
    const call = clientOf().withOptions({ maxRetries: 1 }).chat.completions.create(ask);
    await expect(call).rejects.toMatchObject({ status: 424 });
    expect(relay.locks() - locks).toBe(2);
    expect(new Set(relay.carried.map(({ body }) => body)).size).toBe(2);
  });

  it('after a rotation lead the SDK to the new key', async () => {
    const old = relay.node.sealingKey();
    relay.node.rotateSealingKey();
    let isFirst = true;
    relay.setMiddleman({
      lock(lock) {
        const key = isFirst ? old : lock.public_key;
        isFirst = false;
        return { ...lock, public_key: key };
      },
    });
    const answer = await clientOf().withOptions({ maxRetries: 1 }).chat.completions.create(ask);
    expect(answer.choices[0]?.message.content).toBeTruthy();
    expect(relay.carried).toHaveLength(2);
  });
});

describe('an abort', () => {
  it.each(['whole', 'live'] as const)('reaches the node (streams: %s)', async (streams) => {
    relay.node.setPace({ firstTokenMs: 50, tokensPerSecond: 20 });
    const left = new AbortController();
    const reading = clientOf({ streams })
      .chat.completions.create({ ...ask, max_tokens: 500, stream: true }, { signal: left.signal })
      .then(textOf);
    await expect.poll(openRequests, patience).toBe(1);
    left.abort();
    // The SDK ends an aborted stream without an error, or with one, as it does in clear.
    await reading.catch(() => undefined);
    await expect.poll(openRequests, patience).toBe(0);
  });

  it('by a timeout is the SDK’s own error', async () => {
    relay.node.setFault({ kind: 'hang-before-headers' });
    const call = clientOf().withOptions({ timeout: 200 }).chat.completions.create(ask);
    await expect(call).rejects.toBeInstanceOf(OpenAI.APIConnectionTimeoutError);
    await expect.poll(openRequests, patience).toBe(0);
  });
});

it('a request never has the same hash or length as its text would give away', async () => {
  await clientOf().chat.completions.create(ask);
  await clientOf().chat.completions.create({ ...ask, max_tokens: 11 });
  await clientOf().chat.completions.create(ask);
  const envelopes = relay.carried.map(({ body }): Record<string, string> => JSON.parse(body));
  expect(new Set(envelopes.map((envelope) => envelope.plaintext_body_hash)).size).toBe(3);
  const lengths = envelopes.map(
    (envelope) => Buffer.from(envelope.ciphertext ?? '', 'base64').length,
  );
  expect(lengths.map((length) => (length - 16) % 256)).toEqual([0, 0, 0]);
});

import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodeHandle } from './node-server.ts';
import { createOpenAiNode } from './openai-node.ts';
import { chatModel } from './served-model.ts';

let node: NodeHandle;
let client: OpenAI;
const model = 'm';
const messages = [{ role: 'user' as const, content: 'hello there' }];

beforeAll(async () => {
  node = await createOpenAiNode({
    id: 'plain',
    models: [
      chatModel(model),
      { id: 'small', endpoints: ['chat'], contextTokens: 20 },
      { id: 'vectors', endpoints: ['embeddings'], contextTokens: 512 },
      { id: 'pictures', endpoints: ['images'], contextTokens: 512 },
    ],
  });
  client = new OpenAI({ apiKey: 'none', baseURL: `${node.url}/v1`, maxRetries: 0 });
});
afterAll(() => node.close());

async function collect<Item>(stream: AsyncIterable<Item>): Promise<Item[]> {
  const items: Item[] = [];
  for await (const item of stream) items.push(item);
  return items;
}

describe('a plain OpenAI node', () => {
  it('answers a chat the same way each time', async () => {
    const [first, second] = await Promise.all([
      client.chat.completions.create({ model, messages }),
      client.chat.completions.create({ model, messages }),
    ]);
    expect(first.choices[0]?.message.content).toMatch(/\w+( \w+){15}/);
    expect(first.choices[0]).toEqual(second.choices[0]);
    expect(first.usage).toMatchObject({ prompt_tokens: 6, completion_tokens: 16 });
  });

  it('cuts at the limit of tokens', async () => {
    const answer = await client.chat.completions.create({ model, messages, max_tokens: 3 });
    expect(answer.choices[0]?.finish_reason).toBe('length');
    expect(answer.usage?.completion_tokens).toBe(3);
  });

  it('streams the same text, with usage only where it is asked for', async () => {
    const whole = await client.chat.completions.create({ model, messages });
    for (const include_usage of [true, false]) {
      const stream = await client.chat.completions.create({
        model,
        messages,
        stream: true,
        stream_options: { include_usage },
      });
      const chunks = await collect(stream);
      const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('');
      expect(text).toBe(whole.choices[0]?.message.content);
      expect(chunks.at(-1)?.choices).toHaveLength(include_usage ? 0 : 1);
      expect(chunks.at(-1)?.usage?.completion_tokens).toBe(include_usage ? 16 : undefined);
    }
  });

  it('ends a stream with [DONE]', async () => {
    const response = await fetch(`${node.url}/v1/chat/completions`, {
      method: 'POST',
      body: JSON.stringify({ model, messages, stream: true }),
    });
    expect(await response.text()).toMatch(/\n\ndata: \[DONE\]\n\n$/);
  });

  it('calls a tool when the prompt asks for it', async () => {
    const parameters = { type: 'object', properties: { city: { type: 'string' } } };
    const tools = [{ type: 'function' as const, function: { name: 'weather', parameters } }];
    const ask = [{ role: 'user' as const, content: 'use the tool' }];
    const answer = await client.chat.completions.create({ model, messages: ask, tools });
    const [call] = answer.choices[0]?.message.tool_calls ?? [];
    expect(answer.choices[0]?.finish_reason).toBe('tool_calls');
    expect(call).toMatchObject({ type: 'function', function: { name: 'weather' } });
    const stream = client.chat.completions.stream({ model, messages: ask, tools });
    const streamed = (await stream.finalMessage()).tool_calls?.[0];
    expect(streamed).toMatchObject(call ?? {});
  });

  it('takes pictures, several choices, logprobs and JSON mode', async () => {
    const answer = await client.chat.completions.create({
      model,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'text', text: 'what is it' },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA' } },
          ],
        },
      ],
      n: 2,
      logprobs: true,
      response_format: { type: 'json_object' },
    });
    expect(answer.choices).toHaveLength(2);
    expect(answer.usage?.prompt_tokens).toBeGreaterThan(64);
    expect(JSON.parse(answer.choices[1]?.message.content ?? '')).toHaveProperty('answer');
    const logprobs = answer.choices[0]?.logprobs?.content ?? [];
    expect(logprobs.map(({ token }) => token).join('')).toBe(answer.choices[0]?.message.content);
  });

  it('completes several prompts', async () => {
    const answer = await client.completions.create({ model, prompt: ['a', 'b'], n: 2 });
    expect(answer.choices).toHaveLength(4);
    expect(answer.usage?.completion_tokens).toBe(64);
    const stream = await client.completions.create({ model, prompt: 'a', stream: true });
    const chunks = await collect(stream);
    expect(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join('')).toBe(
      answer.choices[0]?.text,
    );
  });

  it('embeds texts', async () => {
    const answer = await client.embeddings.create({ model: 'vectors', input: ['a', 'b'] });
    expect(answer.data[0]?.embedding).toHaveLength(256);
    expect(answer.usage).toEqual({ prompt_tokens: 4, total_tokens: 4 });
  });

  it('draws pictures', async () => {
    const size = '512x512';
    const answer = await client.images.generate({ model: 'pictures', prompt: 'a', n: 2, size });
    expect(answer.data).toHaveLength(2);
  });

  it('refuses as OpenAI does', async () => {
    await expect(client.chat.completions.create({ model: 'x', messages })).rejects.toMatchObject({
      status: 404,
      code: 'model_not_found',
    });
    const long = client.chat.completions.create({ model: 'small', messages, max_tokens: 100 });
    await expect(long).rejects.toMatchObject({ status: 400, code: 'context_length_exceeded' });
  });

  it('sums what it reported', async () => {
    const before = node.reportedUsage;
    await client.chat.completions.create({ model, messages });
    const after = node.reportedUsage;
    expect(after.outputTokens - before.outputTokens).toBe(16);
    expect(node.received.at(-1)).toMatchObject({ completed: true, usage: { inputTokens: 6 } });
  });

  it('tells its models, health and metrics', async () => {
    const page = async (path: string) => await fetch(`${node.url}${path}`);
    expect((await page('/health')).status).toBe(200);
    expect((await page('/nothing')).status).toBe(404);
    expect(await (await page('/metrics')).text()).toContain('vllm:num_requests_waiting{');
    expect((await client.models.list()).data.map(({ id }) => id)).toContain(model);
  });
});

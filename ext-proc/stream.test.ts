import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKeystoreEntry, toKeystoreEntry } from '../chain/keystore.ts';
import { signResponse } from '../chain/response-signature.ts';
import { exchangeToJson } from '../domain/exchange-json.ts';
import { costOf } from '../domain/price.ts';
import { noUsage } from '../domain/usage.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { estimatedInputTokens, type Gateway, price, startGateway } from './testing/gateway.ts';
import type { NodeMetadata } from './testing/wire.ts';

const sse = { 'content-type': 'text/event-stream; charset=utf-8' };
const plain = { node: 'n1', protocol: 'openai' };
const atoma = { node: 'n2', protocol: 'atoma', stack: '7' };

const chunk = (content: string) =>
  `data: {"id":"1","choices":[{"index":0,"delta":{"content":"${content}"}}],"usage":null}\n\n`;
const usage = (value: unknown = { prompt_tokens: 12, completion_tokens: 3, total_tokens: 15 }) =>
  `data: ${JSON.stringify({ id: '1', choices: [], usage: value })}\n\n`;
const done = 'data: [DONE]\n\n';
const content = [chunk('a'), chunk('é€'), chunk('c')].join('');
const told = { ...noUsage, inputTokens: 12, outputTokens: 3 };

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

/** Streams the body in one piece and ends as told; what the caller got, and what was charged. */
async function run(options: {
  body: string;
  node?: NodeMetadata;
  usageWanted?: boolean;
  ending?: 'whole' | 'end' | 'reset';
}) {
  const exchange = await gateway.reserve({ usageWanted: options.usageWanted ?? false });
  const stream = gateway.envoy.open({
    exchange: exchangeToJson(exchange),
    node: options.node ?? plain,
  });
  const ending = options.ending ?? 'whole';
  await stream.headers(200, sse);
  await stream.body(options.body, ending === 'whole');
  if (ending === 'reset') stream.reset();
  else stream.end();
  return { ...stream.received, record: await gateway.recordOf(exchange) };
}

describe('a stream of a plain OpenAI node', () => {
  it('passes without the usage chunk that the caller did not ask for, at the price of what the node told', async () => {
    const { body, headers, mode, record } = await run({ body: content + usage() + done });
    expect(body).toBe(content + done);
    expect(mode).toBe(1);
    expect(headers).toMatchObject({ 'x-gateway-node': 'n1', 'x-accel-buffering': 'no' });
    expect(record).toMatchObject({ ending: 'completed', usage: told, estimated: false });
    expect(record.cost).toBe(costOf(price, told));
  });

  it('keeps the usage chunk for a caller who asked', async () => {
    const whole = content + usage() + done;
    expect((await run({ body: whole, usageWanted: true })).body).toBe(whole);
  });

  it('loses its comments', async () => {
    const { body } = await run({ body: `: keep-alive\n\n${content}: keep-alive\n\n${done}` });
    expect(body).toBe(content + done);
  });

  it('that stops before the end becomes an error event, billed for what arrived', async () => {
    const { body, record } = await run({ body: content });
    expect(body).toContain('"code":"upstream_stream_truncated"');
    expect(body).not.toContain('[DONE]');
    expect(record).toMatchObject({
      ending: 'node-truncated',
      usage: { inputTokens: estimatedInputTokens, outputTokens: 3 },
      estimated: true,
    });
  });

  it('that breaks inside an event never shows the half event', async () => {
    const { body } = await run({ body: `${content}data: {"choices":[{"del` });
    expect(body).not.toContain('del"');
    expect(body.startsWith(content)).toBe(true);
  });

  it('is cut at malformed JSON', async () => {
    const { body, record } = await run({ body: `${content}data: {"a":}\n\n${chunk('x')}${done}` });
    expect(body.startsWith(`${content}data: {"error":`)).toBe(true);
    expect(body).not.toContain('[DONE]');
    expect(record).toMatchObject({ ending: 'node-failed', usage: { outputTokens: 3 } });
  });

  it('is cut at an error frame', async () => {
    const { body, record } = await run({ body: `${content}data: {"error":{"message":"x"}}\n\n` });
    expect(body).toContain('"code":"upstream_error"');
    expect(record.ending).toBe('node-failed');
  });

  it.each([
    [{ prompt_tokens: -5, completion_tokens: 3 }],
    [{ prompt_tokens: 5, completion_tokens: 1e12 }],
    [{ prompt_tokens: 'many' }],
  ])('with the usage %j is charged by the own count', async (value) => {
    const { record } = await run({ body: content + usage(value) + done });
    expect(record).toMatchObject({
      ending: 'completed',
      estimated: true,
      usage: { inputTokens: estimatedInputTokens, outputTokens: 3 },
    });
  });

  it('takes a reported zero for a count', async () => {
    const { record } = await run({
      body: content + usage({ prompt_tokens: 0, completion_tokens: 0 }) + done,
    });
    expect(record).toMatchObject({ estimated: false, cost: 0n });
  });

  it.each(['end', 'reset'] as const)(
    'left by its caller (%s) costs what was delivered',
    async (ending) => {
      const { record } = await run({ body: content, ending });
      const delivered = { ...noUsage, inputTokens: estimatedInputTokens, outputTokens: 3 };
      expect(record).toMatchObject({ ending: 'client-aborted', usage: delivered });
      expect(record.cost).toBe(costOf(price, delivered));
    },
  );

  it('left before the first event costs nothing', async () => {
    const { record } = await run({ body: '', ending: 'reset' });
    expect(record).toMatchObject({ ending: 'client-aborted', cost: 0n });
  });

  it('is charged by the last word of continuous usage', async () => {
    const counted = (tokens: number) =>
      `data: {"choices":[{"delta":{"content":"x"}}],"usage":{"prompt_tokens":9,"completion_tokens":${tokens}}}\n\n`;
    const { record } = await run({ body: counted(1) + counted(2), ending: 'reset' });
    expect(record.usage).toEqual({ ...noUsage, inputTokens: 9, outputTokens: 2 });
  });
});

describe('a stream of an Atoma node', () => {
  it('gets the padding and the end that the node never sends', async () => {
    const { body, record } = await run({ body: content + usage(), node: atoma });
    expect(body.startsWith(content)).toBe(true);
    expect(body.slice(content.length)).toMatch(/^: {50,}\n\ndata: \[DONE\]\n\n$/);
    expect(record).toMatchObject({ ending: 'completed', usage: told, nodeId: 'n2' });
  });

  it('without a usage event is truncated', async () => {
    const { body, record } = await run({ body: content, node: atoma });
    expect(body).toContain('upstream_stream_truncated');
    expect(record.ending).toBe('node-truncated');
  });

  it('signed by its node is believed', async () => {
    const key = parseKeystoreEntry(toKeystoreEntry(new Uint8Array(32).fill(7)));
    if (!key) throw new Error('no key');
    const end = signResponse(key, usage().trim().slice('data: '.length));
    const node = { ...atoma, signer: key.address };
    const { record } = await run({ body: `${content}data: ${end}\n\n`, node });
    expect(record).toMatchObject({ ending: 'completed', usage: told, estimated: false });
    const other = await run({ body: `${content}data: ${end.replace('12', '13')}\n\n`, node });
    expect(other.record.ending).toBe('node-failed');
  });

  it('without the signature of its node is not believed', async () => {
    const { body, record } = await run({
      body: content + usage(),
      node: { ...atoma, signer: '0x1' },
    });
    expect(body).toContain('"code":"upstream_error"');
    expect(record).toMatchObject({ ending: 'node-failed', usage: { outputTokens: 3 } });
  });
});

describe('any stream', () => {
  it('settles once and within its reservation, however it is cut and wherever it ends', async () => {
    const bytes = Buffer.from(`: c\n\n${content}${usage()}${done}`);
    const scenes = fc.record({
      cuts: fc.array(fc.nat({ max: bytes.length }), { maxLength: 8 }),
      last: fc.nat({ max: bytes.length }),
      ending: fc.constantFrom('whole', 'end', 'reset'),
    });
    await fc.assert(
      fc.asyncProperty(scenes, async ({ cuts, last, ending }) => {
        const exchange = await gateway.reserve();
        const stream = gateway.envoy.open({ exchange: exchangeToJson(exchange), node: plain });
        await stream.headers(200, sse);
        const places = [0, ...cuts.filter((place) => place < last), last].sort((a, b) => a - b);
        for (const [index, place] of places.slice(1).entries()) {
          const isLast = ending === 'whole' && index === places.length - 2;
          await stream.body(bytes.subarray(places[index], place), isLast);
        }
        if (ending === 'reset') stream.reset();
        else stream.end();
        const { cost } = await gateway.recordOf(exchange);
        expect(cost <= exchange.reserved).toBe(true);
        const { body } = stream.received;
        expect(body.includes('"usage":{')).toBe(false);
        if (last === bytes.length) expect(body).toBe(content + done);
        if (body.includes('[DONE]')) expect(cost).toBe(costOf(price, told));
      }),
      { numRuns: 60 },
    );
    const report = await gateway.storage.audit();
    expect(report.ok).toBe(true);
  });
});

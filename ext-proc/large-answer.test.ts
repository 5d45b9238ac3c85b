import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKeystoreEntry, toKeystoreEntry } from '../chain/keystore.ts';
import { signResponse } from '../chain/response-signature.ts';
import type { Exchange } from '../domain/exchange.ts';
import { exchangeToJson } from '../domain/exchange-json.ts';
import { costOf } from '../domain/price.ts';
import { noUsage } from '../domain/usage.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { estimatedInputTokens, type Gateway, price, startGateway } from './testing/gateway.ts';

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

const key = parseKeystoreEntry(toKeystoreEntry(randomBytes(32)));
if (!key) throw new Error('no key');
const plain = { node: 'n1', protocol: 'openai' };
const signed = { node: 'n2', protocol: 'atoma', signer: key.address };

const usage = { prompt_tokens: 12 };
const vectors = (more: object = { usage }) =>
  JSON.stringify({ data: [{ embedding: [0.1, 0.2] }, { embedding: [0.3] }], ...more });

/** Sends the answer in pieces of 7 bytes, without saying how long it is. */
async function run(options: {
  body: string;
  node?: typeof signed | typeof plain;
  changes?: Partial<Exchange>;
  leavesAfter?: number;
}) {
  const exchange = await gateway.reserve({
    stream: false,
    endpoint: 'embeddings',
    ...options.changes,
  });
  const stream = gateway.envoy.open({
    exchange: exchangeToJson(exchange),
    node: options.node ?? plain,
  });
  await stream.headers(200, { 'content-type': 'application/json' });
  const bytes = Buffer.from(options.body).subarray(0, options.leavesAfter);
  for (let at = 0; at < bytes.length; at += 7) await stream.body(bytes.subarray(at, at + 7), false);
  if (options.leavesAfter === undefined) await stream.body('', true);
  stream.end();
  return { ...stream.received, record: await gateway.recordOf(exchange) };
}

describe('a large answer', () => {
  it('passes byte for byte, in pieces, and is charged by its usage', async () => {
    const body = `${vectors()}\n`;
    const answer = await run({ body });
    const cost = costOf(price, { ...noUsage, inputTokens: 12 });
    expect(answer).toMatchObject({ status: 200, body, mode: 1 });
    expect(answer.record).toMatchObject({ ending: 'completed', estimated: false, cost });
  });

  it('is shown whole where its length is known to be small', async () => {
    const exchange = await gateway.reserve({ stream: false, endpoint: 'embeddings' });
    const stream = gateway.envoy.open({ exchange: exchangeToJson(exchange), node: plain });
    const body = vectors();
    await stream.headers(200, {
      'content-type': 'application/json',
      'content-length': String(body.length),
    });
    expect(stream.received.mode).toBe(2);
    stream.reset();
    await gateway.recordOf(exchange);
  });

  it('counts pictures, also where its caller leaves before the end', async () => {
    const changes = { endpoint: 'images' } as const;
    const body = vectors({});
    expect((await run({ body, changes })).record.usage).toMatchObject({ images: 2 });
    const { record } = await run({ body, changes, leavesAfter: body.length - 1 });
    expect(record).toMatchObject({ ending: 'client-aborted', usage: { images: 2 } });
  });

  it.each([
    ['without its end', vectors().slice(0, -1)],
    ['with more behind its end', `${vectors()}{}`],
  ])('%s is not closed for its caller, and costs nothing', async (_name, body) => {
    const answer = await run({ body });
    expect(() => JSON.parse(answer.body)).toThrow();
    expect(answer.record).toMatchObject({ ending: 'node-truncated', cost: 0n });
  });

  it('of an Atoma node passes where its signature holds', async () => {
    const body = signResponse(key, vectors());
    const answer = await run({ body, node: signed });
    expect(answer).toMatchObject({ body, record: { ending: 'completed', estimated: false } });
  });

  it('of an Atoma node is not closed where its signature does not hold', async () => {
    const body = signResponse(key, vectors()).replace('0.1', '0.9');
    const answer = await run({ body, node: signed });
    expect(() => JSON.parse(answer.body)).toThrow();
    expect(answer.record).toMatchObject({ ending: 'node-failed', cost: 0n });
  });

  it('without usage is charged by the own count', async () => {
    const { record } = await run({ body: vectors({}) });
    const own = { ...noUsage, inputTokens: estimatedInputTokens };
    expect(record).toMatchObject({ estimated: true, usage: own });
  });
});

import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKeystoreEntry, type SigningKey, toKeystoreEntry } from '../chain/keystore.ts';
import { createStreamSealer, sealResponse } from '../confidential/answer-sealing.ts';
import { createExchangeCipher, nonceBytes } from '../confidential/cipher.ts';
import { openResponse } from '../confidential/response.ts';
import type { Exchange } from '../domain/exchange.ts';
import { exchangeToJson } from '../domain/exchange-json.ts';
import { noUsage } from '../domain/usage.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { type Gateway, startGateway } from './testing/gateway.ts';

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

function newKey(): SigningKey {
  const made = parseKeystoreEntry(toKeystoreEntry(randomBytes(32)));
  if (!made) throw new Error('no key');
  return made;
}
const key = newKey();
const stranger = newKey();
const node = { node: 'n', protocol: 'atoma', signer: key.address };

const requestNonce = randomBytes(nonceBytes);
const sealed = { nodeId: 'n', stackId: '7', nonce: requestNonce.toString('base64') };
const newCipher = () => createExchangeCipher(randomBytes(32), { requestNonce });
const usage = '{"prompt_tokens":12,"total_tokens":12}';

function answerOf(options: { bytes: number; by?: SigningKey; usage?: string }) {
  const cipher = newCipher();
  const plaintext = randomBytes(options.bytes);
  const signing = { cipher, key: options.by ?? key, randomBytes };
  return { cipher, text: sealResponse({ plaintext, usage: options.usage ?? usage }, signing) };
}

/** Sends an answer in pieces of that many bytes, without saying how long it is. */
async function run(text: string, changes: Partial<Exchange> = {}, pieceBytes = 5000) {
  const exchange = await gateway.reserve({
    ...{ stream: false, endpoint: 'embeddings', usageWanted: true, sealed },
    ...changes,
  });
  const stream = gateway.envoy.open({ exchange: exchangeToJson(exchange), node });
  const type = exchange.stream ? 'text/event-stream' : 'application/json';
  await stream.headers(200, { 'content-type': type });
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += pieceBytes) {
    await stream.body(bytes.subarray(at, at + pieceBytes), false);
  }
  await stream.body('', true);
  stream.end();
  return { ...stream.received, record: await gateway.recordOf(exchange) };
}

describe('a large sealed answer', () => {
  it.each([10, 3000, 200_000])(
    'of %i bytes passes in pieces, with the count that SDKs demand',
    async (bytes) => {
      const { text, cipher } = answerOf({ bytes });
      const answer = await run(text, {}, bytes === 10 ? 7 : 5000);
      expect(answer).toMatchObject({ status: 200, mode: 1 });
      expect(openResponse(answer.body, cipher)).toMatchObject({
        kind: 'opened',
        signerAddress: key.address,
        usage: { prompt_tokens: 12, total_tokens: 12, completion_tokens: 0 },
      });
      expect(answer.record).toMatchObject({ ending: 'completed', estimated: false });
      expect(answer.record.usage).toEqual({ ...noUsage, inputTokens: 12 });
    },
  );

  it('passes byte for byte where nothing is missing', async () => {
    const { text } = answerOf({ bytes: 9000, usage: '{"prompt_tokens":1,"completion_tokens":0}' });
    expect((await run(text)).body).toBe(text);
  });

  it('is not closed where another has signed it, and costs nothing', async () => {
    const answer = await run(answerOf({ bytes: 9000, by: stranger }).text);
    expect(() => JSON.parse(answer.body)).toThrow();
    expect(answer.record).toMatchObject({ ending: 'node-failed', cost: 0n });
  });

  it('is not closed where it is cut', async () => {
    const answer = await run(answerOf({ bytes: 9000 }).text.slice(0, -1));
    expect(() => JSON.parse(answer.body)).toThrow();
    expect(answer.record).toMatchObject({ cost: 0n });
  });

  it('is not closed where it used more than was let in, and costs all that was held', async () => {
    const changes = { bound: { ...noUsage, inputTokens: 11, cachedInputTokens: 11 } };
    const answer = await run(answerOf({ bytes: 9000 }).text, changes);
    expect(() => JSON.parse(answer.body)).toThrow();
    expect(answer.record).toMatchObject({ ending: 'refused', usage: { inputTokens: 11 } });
    expect(answer.record.cost).toBeGreaterThan(0n);
  });
});

describe('a sealed stream', () => {
  const streamed = { stream: true, endpoint: 'chat' } as const;

  function eventsOf(chunks: number, nonces: 'shared' | 'unique' = 'unique', by = key) {
    const sealer = createStreamSealer({ cipher: newCipher(), key: by, nonces, randomBytes });
    const tell = (at: number) =>
      at < chunks ? undefined : '{"prompt_tokens":5,"completion_tokens":3}';
    return Array.from(
      { length: chunks + 1 },
      (_, at) =>
        `data: ${sealer.seal({ plaintext: Buffer.from(`{"n":${at}}`), usage: tell(at) })}\n\n`,
    ).join('');
  }

  it('passes byte for byte and just ends', async () => {
    const text = eventsOf(3);
    const { body, record } = await run(text, streamed, 100);
    expect(body).toBe(text);
    expect(record).toMatchObject({ ending: 'completed', estimated: false });
  });

  it('counts nonces that come again', async () => {
    await run(eventsOf(3, 'shared'), streamed);
    const { values } = await gateway.metrics.repeatedNonces.get();
    expect(values).toMatchObject([{ value: 3, labels: { node: 'n' } }]);
  });

  it('ends with an error where its events are no sealed ones, or of another signer', async () => {
    for (const text of [`data: {"choices":[]}\n\n`, eventsOf(2, 'unique', stranger)]) {
      const { body, record } = await run(text, streamed);
      expect(body).toContain('"code":"locked_node_failed"');
      expect(record.ending).toBe('node-failed');
    }
  });

  it('is cut where it goes on beyond what was let in, and costs all that was held', async () => {
    const bound = { ...noUsage, inputTokens: 10, cachedInputTokens: 10, outputTokens: 5 };
    const { body, record } = await run(eventsOf(40), { ...streamed, bound });
    expect(body).toContain('"code":"request_above_lock"');
    expect(record).toMatchObject({
      ending: 'refused',
      usage: { inputTokens: 10, outputTokens: 5 },
    });
  });
});

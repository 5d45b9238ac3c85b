import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseKeystoreEntry, toKeystoreEntry } from '../chain/keystore.ts';
import { signResponse } from '../chain/response-signature.ts';
import type { Exchange } from '../domain/exchange.ts';
import { exchangeToJson } from '../domain/exchange-json.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import { type Gateway, startGateway } from './testing/gateway.ts';
import type { NodeMetadata } from './testing/wire.ts';

const json = { 'content-type': 'application/json' };
const sse = { 'content-type': 'text/event-stream' };
const plain = { node: 'n1', protocol: 'openai' };
const sha256 = (text: string) => hash('sha256', text, 'hex');
const requestHash = sha256('{"as":"sent"}');
const usage = { prompt_tokens: 12, completion_tokens: 3 };

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

/** Runs one exchange; what the caller got, and what is kept for its receipt. */
async function run(options: {
  readonly changes?: Partial<Exchange>;
  readonly requestBody?: string;
  readonly headers: Record<string, string>;
  readonly pieces: readonly string[];
  readonly node?: NodeMetadata;
  readonly ending?: 'whole' | 'reset';
}) {
  const { pieces, ending = 'whole' } = options;
  const exchange = await gateway.reserve({ requestHash, ...options.changes });
  const node = options.node ?? plain;
  const stream = gateway.envoy.open({ exchange: exchangeToJson(exchange), node });
  const forwarded = options.requestBody && (await stream.requestBody(options.requestBody));
  await stream.headers(200, options.headers);
  for (const [index, piece] of pieces.entries()) {
    await stream.body(piece, ending === 'whole' && index === pieces.length - 1);
  }
  if (ending === 'whole') stream.end();
  else stream.reset();
  const record = await gateway.recordOf(exchange);
  const { accountId, requestId } = exchange;
  const kept = await gateway.storage.receipts.find({ accountId, requestId });
  const settled = kept?.kind === 'pending' ? kept.settled : undefined;
  return { body: stream.received.body, forwarded, exchange, record, settled };
}

const event = (value: unknown) => `data: ${JSON.stringify(value)}\n\n`;
const content = (text: string) => event({ choices: [{ index: 0, delta: { content: text } }] });
const usageEvent = event({ choices: [], usage });
const done = 'data: [DONE]\n\n';
const chat = JSON.stringify({ choices: [{ message: { content: 'ä' } }], usage });

describe('what is kept for a receipt', () => {
  it('is the hash of a whole answer, what was charged, and the request as it was sent', async () => {
    const { record, settled, exchange, body } = await run({
      changes: { stream: false },
      headers: json,
      pieces: [chat],
    });
    expect(body).toBe(chat);
    const { cost, ...line } = record;
    expect(settled).toEqual({
      accountId: gateway.accountId,
      charged: cost,
      record: line,
      evidence: {
        startedMs: exchange.startedMs,
        reserved: exchange.reserved,
        requestHash,
        forwardedHash: requestHash,
        responseHash: sha256(chat),
        responseBytes: Buffer.byteLength(chat),
        nodeSignature: undefined,
      },
    });
  });

  it('is the hash of the request that the node got, where it was changed', async () => {
    const edits = [{ offset: 1, length: 0, text: '"more":true,' }];
    const { settled, forwarded } = await run({
      changes: { stream: false, edits },
      requestBody: '{"as":"sent"}',
      headers: json,
      pieces: [chat],
    });
    expect(forwarded).toBe('{"more":true,"as":"sent"}');
    const forwardedHash = sha256(String(forwarded));
    expect(settled?.evidence).toMatchObject({ requestHash, forwardedHash });
  });

  it.each([false, true])(
    'is the hash of a stream as the caller got it, in pieces anyhow, usage asked for: %s',
    async (usageWanted) => {
      const text = `: node\n\n${content('a')}${content('€')}${usageEvent}${done}`;
      const pieces = [text.slice(0, 30), text.slice(30, 71), text.slice(71)];
      const { body, settled } = await run({ changes: { usageWanted }, headers: sse, pieces });
      expect(body.includes('prompt_tokens')).toBe(usageWanted);
      expect(settled?.evidence).toMatchObject({
        responseHash: sha256(body),
        responseBytes: Buffer.byteLength(body),
      });
    },
  );

  it('is the hash of what was passed on before a caller left', async () => {
    const { body, settled } = await run({
      headers: sse,
      pieces: [content('a'), content('b')],
      ending: 'reset',
    });
    expect(settled?.record.ending).toBe('client-aborted');
    expect(settled?.evidence.responseHash).toBe(sha256(body));
  });

  it('is the hash of a stream with the error event that ends it', async () => {
    const { body, settled } = await run({ headers: sse, pieces: [content('a'), 'data: {'] });
    expect(settled?.record.ending).toBe('node-truncated');
    expect(body).toContain('upstream_stream_truncated');
    expect(settled?.evidence.responseHash).toBe(sha256(body));
  });

  it('is the hash of an answer too large to be held', async () => {
    const text = JSON.stringify({ data: [{ embedding: 'x'.repeat(5000) }], usage });
    const { body, settled } = await run({
      changes: { stream: false, endpoint: 'embeddings' },
      headers: json,
      pieces: [text.slice(0, 4000), text.slice(4000, -1), '}', ' '],
    });
    expect(body).toBe(`${text} `);
    expect(settled?.evidence.responseHash).toBe(sha256(body));
  });

  it("is the node's own last signature", async () => {
    const key = parseKeystoreEntry(toKeystoreEntry(new Uint8Array(32).fill(5)));
    if (!key) throw new Error('no key');
    const signed = signResponse(key, chat);
    const node = { node: 'n2', protocol: 'atoma', stack: '7', signer: key.address };
    const { settled } = await run({
      changes: { stream: false },
      headers: json,
      pieces: [signed],
      node,
    });
    const { signature, response_hash } = JSON.parse(signed);
    expect(settled?.evidence.nodeSignature).toEqual({
      signerAddress: key.address,
      hash: response_hash,
      signature,
    });
  });

  it('is nothing where nothing is charged, and nothing where no receipts are issued', async () => {
    const failing = await run({ changes: { stream: false }, headers: json, pieces: ['{'] });
    expect(failing.record).toMatchObject({ ending: 'node-failed', cost: 0n });
    const unissued = await run({
      changes: { stream: false, requestHash: '' },
      headers: json,
      pieces: [chat],
    });
    expect(unissued.record.cost).toBeGreaterThan(0n);
    expect([failing.settled, unissued.settled]).toEqual([undefined, undefined]);
  });
});

import type OpenAI from 'openai';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { FaultInput } from '../../devnet/faults.ts';
import type { Protocol } from '../../domain/model.ts';
import { eventsOf, type RawAnswer, sendChat, tokensIn } from './chat-request.ts';
import {
  aloneModel,
  aloneNode,
  badNode,
  earlyFaults,
  faultModels,
  faultNodes,
  faultPrice,
  goodNode,
  pairModel,
} from './fault-fleet.ts';
import { startTestGateway, type TestGateway, untilSettled } from './gateway.ts';
import { restock } from './restock.ts';
import { usageLineOf } from './usage.ts';

const silenceMs = 700;
const tokensMax = 8;

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({
    models: faultModels,
    nodes: faultNodes,
    env: {
      ATOMA_FIRST_BYTE_TIMEOUT_MS: String(silenceMs),
      ATOMA_JSON_TIMEOUT_MS: String(silenceMs),
    },
  });
});
afterAll(() => gateway?.close());

afterEach(async () => {
  for (const node of gateway.devnet.nodes) node.clearFault();
  await untilSettled(gateway, gateway.accountId);
  expect(await gateway.storage.audit()).toMatchObject({ ok: true, problems: [] });
});

const messages = [{ role: 'user' as const, content: 'Say something nice, please.' }];
const bodyOf = (model: string, stream: boolean) => ({
  model,
  messages,
  max_tokens: tokensMax,
  stream,
});

/** The most that any of these requests may cost, whatever a node says: a token has at least one byte. */
const costMax =
  BigInt(JSON.stringify(messages).length + 64) * faultPrice.input +
  BigInt(tokensMax) * faultPrice.output;

/** What the SDK makes of a request: whether it has a whole answer, or throws. */
async function askSdk(model: string, stream: boolean): Promise<'whole' | 'partial'> {
  if (!stream) {
    const { choices } = await gateway.client.chat.completions.create({
      ...bodyOf(model, false),
      stream: false,
    });
    return choices[0]?.finish_reason === 'length' ? 'whole' : 'partial';
  }
  const chunks: OpenAI.ChatCompletionChunk[] = [];
  const answer = await gateway.client.chat.completions.create({
    ...bodyOf(model, true),
    stream: true,
  });
  for await (const chunk of answer) chunks.push(chunk);
  return chunks.some(({ choices }) => choices[0]?.finish_reason === 'length') ? 'whole' : 'partial';
}

const cases = (['openai', 'atoma'] as const).flatMap((protocol) =>
  earlyFaults[protocol].flatMap((fault) =>
    [false, true].map((stream) => ({ protocol, fault, stream, name: fault.name })),
  ),
);

describe('before the first byte', () => {
  it.each(cases)(
    'another node answers after $name at a node of protocol $protocol, stream: $stream',
    async ({ protocol, fault, stream }) => {
      const model = pairModel(protocol, fault);
      const bad = gateway.devnet.node(badNode(protocol));
      const metBefore = bad.received.length;
      if (protocol === 'atoma') await restock(gateway, { node: bad.id, model });
      bad.setFault(fault.fault);
      // The bad node has a hundred times the weight, and may rarely be second all the same.
      for (let turn = 0; turn < 4 && bad.received.length === metBefore; turn += 1) {
        const answer = await sendChat(gateway, bodyOf(model, stream)).answer;
        expect(answer).toMatchObject({ status: 200, ending: 'whole' });
        expect(answer.text.includes('[DONE]')).toBe(stream);
        const { accountId } = gateway;
        const line = await usageLineOf(gateway, { accountId, requestId: answer.requestId });
        expect(line.record).toMatchObject({ ending: 'completed', nodeId: goodNode(protocol) });
        expect(line.record.usage.outputTokens).toBe(tokensMax);
      }
      expect(bad.received.length).toBeGreaterThan(metBefore);
      expect(await askSdk(model, stream)).toBe('whole');
    },
  );
});

/** How a failure looks: an error as the answer, as an event of the stream, or a broken connection; or no failure. */
type Shape = 'error' | 'error-event' | 'reset' | 'answer';
type Charged = 'nothing' | 'delivered' | 'own count' | 'reported';
type Detail = string | number | readonly number[];
type Row = readonly [Protocol, FaultInput, 'json' | 'stream', Shape, Detail, Charged];

const afterEvents = 4;
const rows: readonly Row[] = [
  ['openai', { kind: 'refuse' }, 'json', 'error', 502, 'nothing'],
  ['openai', { kind: 'refuse' }, 'stream', 'error', 502, 'nothing'],
  ['openai', { kind: 'hang-before-headers' }, 'json', 'error', 504, 'nothing'],
  ['openai', { kind: 'hang-before-headers' }, 'stream', 'error', 504, 'nothing'],
  ['openai', { kind: 'hang-after-headers' }, 'json', 'error', 504, 'nothing'],
  ['openai', { kind: 'hang-after-headers' }, 'stream', 'reset', '', 'nothing'],
  ['openai', { kind: 'cut-mid-stream' }, 'json', 'error', 502, 'nothing'],
  ['openai', { kind: 'cut-mid-stream', afterEvents }, 'stream', 'reset', '', 'delivered'],
  ['atoma', { kind: 'cut-mid-stream', afterEvents }, 'stream', 'reset', '', 'delivered'],
  ['openai', { kind: 'end-mid-stream' }, 'json', 'error', 502, 'nothing'],
  [
    'openai',
    { kind: 'end-mid-stream', afterEvents },
    'stream',
    'error-event',
    'upstream_stream_truncated',
    'delivered',
  ],
  [
    'atoma',
    { kind: 'end-mid-stream', afterEvents },
    'stream',
    'error-event',
    'upstream_stream_truncated',
    'delivered',
  ],
  ['openai', { kind: 'malformed-json' }, 'json', 'error', 502, 'nothing'],
  [
    'openai',
    { kind: 'malformed-json', afterEvents },
    'stream',
    'error-event',
    'upstream_error',
    'delivered',
  ],
  [
    'openai',
    { kind: 'malformed-sse', afterEvents },
    'stream',
    'error-event',
    'upstream_stream_truncated',
    'delivered',
  ],
  ['openai', { kind: 'error-frame' }, 'json', 'error', 502, 'nothing'],
  ['openai', { kind: 'error-frame' }, 'stream', 'error-event', 'upstream_error', 'nothing'],
  ['openai', { kind: 'gzip' }, 'json', 'error', 502, 'nothing'],
  ['openai', { kind: 'gzip' }, 'stream', 'error', 502, 'nothing'],
  ['atoma', { kind: 'bad-signature' }, 'json', 'error', 502, 'nothing'],
  ['atoma', { kind: 'bad-signature' }, 'stream', 'error-event', 'upstream_error', 'delivered'],
  ...([401, 500] as const).flatMap((status): Row[] => [
    ['atoma', { kind: 'status', status }, 'json', 'error', 502, 'nothing'],
    ['atoma', { kind: 'status', status }, 'stream', 'error', 502, 'nothing'],
  ]),
  // Where the gateway has let go of the stack before its second try, no node is left.
  ...([423, 425] as const).flatMap((status): Row[] => [
    ['atoma', { kind: 'status', status }, 'json', 'error', [502, 503], 'nothing'],
    ['atoma', { kind: 'status', status }, 'stream', 'error', [502, 503], 'nothing'],
  ]),
  ['atoma', { kind: 'status', status: 429 }, 'json', 'error', 429, 'nothing'],
  ['openai', { kind: 'slow-drip', bytes: 64, intervalMs: 5 }, 'json', 'answer', '', 'reported'],
  ['openai', { kind: 'slow-drip', bytes: 64, intervalMs: 5 }, 'stream', 'answer', '', 'reported'],
  ...(['usage-negative', 'usage-huge', 'usage-fractional'] as const).flatMap((kind): Row[] => [
    ['openai', { kind }, 'json', 'answer', '', 'own count'],
    ['openai', { kind }, 'stream', 'answer', '', 'own count'],
    ['atoma', { kind }, 'stream', 'answer', '', 'own count'],
  ]),
  ['openai', { kind: 'usage-missing' }, 'json', 'answer', '', 'own count'],
  ['openai', { kind: 'usage-missing' }, 'stream', 'answer', '', 'own count'],
  [
    'atoma',
    { kind: 'usage-missing' },
    'stream',
    'error-event',
    'upstream_stream_truncated',
    'delivered',
  ],
];

function expectShape(answer: RawAnswer, [, , how, shape, detail]: Row): void {
  const events = eventsOf(answer.text);
  expect(answer.text.includes('[DONE]')).toBe(shape === 'answer' && how === 'stream');
  expect(answer.ending).toBe(shape === 'reset' ? 'reset' : 'whole');
  switch (shape) {
    case 'error':
      expect([detail].flat()).toContain(answer.status);
      expect(JSON.parse(answer.text)).toMatchObject({ error: { message: expect.any(String) } });
      expect(answer.headers['x-should-retry']).toBe('true');
      return;
    case 'error-event':
      expect(answer.status).toBe(200);
      expect(JSON.parse(events.at(-1) ?? '')).toMatchObject({ error: { code: detail } });
      return;
    case 'reset':
      return;
    case 'answer':
      expect(answer.status).toBe(200);
  }
}

async function expectCharge(answer: RawAnswer, [protocol, , how, shape, , charged]: Row) {
  const node = gateway.devnet.node(aloneNode(protocol));
  const sent = node.received.at(-1)?.tokensSent ?? 0;
  const requestId = node.received.at(-1)?.requestId ?? '';
  const line = await usageLineOf(gateway, { accountId: gateway.accountId, requestId });
  const { usage, estimated, ending } = line.record;
  expect(ending === 'completed').toBe(shape === 'answer');
  expect(ending).not.toBe('client-aborted');
  expect(line.charged).toBeLessThanOrEqual(costMax);
  expect(usage.outputTokens).toBeLessThanOrEqual(charged === 'nothing' ? 0 : tokensMax);
  switch (charged) {
    case 'nothing':
      expect(line.charged).toBe(0n);
      return;
    case 'delivered':
      expect(line.charged).toBeGreaterThan(0n);
      expect(tokensIn(answer.text)).toBeGreaterThan(0);
      expect(usage.outputTokens).toBeGreaterThanOrEqual(tokensIn(answer.text));
      expect(usage.outputTokens).toBeLessThanOrEqual(sent);
      return;
    case 'own count':
      expect(line.charged).toBeGreaterThan(0n);
      expect(estimated).toBe(true);
      if (how === 'stream') expect(usage.outputTokens).toBe(sent);
      return;
    case 'reported':
      expect(estimated).toBe(false);
      expect(usage.outputTokens).toBe(tokensMax);
  }
}

describe('with no other node', () => {
  it.each(rows)('%s node, %j: an answer by %s is %s %s, charged: %s', async (...row: Row) => {
    const [protocol, fault, how, shape] = row;
    const isStream = how === 'stream';
    const model = aloneModel(protocol);
    const node = gateway.devnet.node(aloneNode(protocol));
    if (protocol === 'atoma') await restock(gateway, { node: node.id, model });
    node.setFault(fault);
    // A break within a millisecond of the first byte is an error still; this one comes amid the answer.
    node.setPace({ tokensPerSecond: shape === 'reset' ? 50 : 0 });
    const before = await gateway.storage.ledger.balance(gateway.accountId);

    const answer = await sendChat(gateway, bodyOf(model, isStream)).answer;
    expectShape(answer, row);
    await expectCharge(answer, row);
    const after = await gateway.storage.ledger.balance(gateway.accountId);
    expect(after.available).toBeLessThanOrEqual(before.available);

    const asked = askSdk(model, isStream);
    if (shape === 'answer') expect(await asked).toBe('whole');
    else await expect(asked).rejects.toBeInstanceOf(Error);
  });
});

// The last: these nodes do not come back.
describe('a node that is gone', () => {
  it('is passed over while another stands, and is a 502 where none does', async () => {
    for (const name of [badNode('openai'), aloneNode('openai')]) {
      await gateway.devnet.node(name).close();
    }
    const [fault] = earlyFaults.openai.slice(-1);
    if (!fault) throw new Error('no fault');
    for (let turn = 0; turn < 5; turn += 1) {
      expect(await askSdk(pairModel('openai', fault), turn % 2 === 0)).toBe('whole');
    }
    const answer = await sendChat(gateway, bodyOf(aloneModel('openai'), true)).answer;
    expect(answer).toMatchObject({ status: 502, ending: 'whole' });
    expect(answer.text).toContain('"code":"upstream_error"');
    const { accountId } = gateway;
    const line = await usageLineOf(gateway, { accountId, requestId: answer.requestId });
    expect(line).toMatchObject({ charged: 0n, record: { ending: 'node-failed' } });
  });
});

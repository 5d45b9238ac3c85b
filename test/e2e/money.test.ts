/** Every pico-dollar: what nodes report is what an account pays, and no account pays more than it has. */
import { setTimeout as delay } from 'node:timers/promises';
import type OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ReceivedRequest } from '../../devnet/records.ts';
import { formatUsd } from '../../domain/money.ts';
import { chatModel, embeddingModel, imageModel, models, plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';
import { errorIn, type RawAnswer, send } from './raw.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway({ replicas: { extAuthz: 2, extProc: 2 } });
});
afterAll(() => gateway?.close());

/** Pico-dollars of a decimal number of dollars, by text alone. */
function pico(usd = '0'): bigint {
  const [whole = '', fraction = ''] = usd.split('.');
  return BigInt(whole + fraction.padEnd(12, '0'));
}

/** Prices stand per million in the fleet, per picture where they are for pictures. */
function costOf(model: string, usage: NonNullable<ReceivedRequest['usage']>): bigint {
  const price = models.find(({ id }) => id === model)?.price ?? {};
  const perMillion =
    BigInt(usage.inputTokens - usage.cachedInputTokens) * pico(price.input) +
    BigInt(usage.cachedInputTokens) * pico(price.cached_input) +
    BigInt(usage.outputTokens) * pico(price.output) +
    BigInt(usage.imagePixels) * pico(price.image_pixel);
  expect(perMillion % 1_000_000n).toBe(0n);
  return perMillion / 1_000_000n + BigInt(usage.images) * pico(price.image);
}

const messages = [{ role: 'user' as const, content: 'Tell me of the network, with a tool.' }];
const tools = [
  {
    type: 'function' as const,
    function: {
      name: 'find',
      parameters: { type: 'object', properties: { q: { type: 'string' } } },
    },
  },
];

async function drain(stream: Promise<AsyncIterable<unknown>>): Promise<void> {
  for await (const _ of await stream) await delay(0);
}

function textRequests(client: OpenAI, model: string): Promise<unknown>[] {
  const { chat, completions } = client;
  const usage = { include_usage: true };
  return [
    chat.completions.create({ model, messages }),
    chat.completions.create({ model, messages, max_tokens: 7, n: 2 }),
    chat.completions.create({ model, messages, tools }),
    drain(chat.completions.create({ model, messages, max_tokens: 9, stream: true })),
    drain(chat.completions.create({ model, messages, stream: true, n: 3, stream_options: usage })),
    drain(chat.completions.create({ model, messages, tools, stream: true })),
    completions.create({ model, prompt: 'Once upon a time', max_tokens: 5 }),
    completions.create({ model, prompt: ['Once', 'Twice and more'], n: 2 }),
    drain(completions.create({ model, prompt: 'Once', max_tokens: 6, stream: true })),
  ];
}

const usagePage = z.object({
  data: z.array(
    z.object({
      request_id: z.string(),
      model: z.string(),
      node: z.string(),
      input_tokens: z.number(),
      cached_input_tokens: z.number(),
      output_tokens: z.number(),
      images: z.number(),
      image_pixels: z.number(),
      cost_usd: z.string(),
      status: z.number(),
      ending: z.string(),
      estimated: z.boolean(),
    }),
  ),
  has_more: z.boolean(),
});

const modelIn = (record: ReceivedRequest) =>
  z.object({ model: z.string() }).parse(JSON.parse(record.body)).model;

/** What the usage list has to say, made of the nodes' own records. */
function linesByNodes(requestIds: ReadonlySet<string>) {
  return gateway.devnet.nodes.flatMap((node) =>
    node.received
      .filter(({ requestId }) => requestIds.has(requestId))
      .map((record) => {
        if (!record.usage) throw new Error(`${node.id} has not reported ${record.requestId}`);
        const model = modelIn(record);
        return {
          request_id: record.requestId,
          model,
          node: node.id,
          input_tokens: record.usage.inputTokens,
          cached_input_tokens: record.usage.cachedInputTokens,
          output_tokens: record.usage.outputTokens,
          images: record.usage.images,
          image_pixels: record.usage.imagePixels,
          cost: costOf(model, record.usage),
        };
      }),
  );
}

const byId = (left: { request_id: string }, right: { request_id: string }) =>
  left.request_id < right.request_id ? -1 : 1;

describe('after requests of every kind', () => {
  let account: { accountId: string; client: OpenAI };
  let sent = 0;
  beforeAll(async () => {
    for (const node of gateway.devnet.nodes) node.setPace({ cachedShare: 0.4, replyTokens: 21 });
    const { accountId, apiKey } = await gateway.openAccount({ usd: '10' });
    const client = gateway.clientFor(apiKey);
    account = { accountId, client };
    const requests = [
      ...textRequests(client, chatModel),
      ...textRequests(client, plainModel),
      client.embeddings.create({ model: embeddingModel, input: ['one', 'two words'] }),
      client.images.generate({ model: imageModel, prompt: 'a fox', n: 2, size: '256x512' }),
      client.images.generate({ model: imageModel, prompt: 'an owl' }),
    ];
    sent = requests.length;
    await Promise.all(requests);
    await untilSettled(gateway, accountId);
  });

  it('each line of the usage list is what a node reported, to the pico-dollar', async () => {
    const { data, has_more } = usagePage.parse(
      await account.client.get('/account/usage?limit=100'),
    );
    expect([data.length, has_more]).toEqual([sent, false]);
    expect(data.filter((line) => line.cached_input_tokens > 0).length).toBeGreaterThan(10);
    const told = data.map(({ cost_usd, ...line }) => ({ ...line, cost: pico(cost_usd) }));
    const known = { status: 200, ending: 'completed', estimated: false };
    const expected = linesByNodes(new Set(data.map((line) => line.request_id)));
    expect(told.sort(byId)).toEqual(expected.map((line) => ({ ...line, ...known })).sort(byId));
  });

  it('the account has paid their sum and holds the rest', async () => {
    const { lines } = (await gateway.storage.usage.page({
      accountId: account.accountId,
      before: undefined,
      limit: 100,
    })) ?? { lines: [] };
    const ids = new Set(lines.map(({ record }) => record.requestId));
    const cost = linesByNodes(ids).reduce((sum, line) => sum + line.cost, 0n);
    expect(cost).toBeGreaterThan(pico('0.02'));
    const shown = z
      .object({ balance_usd: z.string(), reserved_usd: z.string(), spent_usd: z.string() })
      .parse(await account.client.get('/account'));
    expect(pico(shown.spent_usd)).toBe(cost);
    expect(pico(shown.balance_usd)).toBe(pico('10') - cost);
    expect(shown.reserved_usd).toBe('0');
  });

  it('the audit finds nothing', async () => {
    expect(await gateway.storage.audit()).toMatchObject({ ok: true, differencePico: 0n });
  });
});

const plainNodes = ['plain-a', 'plain-b'];
const outputTokens = 2000;
const body = JSON.stringify({ model: plainModel, messages, max_tokens: outputTokens });
const nodes = () => plainNodes.map((id) => gateway.devnet.node(id));
const seenByNodes = () => nodes().reduce((sum, { received }) => sum + received.length, 0);
const openAtNodes = () => nodes().reduce((sum, { openRequests }) => sum + openRequests, 0);

/** The money that one such request holds while it runs. */
async function heldByOne(): Promise<bigint> {
  const { accountId, apiKey } = await gateway.openAccount({ usd: '1' });
  for (const node of nodes()) node.setPace({ firstTokenMs: 300 });
  const answer = send(gateway, { body, apiKey });
  let held = 0n;
  await until(async () => {
    held = (await gateway.storage.ledger.balance(accountId)).reserved;
    return held > 0n;
  });
  expect(await answer).toMatchObject({ status: 200 });
  return held;
}

function expectRefusal(answer: RawAnswer): void {
  const error = errorIn(answer);
  if (answer.status === 402) {
    expect(error.code).toBe('insufficient_quota');
    expect(answer.headers['x-should-retry']).toBe('false');
    return;
  }
  expect([answer.status, error.code]).toEqual([429, 'in_flight_budget_exhausted']);
  expect(Number(answer.headers['retry-after'])).toBeGreaterThanOrEqual(1);
  expect(Number(answer.headers['retry-after-ms'])).toBeGreaterThanOrEqual(1000);
}

describe('200 requests at once, with money for ten, over two replicas', () => {
  let held: bigint;
  const poorAccount = () => gateway.openAccount({ usd: formatUsd(held * 10n) });
  beforeAll(async () => {
    for (const node of nodes()) node.setPace({ replyTokens: outputTokens, cachedShare: 0 });
    held = await heldByOne();
  });

  it('hold all of it and no more: ten reach a node, the others are told to wait', async () => {
    const { accountId, apiKey } = await poorAccount();
    for (const node of nodes()) node.setPace({ firstTokenMs: 600_000 });
    const before = seenByNodes();
    const leaving = new AbortController();
    const refusals: string[] = [];
    const url = `${gateway.baseUrl}/v1/chat/completions`;
    const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
    const requests = Array.from({ length: 200 }, async () => {
      const response = await fetch(url, { method: 'POST', headers, body, signal: leaving.signal });
      refusals.push(`${response.status} ${await response.text()}`);
    });
    const all = Promise.allSettled(requests);
    await until(() => refusals.length === 190 && openAtNodes() === 10, 60_000);
    expect(await gateway.storage.ledger.balance(accountId)).toMatchObject({
      available: 0n,
      reserved: held * 10n,
    });
    expect(refusals.filter((text) => !/^429 .*in_flight_budget_exhausted/.test(text))).toEqual([]);
    leaving.abort();
    await all;
    await untilSettled(gateway, accountId);
    expect(seenByNodes() - before).toBe(10);
    const balance = await gateway.storage.ledger.balance(accountId);
    expect(balance).toMatchObject({ available: balance.deposited, settled: 0n });
  });

  it('spend no more than there is, and what is refused has reached no node', async () => {
    const { accountId, apiKey } = await poorAccount();
    for (const node of nodes()) node.setPace({ firstTokenMs: 100 });
    const before = seenByNodes();
    const answers = await Promise.all(
      Array.from({ length: 200 }, () => send(gateway, { body, apiKey })),
    );
    await untilSettled(gateway, accountId);

    const served = answers.filter(({ status }) => status === 200);
    for (const answer of answers) if (answer.status !== 200) expectRefusal(answer);
    expect(served.length).toBeGreaterThanOrEqual(10);
    expect(seenByNodes() - before).toBe(served.length);

    const { available, settled, deposited } = await gateway.storage.ledger.balance(accountId);
    const ids = new Set(served.map(({ headers }) => String(headers['x-request-id'])));
    const cost = linesByNodes(ids).reduce((sum, line) => sum + line.cost, 0n);
    expect(settled).toBe(cost);
    expect(available).toBe(deposited - cost);
    expect(deposited).toBe(held * 10n);
  });

  it('end with 402 once nothing is in flight and the rest is too little', async () => {
    const { accountId, apiKey } = await poorAccount();
    for (const node of nodes()) node.setPace({ firstTokenMs: 0 });
    let served = 0;
    let last = await send(gateway, { body, apiKey });
    for (; last.status === 200 && served < 40; served += 1) {
      await untilSettled(gateway, accountId);
      last = await send(gateway, { body, apiKey });
    }
    expect(served).toBeGreaterThanOrEqual(10);
    expect(last.status).toBe(402);
    expectRefusal(last);
    const { available } = await gateway.storage.ledger.balance(accountId);
    expect(available).toBeLessThan(held);
  });

  it('leave a ledger that adds up, decided by both replicas', async () => {
    expect(await gateway.storage.audit()).toMatchObject({ ok: true, differencePico: 0n });
    for (const name of ['ext-authz-1', 'ext-authz-2']) {
      const text = await (await fetch(gateway.gateway.metricsUrls[name] ?? '')).text();
      expect(text).toMatch(/atoma_admission_decisions_total\{[^}]*\} [1-9]/);
    }
  });
});

/** Headers and paths by which a client might pose as the gateway: none reaches a node, and none changes a route. */
import { connect } from 'node:http2';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import type { ReceivedRequest } from '../../devnet/records.ts';
import { chatModel, plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway, untilSettled } from './gateway.ts';
import { type RawHeader, type RawRequest, send } from './raw.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await startTestGateway();
  // Long enough for a smuggled time limit to show.
  for (const node of gateway.devnet.nodes) node.setPace({ firstTokenMs: 30 });
});
afterAll(() => gateway?.close());

const nodesOf = { [chatModel]: ['atoma-a', 'atoma-b'], [plainModel]: ['plain-a', 'plain-b'] };
const models = [chatModel, plainModel] as const;
type ModelName = (typeof models)[number];

const bodyFor = (model: string) =>
  JSON.stringify({ model, max_tokens: 2, messages: [{ role: 'user', content: 'hi' }] });

/** Sends a chat that must be answered; returns what the one node that saw it saw. */
async function received(model: ModelName, request: RawRequest): Promise<ReceivedRequest> {
  const answer = await send(gateway, { body: bodyFor(model), ...request });
  expect(answer).toMatchObject({ status: 200 });
  return recordOf(model, answer.headers['x-request-id']);
}

function recordOf(model: ModelName, id: unknown): ReceivedRequest {
  const saw = gateway.devnet.nodes.flatMap((node) =>
    node.received.filter(({ requestId }) => requestId === id).map((record) => ({ node, record })),
  );
  expect(saw).toHaveLength(1);
  const [only] = saw;
  if (!only) throw new Error('no node saw the request');
  expect(nodesOf[model]).toContain(only.node.id);
  expect(only.record.headers.host).toBe(new URL(only.node.url).hostname);
  return only.record;
}

/** The same over HTTP/2, with trailers behind the body. */
async function receivedOverHttp2(model: ModelName, names: readonly RawHeader[]) {
  const session = connect(gateway.baseUrl);
  const stream = session.request(
    {
      ':method': 'POST',
      ':path': '/v1/chat/completions',
      authorization: `Bearer ${gateway.apiKey}`,
      'content-type': 'application/json',
      ...Object.fromEntries(names),
    },
    { waitForTrailers: true },
  );
  stream.on('wantTrailers', () => stream.sendTrailers(Object.fromEntries(names)));
  const head = new Promise<unknown>((resolve) =>
    stream.on('response', (headers) => resolve(headers['x-request-id'])),
  );
  stream.end(bodyFor(model));
  expect(JSON.parse(await text(stream))).toHaveProperty('choices');
  session.close();
  return recordOf(model, await head);
}

const smuggled: readonly RawHeader[] = [
  ['x-atoma-cluster', `model:${plainModel}`],
  ['x-atoma-cluster', `model:${chatModel}`],
  ['X-Atoma-Cluster', 'ext-authz'],
  ['x-atoma-stream', '1'],
  ['x-atoma-edit', '1'],
  ['x-atoma-account', 'acc_000000000000000000000000'],
  ['x-atoma-key', 'key_000000000000000000000000'],
  ['x-atoma-phase', 'key'],
  ['x-atoma-anything', 'smuggled'],
  ['x-signature', 'smuggled'],
  ['X-Signature', ''],
  ['x-stack-small-id', '424242'],
  ['x-stack-anything', 'smuggled'],
  ['x-user-id', 'smuggled'],
  ['x-tx-digest', 'smuggled'],
  ['x-request-id', '00000000-0000-4000-8000-000000000000'],
  ['x-envoy-upstream-rq-timeout-ms', '1'],
  ['x-envoy-upstream-rq-per-try-timeout-ms', '1'],
  ['x-envoy-max-retries', '9'],
  ['x-envoy-retry-on', '5xx'],
  ['x-envoy-original-path', '/smuggled'],
  ['x-envoy-original-dst-host', '127.0.0.1:1'],
  ['x-envoy-decorator-operation', 'smuggled'],
  ['x-envoy-internal', 'true'],
  ['x-forwarded-for', '203.0.113.9'],
  ['x-forwarded-proto', 'https'],
  ['cookie', 'smuggled=1'],
  ['api-key', 'smuggled'],
  ['x-api-key', 'smuggled'],
  ['proxy-authorization', 'Basic smuggled'],
  ['accept-encoding', 'gzip'],
  ['expect', 'magic'],
];

const oursAlone =
  /^x-(atoma|envoy)-|^(x-user-id|x-tx-digest|authorization|cookie|x-forwarded-for)$/;

describe.each(models)('a request for %s', (model) => {
  it.each(smuggled)('that brings %s: %s is served as if it had not', async (name, value) => {
    const headers: RawHeader[] = [
      [name, value],
      [name, value],
    ];
    const { headers: seen } = await received(model, { headers });
    expect(seen[name.toLowerCase()] ?? 'absent').not.toContain(value === '' ? ',' : value);
    expect(Object.keys(seen).filter((header) => oursAlone.test(header))).toEqual([]);
  });

  it('over HTTP/2 with all of them, as headers and as trailers, is served all the same', async () => {
    const names = smuggled.map(([name, value]): RawHeader => [name.toLowerCase(), value]);
    const { headers: seen } = await receivedOverHttp2(model, names);
    expect(Object.keys(seen).filter((header) => oursAlone.test(header))).toEqual([]);
    for (const [name, value] of names) expect(seen[name] ?? 'absent').not.toBe(value);
  });

  it('that calls our headers its connection’s own is served all the same', async () => {
    const named = ['x-signature', 'x-stack-small-id', 'x-atoma-cluster', 'x-request-id'];
    const { headers } = await received(model, { headers: [['connection', named.join(', ')]] });
    expect('x-signature' in headers).toBe(model === chatModel);
    expect('x-stack-small-id' in headers).toBe(model === chatModel);
  });

  it.each([
    '/v1/chat/completions?x=1',
    '//v1//chat/completions',
    '/v1/./chat/completions',
    '/v1/models/../chat/completions',
    '/v1/chat%2Fcompletions',
    '/%76%31/chat/completions',
    'http://elsewhere.example/v1/chat/completions',
  ])('at %s reaches a node at its plain path', async (path) => {
    const { path: seen } = await received(model, { path });
    expect(seen.split('?')[0]).toBe('/v1/chat/completions');
  });
});

describe('the account API', () => {
  const get = { method: 'GET', contentType: null } as const;

  it('answers for the account of the key, whatever headers say', async () => {
    const other = await gateway.openAccount({ usd: '3' });
    const headers: RawHeader[] = [['x-atoma-account', other.accountId]];
    const answer = await send(gateway, { ...get, path: '/v1/account', headers });
    expect(JSON.parse(answer.text)).toMatchObject({ id: gateway.accountId });
  });

  it('lists the models of the key, whatever headers say', async () => {
    const wide = await gateway.openAccount({ usd: '3' });
    const narrow = await gateway.openAccount({ usd: '3', models: [plainModel] });
    const headers: RawHeader[] = [['x-atoma-key', wide.keyId]];
    const { apiKey } = narrow;
    const answer = await send(gateway, { ...get, path: '/v1/models', headers, apiKey });
    const { data } = z
      .object({ data: z.array(z.object({ id: z.string() })) })
      .parse(JSON.parse(answer.text));
    expect(data.map(({ id }) => id)).toEqual([plainModel]);
  });
});

it('an answer that Envoy makes after admission carries the id that the ledger knows', async () => {
  const { apiKey, accountId } = await gateway.openAccount({ usd: '1' });
  const nodes = nodesOf[plainModel].map((id) => gateway.devnet.node(id));
  for (const node of nodes) node.setFault({ kind: 'refuse' });
  const answer = await send(gateway, { body: bodyFor(plainModel), apiKey });
  for (const node of nodes) node.clearFault();
  expect(answer.status).toBe(502);
  await untilSettled(gateway, accountId);
  const page = await gateway.storage.usage.page({ accountId, before: undefined, limit: 2 });
  expect(page?.lines.map(({ record }) => record.requestId)).toEqual([
    answer.headers['x-request-id'],
  ]);
});

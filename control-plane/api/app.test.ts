import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { noLimits } from '../../domain/api-key.ts';
import { emptyFleet } from '../../domain/fleet.ts';
import { picoUsd } from '../../domain/money.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { createStorage, type Storage } from '../../storage/storage.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { buildCatalogue } from '../catalogue.ts';
import { testFleet, testOffer } from '../testing.ts';
import { createApi } from './app.ts';
import { startApiServer } from './server.ts';

const catalogue = buildCatalogue(
  testFleet({
    models: [testOffer('org/small', 100_000n), testOffer('org/unserved', 1n), testOffer('bare')],
    nodes: { a: ['org/small'] },
  }),
  new Map(),
);

let redis: TestRedis;
let storage: Storage;
let accountId = '';
const keys = { all: '', some: '' };

beforeAll(async () => {
  redis = await startRedis();
  storage = await createStorage({ redisUrl: redis.url, log: silentLog });
  const account = await storage.accounts.create({ name: 'Ada' });
  accountId = account.id;
  const amount = picoUsd(5_000_000_000_000n);
  await storage.accounts.credit({ accountId, amount, reference: 'r1' });
  keys.all = await createKey(undefined);
  keys.some = await createKey(['bare', 'org/unserved']);
  for (let index = 0; index < 5; index += 1) await spend(index);
});

afterAll(async () => {
  storage.close();
  await redis.stop();
});

async function createKey(models: readonly string[] | undefined): Promise<string> {
  const common = { accountId, name: 'k', expiresMs: undefined, scopes: ['models'] as const };
  return (await storage.apiKeys.create({ ...common, models, limits: noLimits })).key.id;
}

/** One settled request that cost `index` pico-dollars. */
async function spend(index: number): Promise<void> {
  const requestId = randomUUID();
  const order = {
    requestId,
    keyId: keys.all,
    model: 'org/small',
    endpoint: 'chat' as const,
  };
  await storage.ledger.reserve({
    ...order,
    accountId,
    limits: noLimits,
    amount: picoUsd(100n),
    tokens: 1,
    leaseMs: 60_000,
  });
  await storage.ledger.settle({
    requestId,
    accountId,
    cost: picoUsd(BigInt(index)),
    record: {
      ...order,
      timeMs: 1_700_000_000_000 + index,
      nodeId: 'a',
      priceVersion: 'v1',
      usage: {
        inputTokens: index,
        cachedInputTokens: 0,
        outputTokens: 1,
        images: 0,
        imagePixels: 0,
      },
      estimated: false,
      status: 200,
      ending: 'completed',
    },
  });
}

const portsOf = (from: Storage) => ({
  catalogue: () => catalogue,
  findKey: from.apiKeys.get,
  findAccount: from.accounts.get,
  usagePage: from.usage.page,
  locks: { fleet: () => emptyFleet, addLock: from.nodeLocks.add, random: () => 0 },
  nodes: undefined,
  ping: from.ping,
  deposits: undefined,
  log: silentLog,
});

async function ask(
  path: string,
  options: { key?: string; method?: string; anonymous?: boolean } = {},
) {
  const headers = { 'x-atoma-account': accountId, 'x-atoma-key': options.key ?? keys.all };
  const response = await createApi(portsOf(storage)).request(path, {
    method: options.method ?? 'GET',
    headers: options.anonymous ? {} : headers,
  });
  const text = await response.text();
  const body: unknown = text === '' ? undefined : JSON.parse(text);
  return { status: response.status, headers: response.headers, body };
}

const listSchema = z.object({ data: z.array(z.record(z.string(), z.unknown())) });
const idsIn = (body: unknown) => listSchema.parse(body).data.map(({ id }) => id);

describe('/v1/models', () => {
  it('lists what has a price, whether or not a node serves it now', async () => {
    const { status, body } = await ask('/v1/models');
    expect([status, idsIn(body)]).toEqual([200, ['org/small', 'org/unserved']]);
  });

  it('lists only what the key may use', async () => {
    expect(idsIn((await ask('/v1/models', { key: keys.some })).body)).toEqual(['org/unserved']);
  });

  it.each(['/v1/models/org/small', '/v1/models/org%2Fsmall'])(
    'shows a model at %s',
    async (path) => {
      expect((await ask(path)).body).toMatchObject({
        id: 'org/small',
        object: 'model',
        created: 1_700_000_000,
        owned_by: 'test',
        context_length: 8192,
        pricing: {
          prompt: '0.0000001',
          completion: '0.0000004',
          request: '0',
          image: '0',
          input_cache_read: '0.0000001',
        },
        top_provider: { context_length: 8192, max_completion_tokens: 1024 },
        architecture: { modality: 'text->text' },
      });
    },
  );

  it.each([
    ['/v1/models/nothing', 'all', 404, 'model_not_found'],
    ['/v1/models/bare', 'all', 404, 'model_not_found'],
    ['/v1/models/org/small', 'some', 403, 'model_not_allowed'],
    ['/v1/models/%zz', 'all', 404, 'model_not_found'],
  ] as const)('refuses %s with the key for %s models as %d', async (path, key, status, code) => {
    expect(await ask(path, { key: keys[key] })).toMatchObject({
      status,
      body: { error: { code } },
    });
  });
});

describe('/v1/account', () => {
  it('shows the exact balance', async () => {
    expect((await ask('/v1/account')).body).toEqual({
      id: accountId,
      name: 'Ada',
      balance_usd: '4.99999999999',
      reserved_usd: '0',
      spent_usd: '0.00000000001',
      deposited_usd: '5',
    });
  });

  it('pages through the usage, newest first, each line once', async () => {
    const seen: unknown[] = [];
    let path = '/v1/account/usage?limit=2';
    for (let page = 0; page < 3; page += 1) {
      const { data, has_more, next_cursor } = z
        .object({
          data: z.array(z.object({ input_tokens: z.number(), cost_usd: z.string() })),
          has_more: z.boolean(),
          next_cursor: z.string().optional(),
        })
        .parse((await ask(path)).body);
      seen.push(...data.map(({ input_tokens }) => input_tokens));
      expect(has_more).toBe(page < 2);
      path = `/v1/account/usage?limit=2&after=${next_cursor}`;
    }
    expect(seen).toEqual([4, 3, 2, 1, 0]);
  });

  it('tells of each request what it was and cost', async () => {
    const [line] = listSchema.parse((await ask('/v1/account/usage?limit=1')).body).data;
    expect(line).toMatchObject({
      time: new Date(1_700_000_000_004).toISOString(),
      key_id: keys.all,
      model: 'org/small',
      endpoint: 'chat',
      node: 'a',
      cost_usd: '0.000000000004',
      status: 200,
      ending: 'completed',
      estimated: false,
    });
  });

  it.each([
    'limit=0',
    'limit=101',
    'limit=x',
    'limit=-1',
    'after=x',
    'before=1',
    'colour=red',
    'after=1-1&before=1-1',
  ])('refuses the query %s', async (query) => {
    expect(await ask(`/v1/account/usage?${query}`)).toMatchObject({
      status: 400,
      body: { error: { type: 'invalid_request_error', param: expect.any(String) } },
    });
  });
});

describe('the API', () => {
  it.each(['/v1/models', '/v1/models/org/small', '/v1/account', '/v1/account/usage'])(
    'tells nothing at %s to whom ext-authz has not named',
    async (path) => {
      expect((await ask(path, { anonymous: true })).status).toBe(401);
    },
  );

  it('answers unknown paths and methods in the shape of OpenAI', async () => {
    expect(await ask('/v1/nothing')).toMatchObject({ status: 404, body: { error: {} } });
    const refused = await ask('/v1/models', { method: 'POST' });
    expect([refused.status, refused.headers.get('allow')]).toEqual([405, 'GET']);
  });

  it('is healthy for anyone while the storage answers', async () => {
    const { status, body } = await ask('/health', { anonymous: true });
    expect([status, body]).toEqual([200, { message: 'ok', status: 'ok' }]);
  });

  it('answers 503 while the storage is away', async () => {
    const lost = await startRedis();
    const orphan = await createStorage({ redisUrl: lost.url, log: silentLog });
    await lost.stop();
    try {
      const api = createApi(portsOf(orphan));
      const health = await api.request('/health');
      expect([health.status, await health.json()]).toMatchObject([
        503,
        { message: expect.any(String) },
      ]);
      const account = await api.request('/v1/account', { headers: { 'x-atoma-account': 'a' } });
      expect([account.status, account.headers.get('retry-after')]).toEqual([503, '1']);
      expect(await account.json()).toMatchObject({ error: { code: 'gateway_unavailable' } });
    } finally {
      orphan.close();
    }
  });

  it('listens', async () => {
    const server = await startApiServer(portsOf(storage), { host: '127.0.0.1', port: 0 });
    const response = await fetch(`http://127.0.0.1:${server.port}/health`);
    expect([response.status, await response.json()]).toEqual([
      200,
      { message: 'ok', status: 'ok' },
    ]);
    await server.close();
  });
});

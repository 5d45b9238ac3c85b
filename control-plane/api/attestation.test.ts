import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { nonceVerifier } from '../../attestation/nonce-verifier.ts';
import { createNvidiaVerifier } from '../../attestation/nvidia-verifier.ts';
import { reportNonce } from '../../attestation/report-nonce.ts';
import { rootCertificate, testDevice, testKeys } from '../../attestation/testing/certificates.ts';
import { compress, itemOf, madeUpReport } from '../../attestation/testing/evidence.ts';
import { noLimits } from '../../domain/api-key.ts';
import { emptyFleet } from '../../domain/fleet.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { type FollowedChain, startFollowedChain } from '../../test/followed-chain.ts';
import { until } from '../../test/until.ts';
import { buildCatalogue } from '../catalogue.ts';
import { testFleet, testOffer } from '../testing.ts';
import { createApi } from './app.ts';

const claim = z.object({
  claim: z.string(),
  standing: z.enum(['asserted', 'refuted', 'unknown']),
  by: z.string(),
  detail: z.string(),
});
const node = z.object({
  object: z.literal('node.attestation'),
  node: z.string(),
  attested_by: z.literal('node evidence on chain'),
  key: z.object({ public_key: z.string(), source: z.string(), rotation: z.string() }).nullable(),
  network: z.object({ rotation: z.string(), nonce: z.string() }).nullable(),
  devices: z.object({ device: z.int(), nvswitch: z.int() }).nullable(),
  evidence: z
    .object({ sha256: z.string(), bytes: z.int(), zlib_base64: z.string().optional() })
    .nullable(),
  claims: z.array(claim),
});
const report = z.object({
  model: z.string(),
  nonce: z.string().nullable(),
  data: z.array(node),
  has_more: z.boolean(),
  next_cursor: z.string().optional(),
});

// The nodes 1 to 5: with evidence of its key, of another key, garbage, none, and without any key.
const [honest, wrong, garbage, silent, keyless] = ['sui-1', 'sui-2', 'sui-3', 'sui-4', 'sui-5'];
const names = [honest, wrong, garbage, silent, keyless];
const root = { name: 'Root', keys: testKeys() };
const gpu = testDevice({ root, family: 'GH100' });
const keyOf = (index: number) => new Uint8Array(32).fill(index + 1);

let followed: FollowedChain;
const callers = { all: '', other: '' };
const fleet = testFleet({
  models: [testOffer('test-model', 1n), testOffer('crowded', 1n)],
  nodes: {
    ...Object.fromEntries(Array.from({ length: 15 }, (_, n) => [`sui-${n + 1}`, ['crowded']])),
    ...Object.fromEntries(names.map((name) => [name, ['test-model', 'crowded']])),
    ...Object.fromEntries(['sui-90', 'sui-91', 'sui-100'].map((name) => [name, ['crowded']])),
  },
});
const atomaFleet = {
  ...fleet,
  nodes: [
    ...fleet.nodes.map((one) => ({ ...one, protocol: 'atoma' as const })),
    ...testFleet({ models: [], nodes: { 'sui-4000': ['test-model'] } }).nodes,
  ],
};
const catalogue = buildCatalogue(fleet, new Map());

beforeAll(async () => {
  const verifiers = [nonceVerifier, createNvidiaVerifier(rootCertificate(root))];
  followed = await startFollowedChain({ verifiers, prices: names.map(() => 1500n) });
  const { storage } = followed;
  const { id: accountId } = await storage.accounts.create({ name: 'Ada' });
  const common = { accountId, name: 'k', expiresMs: undefined, scopes: ['models'] as const };
  const create = async (models: readonly string[] | undefined) =>
    (await storage.apiKeys.create({ ...common, models, limits: noLimits })).key.id;
  callers.all = await create(undefined);
  callers.other = await create(['elsewhere']);
  await commitKeys();
});
afterAll(() => followed.close());

async function commitKeys(): Promise<void> {
  const { world } = followed;
  const counter = world.seed.rotateNetworkKeys();
  await until('the nodes are known', async () => (await ask(pathOf(keyless))).status === 200);
  await until('the rotation is known', async () => {
    const { network } = await nodeAt(honest);
    return network?.rotation === String(counter);
  });
  const rotationNonce = BigInt((await nodeAt(honest)).network?.nonce ?? '');
  const evidenceFor = (publicKey: Uint8Array) => {
    const nonce = reportNonce({ rotationNonce, publicKey });
    return compress([
      itemOf({ kind: 'device', chain: gpu.chain, report: madeUpReport(nonce, gpu.keys) }),
    ]);
  };
  const bomb = deflateSync(Buffer.alloc(64 * 2 ** 20));
  const evidences = [evidenceFor(keyOf(0)), evidenceFor(keyOf(0)), bomb, new Uint8Array()];
  for (const [index, evidence] of evidences.entries()) {
    const owner = world.nodes[index];
    if (owner) world.seed.commitKey(owner, { publicKey: keyOf(index), evidence, counter });
  }
  await until('the keys are known', async () => (await nodeAt(silent)).key !== null);
}

function createTestApi() {
  const { storage, chain } = followed;
  return createApi({
    catalogue: () => catalogue,
    findKey: storage.apiKeys.get,
    findAccount: storage.accounts.get,
    usagePage: storage.usage.page,
    ping: storage.ping,
    nodes: undefined,
    deposits: undefined,
    locks: { fleet: () => emptyFleet, addLock: async () => true, random: () => 0 },
    receipts: undefined,
    attestation: { attestor: chain.attestor, fleet: () => atomaFleet },
    log: silentLog,
  });
}

async function ask(path: string, options: { key?: string; etag?: string; method?: string } = {}) {
  const { key = callers.all, etag, method = 'GET' } = options;
  const headers = { 'x-atoma-key': key, ...(etag ? { 'if-none-match': etag } : {}) };
  const response = await createTestApi().request(path, { method, headers });
  const text = await response.text();
  const body: unknown = text === '' ? undefined : JSON.parse(text);
  return { status: response.status, headers: response.headers, body };
}

const pathOf = (name = '') => `/v1/nodes/${name}/attestation`;
const nodeAt = async (name = '', query = '') =>
  node.parse((await ask(`${pathOf(name)}${query}`)).body);
const standings = ({ claims }: z.infer<typeof node>) =>
  Object.fromEntries(claims.map((one) => [one.claim, `${one.standing} by ${one.by}`]));

const open = {
  'firmware-known-good': 'unknown by nobody',
  'not-revoked': 'unknown by nobody',
  'key-in-enclave': 'unknown by nobody',
  'fresh-for-caller': 'unknown by nobody',
};

describe('what is said of a node', () => {
  it('is asserted where its evidence is of its key', async () => {
    const shown = await nodeAt(honest);
    expect(shown.key).toMatchObject({ public_key: '01'.repeat(32), source: 'event' });
    expect(shown.devices).toEqual({ device: 1, nvswitch: 0 });
    expect(standings(shown)).toEqual({
      'key-current': 'asserted by chain',
      'evidence-well-formed': 'asserted by structure',
      'key-named': 'asserted by nonce',
      'hardware-signed': 'asserted by nvidia',
      'devices-distinct': 'asserted by nvidia',
      ...open,
    });
  });

  it('is refuted where its evidence is of another key, though the hardware is genuine', async () => {
    expect(standings(await nodeAt(wrong))).toMatchObject({
      'key-named': 'refuted by nonce',
      'hardware-signed': 'asserted by nvidia',
    });
  });

  it('is refuted in form, and beyond that unknown, where its evidence is a bomb', async () => {
    const shown = await nodeAt(garbage);
    expect(shown.devices).toBeNull();
    expect(standings(shown)).toEqual({
      'key-current': 'asserted by chain',
      'evidence-well-formed': 'refuted by structure',
      'key-named': 'unknown by nobody',
      'hardware-signed': 'unknown by nobody',
      'devices-distinct': 'unknown by nobody',
      ...open,
    });
  });

  it('is unknown without evidence, and without a key', async () => {
    expect(standings(await nodeAt(silent))).toMatchObject({
      'evidence-well-formed': 'unknown by structure',
      'key-named': 'unknown by nobody',
    });
    const shown = await nodeAt(keyless);
    expect(shown.key).toBeNull();
    expect(new Set(shown.claims.map(({ standing }) => standing))).toEqual(new Set(['unknown']));
  });

  it('holds the evidence where it is asked for', async () => {
    const { evidence } = await nodeAt(honest, '?evidence=true');
    const bytes = Buffer.from(evidence?.zlib_base64 ?? '', 'base64');
    expect(bytes).toHaveLength(evidence?.bytes ?? 0);
    expect((await nodeAt('1', '?evidence=false')).evidence?.zlib_base64).toBeUndefined();
  });

  it('is the same until something changes', async () => {
    const first = await ask(pathOf(honest));
    const etag = first.headers.get('etag') ?? '';
    expect(first.headers.get('cache-control')).toBe('private, no-cache');
    expect((await ask(pathOf(honest), { etag })).status).toBe(304);
    expect((await ask(pathOf(wrong), { etag })).status).toBe(200);
  });

  it.each(['sui-999', 'sui-0', 'gpu-1', '1e3', 'sui-99999999999999999999999'])(
    'is not found for %s',
    async (name) => {
      expect((await ask(pathOf(name))).status).toBe(404);
    },
  );
});

describe('a report', () => {
  const path = '/v1/attestation/report';
  const nonce = 'ab'.repeat(32);

  it('holds the nodes of the model that have a key, and the caller’s nonce', async () => {
    const { body } = await ask(`${path}?model=test-model&nonce=${nonce}`);
    const shown = report.parse(body);
    expect(shown.data.map((one) => one.node)).toEqual([honest, wrong, garbage, silent]);
    expect(shown).toMatchObject({ nonce, model: 'test-model', has_more: false });
    for (const one of shown.data) expect(standings(one)).toMatchObject(open);
    expect(report.parse((await ask(`${path}?model=test-model`)).body).nonce).toBeNull();
  });

  it('comes in pages', async () => {
    const first = report.parse((await ask(`${path}?model=crowded`)).body);
    expect(first).toMatchObject({ has_more: true, next_cursor: 'sui-90' });
    const second = report.parse((await ask(`${path}?model=crowded&after=sui-90`)).body);
    expect(second).toMatchObject({ has_more: false, data: [] });
  });

  it.each([
    ['', 400, 'model'],
    ['?model=test-model&nonce=short', 400, 'nonce'],
    ['?model=test-model&after=gpu', 400, 'after'],
    ['?model=nowhere', 404, 'model'],
  ])('is refused with %s', async (query, status, param) => {
    const answer = await ask(`${path}${query}`);
    expect(answer).toMatchObject({ status, body: { error: { param } } });
  });

  it('tells no more of models than the key may know', async () => {
    expect((await ask(`${path}?model=test-model`, { key: callers.other })).status).toBe(403);
    expect((await ask(`${path}?model=test-model`, { key: 'gone' })).status).toBe(401);
  });

  it('is refused where too many are being read, and only then', async () => {
    const api = createTestApi();
    const read = async () => (await api.request(pathOf(honest))).status;
    const statuses = await Promise.all(Array.from({ length: 20 }, read));
    expect(statuses.filter((status) => status === 200)).toHaveLength(8);
    expect(statuses.filter((status) => status === 503)).toHaveLength(12);
    expect(await read()).toBe(200);
  });

  it('is read only', async () => {
    expect((await ask(path, { method: 'POST' })).status).toBe(405);
    expect((await ask(pathOf(honest), { method: 'DELETE' })).status).toBe(405);
  });
});

describe('a key that the network left behind', () => {
  it('is refuted as current, and its evidence unknown', async () => {
    followed.world.seed.rotateNetworkKeys();
    const isLeft = async () =>
      standings(await nodeAt(honest))['key-current'] !== 'asserted by chain';
    await until('the rotation is known', isLeft);
    expect(standings(await nodeAt(honest))).toMatchObject({
      'key-current': 'refuted by chain',
      'key-named': 'unknown by nonce',
      'hardware-signed': 'asserted by nvidia',
    });
  });
});

import { Hono } from 'hono';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createFullNode } from '../../chain/client.ts';
import type { FullNode } from '../../chain/full-node.ts';
import { type FullNode as StandIn, startFullNode } from '../../devnet/sui/full-node.ts';
import { setUpAtoma } from '../../devnet/sui/testing.ts';
import { suiAddress } from '../../domain/chain-ids.ts';
import { headers } from '../../domain/names.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import type { NodeRegistrations } from '../../storage/node-registrations.ts';
import { createStorage, type Storage } from '../../storage/storage.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { addNodeRoutes } from '../api/node-routes.ts';
import { createNodeDesk } from './desk.ts';
import { createAddressRule } from './public-address.ts';
import { signedAttestation, signedRegistration, testKey } from './testing.ts';

// The stand-in's nodes 1 and 2 belong to these.
const ada = testKey(1);
const bob = testKey(2);
const names: Readonly<Record<string, readonly string[]>> = {
  'node.example.com': ['9.9.9.9'],
  'rebound.example.com': ['9.9.9.9', '10.0.0.1'],
  localhost: ['127.0.0.1'],
};

let redis: TestRedis;
let storage: Storage;
let served: StandIn;
let fullNode: FullNode;
let registrations: NodeRegistrations;
let api: Hono;
let count = 0;

beforeAll(async () => {
  redis = await startRedis();
  storage = await createStorage({ redisUrl: redis.url, log: silentLog });
  served = await startFullNode();
  const world = setUpAtoma(served.chain, [5n, 6n]);
  fullNode = createFullNode({
    host: served.address,
    tls: false,
    pauseMs: () => 1,
    ids: {
      chainId: served.chain.chainId(),
      definingPackage: suiAddress(world.packageId),
      databaseId: suiAddress(world.dbId),
    },
  });
});
afterAll(async () => {
  fullNode.close();
  await served.close();
  storage.close();
  await redis.stop();
});
beforeEach(() => {
  count += 1;
  const databaseId = suiAddress(`0x${count.toString(16).padStart(64, '0')}`);
  registrations = storage.nodeRegistrations(databaseId);
  served.faults.clear();
  api = new Hono();
  const desk = createNodeDesk({
    fullNode,
    registrations,
    evidence: async () => undefined,
    lookupAll: async (host) => names[host] ?? [],
    isAllowed: createAddressRule([]),
    log: silentLog,
  });
  addNodeRoutes(api, desk);
});

const post = (body: unknown) =>
  api.request('/v1/nodes', {
    method: 'POST',
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });

const put = ({ body, signature }: { body: unknown; signature: string }) =>
  api.request('/v1/update_node_attestation', {
    method: 'PUT',
    body: JSON.stringify(body),
    headers: { [headers.clientSignature]: signature },
  });

const openAiError = z.object({
  error: z.object({ message: z.string(), type: z.literal('invalid_request_error') }),
});

async function refusalOf(response: Response | Promise<Response>): Promise<string> {
  const answer = await response;
  expect(answer.status).toBe(400);
  return openAiError.parse(await answer.json()).error.message;
}

describe('a registration', () => {
  it('is the published vector', async () => {
    const signature =
      'ABnmbbYtrU4JWdFwkArPTkVarwtCjD0XYxgkaLi96Qo92Yzvt5CPcEb8GvwPJwaI0mP3v202/VhnSOPMtHMvzwuBOXcOqH0XX1ajVGbDTH7My42KkbTuN6Jd9g9bj8mzlA==';
    expect(signedRegistration(bob).signature).toBe(signature);
  });

  it('by the badge’s owner is taken in, whatever the order of its fields', async () => {
    const { data, signature } = signedRegistration(ada);
    const { node_small_id, public_address, country } = data;
    const response = await post({ signature, data: { country, public_address, node_small_id } });
    expect([response.status, await response.json()]).toEqual([200, { message: 'Success' }]);
    expect(await registrations.list()).toMatchObject([
      { nodeId: '1', owner: ada.address, publicAddress: 'https://node.example.com' },
    ]);
  });

  it('said again changes nothing; said again after another one is refused', async () => {
    const first = signedRegistration(ada);
    expect((await post(first)).status).toBe(200);
    expect((await post(first)).status).toBe(200);
    const next = signedRegistration(ada, { address: 'https://9.9.9.10:8443' });
    expect((await post(next)).status).toBe(200);
    expect(await refusalOf(post(first))).toContain('replaced by a later one');
    expect(await registrations.list()).toMatchObject([{ publicAddress: 'https://9.9.9.10:8443' }]);
  });

  it('by somebody else is refused', async () => {
    expect(await refusalOf(post(signedRegistration(bob)))).toContain('owner');
    expect(await refusalOf(post(signedRegistration(testKey(77))))).toContain('owner');
    expect(await refusalOf(post(signedRegistration(ada, { nodeId: 99 })))).toContain('owner');
    expect(await registrations.list()).toEqual([]);
  });

  it('that was changed after it was signed is refused', async () => {
    const { data, signature } = signedRegistration(ada);
    const changed = { data: { ...data, public_address: 'https://9.9.9.9' }, signature };
    expect(await refusalOf(post(changed))).toContain('signature is not valid');
  });

  it.each([
    'http://169.254.169.254',
    'http://[fd00:ec2::254]',
    'http://127.0.0.1:3000',
    'http://2130706433',
    'http://0x7f.1',
    'http://[::ffff:10.0.0.1]',
    'http://10.0.0.1',
    'http://localhost:3000',
    'https://rebound.example.com',
    'https://unknown.example.com',
    'https://9.9.9.9/path',
    'https://user@9.9.9.9',
    'ftp://9.9.9.9',
    'file:///etc/passwd',
    '9.9.9.9',
  ])('of %s is refused', async (address) => {
    expect(await refusalOf(post(signedRegistration(ada, { address })))).toContain('Refused');
    expect(await registrations.list()).toEqual([]);
  });

  it.each([
    { address: 'https://node.example.com\n' },
    { address: 'https://node.\u0000example.com' },
    { address: `https://${'a'.repeat(300)}.com` },
    { country: 'U\u0007' },
    { country: 'usa' },
    { nodeId: 0 },
    { nodeId: 1.5 },
    { nodeId: 2 ** 53 },
  ])('with %j is not valid', async (changes) => {
    expect(await refusalOf(post(signedRegistration(ada, changes)))).toContain('is not valid');
  });

  it.each(['', '{', '[]', 'null', '{"data":{}}', '{"__proto__":{}}'])('is not %j', async (text) => {
    expect(await refusalOf(post(text))).toMatch(/not (JSON|valid)/);
  });

  it('with an unknown field is not valid', async () => {
    expect(await refusalOf(post({ ...signedRegistration(ada), admin: true }))).toContain('field');
  });

  it('is not read beyond four kilobytes', async () => {
    const response = await post('x'.repeat(5000));
    expect(response.status).toBe(413);
  });

  it('waits while the full node is away', async () => {
    served.faults.set({ unavailable: ['StateService/ListOwnedObjects'] });
    expect((await post(signedRegistration(ada))).status).toBe(503);
    served.faults.clear();
    expect((await post(signedRegistration(ada))).status).toBe(200);
  });

  it('has one method', async () => {
    expect((await api.request('/v1/nodes')).status).toBe(405);
  });
});

describe('an attestation', () => {
  it('is the published vector', () => {
    const signature =
      'AGsAUYqomtNwzCDLazhM3nkSTkukRqNscDMM00sZH1HlCwyARPm74lEt6SsBov+WiWyEpegcky9wXsEgYiZ5yAyKiOPddAnxlf1S2y08ul1yymcJvx2UEhvzdIgBtA9vXA==';
    expect(signedAttestation(ada, { nodeId: 7 }).signature).toBe(signature);
  });

  it('by the badge’s owner is acknowledged, and by nobody else', async () => {
    expect((await put(signedAttestation(ada))).status).toBe(200);
    expect(await refusalOf(put(signedAttestation(bob)))).toContain('owner');
    const { body } = signedAttestation(ada);
    expect(await refusalOf(put({ body, signature: 'AAAA' }))).toContain('signature');
  });

  it('of 10 MB is refused, and so is one of more than a million bytes', async () => {
    const evidence = Array.from({ length: 2 ** 20 + 1 }, () => 1);
    expect(await refusalOf(put(signedAttestation(ada, { evidence })))).toContain('million');
    const large = { body: 'x'.repeat(10 * 2 ** 20), signature: 'AAAA' };
    expect((await put(large)).status).toBe(413);
  });

  it.each([[[256]], [[-1]], [[0.5]], [['1']]])('of %j is not valid', async (evidence) => {
    const { signature } = signedAttestation(ada);
    const body = { node_small_id: 1, compressed_evidence: evidence };
    expect(await refusalOf(put({ body, signature }))).toContain('is not valid');
  });
});

/** Nodes of the chain, from their owners' transactions and signatures to the traffic that Envoy sends them. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { compress, recorded } from '../../attestation/testing/evidence.ts';
import {
  signedAttestation,
  signedRegistration,
  testKey,
} from '../../control-plane/nodes/testing.ts';
import { type AtomaNodeHandle, createAtomaNode } from '../../devnet/atoma-node.ts';
import { callAtoma, move } from '../../devnet/sui/atoma-deployment.ts';
import type { SeededNode } from '../../devnet/sui/atoma-seed.ts';
import { type FullNode, startFullNode } from '../../devnet/sui/full-node.ts';
import { type AtomaWorld, setUpAtoma } from '../../devnet/sui/testing.ts';
import { ensureKeyFile, keyNames } from '../../launch/key-file.ts';
import { sendChat } from './chat-request.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';
import { startLoad } from './steady-load.ts';

const root = join(import.meta.dirname, '../..');
const model = 'test-model';
const task = 1n;
const units = 1_000_000n;
const effectMsMax = 2000;
// The owners of the nodes 1 and 2; what they sign, their nodes sign too.
const keys = [1, 2].map((byte) => Buffer.alloc(33, byte).fill(0, 0, 1).toString('base64'));

let folder: string;
let chain: FullNode;
let world: AtomaWorld;
let nodes: readonly AtomaNodeHandle[];
let gateway: TestGateway;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoma-chain-'));
  const { file, address: owner } = await ensureKeyFile(folder, keyNames.stackOwner);
  chain = await startFullNode();
  world = setUpAtoma(chain.chain, [1500n, 1500n]);
  nodes = await Promise.all(
    keys.map((keystoreEntry, index) =>
      createAtomaNode({
        id: `n${index + 1}`,
        models: [{ id: model, endpoints: ['chat'], contextTokens: 32_768 }],
        stacks: [],
        keystoreEntry,
        pace: { tokensPerSecond: 200 },
      }),
    ),
  );
  for (const [index] of nodes.entries()) buyStack(owner, index);
  gateway = await startTestGateway({
    models: [],
    nodes: [],
    env: {
      ATOMA_STACK_OWNER_KEY_FILE: file,
      ATOMA_SUI_FULL_NODE: `http://${chain.address}`,
      ATOMA_SUI_CHAIN_ID: chain.chain.chainId(),
      ATOMA_SUI_PACKAGE: world.packageId,
      ATOMA_SUI_DATABASE: world.dbId,
      ATOMA_STACK_OWNER_ADDRESS: owner,
      ATOMA_NODE_ADDRESS_ALLOW: '127.0.0.1/32',
    },
  });
});

afterAll(async () => {
  await gateway?.close();
  await Promise.all((nodes ?? []).map((node) => node.close()));
  await chain?.close();
  await rm(folder, { recursive: true, force: true });
});

const seeded = (index: number): SeededNode => {
  const node = world.nodes[index];
  if (!node) throw new Error(`no node ${index}`);
  return node;
};
const handle = (index: number): AtomaNodeHandle => {
  const node = nodes[index];
  if (!node) throw new Error(`no node ${index}`);
  return node;
};

/** Buys on the chain while no other node is subscribed, so that the draw has one outcome; the node hears of it. */
function buyStack(owner: string, index: number): void {
  const others = world.nodes.filter((_, other) => other !== index);
  for (const other of others) world.seed.unsubscribe(other, task);
  const coin = chain.fund(owner, 10_000_000n);
  callAtoma(chain.chain, [
    {
      sender: owner,
      packageId: world.packageId,
      functionName: 'acquire_new_stack_entry',
      values: [
        move.object(world.dbId),
        move.object(coin),
        move.u64(task),
        move.u64(units),
        move.u64(1500n),
        move.random(),
      ],
    },
  ]);
  handle(index).sellStack({ id: String(index + 1), owner, units: Number(units) });
  for (const other of others) subscribe(other);
}

const subscribe = (node: SeededNode) =>
  world.seed.subscribe([{ node, taskSmallId: task, price: 1500n }]);

const register = (index: number, address = handle(index).url, by = index) =>
  fetch(`${gateway.baseUrl}/v1/nodes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(signedRegistration(testKey(by + 1), { nodeId: index + 1, address })),
  });

const ask = () =>
  sendChat(gateway, { model, max_tokens: 1, messages: [{ role: 'user', content: 'Hi' }] }).answer;

const openAiError = z.object({ error: z.object({ message: z.string(), type: z.string() }) });

async function refusalOf(response: Response): Promise<string> {
  expect(response.status).toBe(400);
  return openAiError.parse(await response.json()).error.message;
}

describe('a node of the chain', () => {
  it('gets nothing before its owner has said where it listens', async () => {
    await until(async () => (await gateway.storage.catalogue.read()).models.length === 1);
    await until(async () => (await ask()).status === 503);
    expect(nodes.flatMap(({ received }) => received)).toEqual([]);
  });

  it('cannot be given an address by others, nor one that the operator has not allowed', async () => {
    expect(await refusalOf(await register(0, undefined, 1))).toContain('owner');
    for (const address of ['http://169.254.169.254', 'http://10.0.0.1', 'http://127.0.0.2:80']) {
      expect(await refusalOf(await register(0, address))).toContain('not public');
    }
    expect(await refusalOf(await register(0, 'http://127.0.0.1\u0000'))).toContain('not valid');
  });

  it('serves within two seconds of its registration, at the price of its stack', async () => {
    const startMs = performance.now();
    const response = await register(0);
    expect([response.status, await response.json()]).toEqual([200, { message: 'Success' }]);
    await until(async () => (await ask()).status === 200);
    expect(performance.now() - startMs).toBeLessThan(effectMsMax);
    const { models } = await gateway.storage.catalogue.read();
    expect(models[0]?.price).toMatchObject({ inputToken: 1500n, outputToken: 1500n });
  });

  it('serves within two seconds of its subscription', async () => {
    expect((await register(1)).status).toBe(200);
    world.seed.unsubscribe(seeded(0), task);
    world.seed.unsubscribe(seeded(1), task);
    await until(async () => (await ask()).status === 404);
    const startMs = performance.now();
    subscribe(seeded(1));
    await until(async () => (await ask()).status === 200);
    const tookMs = performance.now() - startMs;
    expect(tookMs).toBeLessThan(effectMsMax);
    expect(handle(1).received.length).toBeGreaterThan(0);
    subscribe(seeded(0));
  });

  it('leaves with its subscription, and no request fails', async () => {
    const load = startLoad(gateway, { model, callers: 4, tokensMax: 8 });
    const before = handle(0).received.length;
    await until(() => handle(0).received.length > before);
    await load.untilServed(4, 20_000);
    world.seed.unsubscribe(seeded(0), task);
    const leftMs = Date.now();
    await delay(effectMsMax + 500);
    await load.untilServed(4, 20_000);
    const outcomes = await load.stop();
    expect(outcomes.filter(({ kind }) => kind !== 'whole')).toEqual([]);
    const late = handle(0).received.filter(({ startedMs }) => startedMs > leftMs + effectMsMax);
    expect(late).toEqual([]);
    await untilSettled(gateway, gateway.accountId);
    expect(await gateway.storage.audit()).toMatchObject({ ok: true });
  });

  it('cannot be sent back to an address that it has left', async () => {
    expect((await register(1)).status).toBe(200);
    expect((await register(1, 'http://127.0.0.1:9')).status).toBe(200);
    expect(await refusalOf(await register(1))).toContain('replaced');
    expect((await register(1, `${handle(1).url}/`)).status).toBe(200);
    await until(async () => (await ask()).status === 200);
  });
});

const judged = z.object({
  devices: z.object({ device: z.int() }).nullable(),
  claims: z.array(z.object({ claim: z.string(), standing: z.string() })),
});

describe('an attestation', () => {
  const send = ({ body, signature }: { body: string; signature: string }, header = 'X-Signature') =>
    fetch(`${gateway.baseUrl}/v1/update_node_attestation`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', [header]: signature },
      body,
    });
  const signed = (by: number) => {
    const { body, signature } = signedAttestation(testKey(by));
    return { body: JSON.stringify(body), signature };
  };

  it('is acknowledged where the owner has signed it', async () => {
    expect((await send(signed(1))).status).toBe(200);
    expect(await refusalOf(await send(signed(2)))).toContain('owner');
    expect(await refusalOf(await send(signed(1), 'x-atoma-client-signature'))).toContain('missing');
  });

  it('that stands on the chain is judged for whoever has a key', async () => {
    const counter = world.seed.rotateNetworkKeys();
    const evidence = compress(recorded('gh100-eight').evidence);
    world.seed.commitKey(seeded(0), { publicKey: new Uint8Array(32).fill(1), evidence, counter });
    const headers = { authorization: `Bearer ${gateway.apiKey}` };
    const get = (path: string, init = {}) =>
      fetch(`${gateway.baseUrl}${path}`, { headers, ...init });
    const path = '/v1/nodes/sui-1/attestation';
    const read = async () => judged.parse(await (await get(path)).json());
    await until(async () => (await read()).devices?.device === 8);
    const claims = (await read()).claims.map(({ claim, standing }) => `${claim} ${standing}`);
    // Genuine devices, and evidence that was made for somebody else.
    const expected = ['key-current asserted', 'hardware-signed asserted', 'key-named refuted'];
    expect(claims).toEqual(expect.arrayContaining(expected));
    expect((await get(`/v1/attestation/report?model=${model}`)).status).toBe(200);
    expect((await get(path, { headers: {} })).status).toBe(401);
    expect((await get(path, { method: 'POST' })).status).toBe(405);
    expect((await get('/v1/nodes/x/y')).status).toBe(404);
  });

  it('of 10 MB is refused, announced or not', async () => {
    const body = 'x'.repeat(10 * 2 ** 20);
    expect(await statusOf(body, { 'content-length': String(body.length) })).toBe(413);
    expect(await statusOf(body, { 'transfer-encoding': 'chunked' })).toBe(413);
  });

  /** The answer may come while the body is still being sent. */
  function statusOf(body: string, headers: Readonly<Record<string, string>>): Promise<number> {
    return new Promise((resolve, reject) => {
      const sending = request(`${gateway.baseUrl}/v1/update_node_attestation`, {
        method: 'PUT',
        headers: { 'x-signature': 'AAAA', ...headers },
      });
      sending.on('response', (response) => {
        resolve(response.statusCode ?? 0);
        sending.destroy();
      });
      sending.on('error', reject);
      sending.end(body);
    });
  }
});

describe('the operator’s command', () => {
  const admin = (...args: string[]) =>
    new Promise<string>((resolve, reject) => {
      const env = {
        ...gateway.env,
        REDIS_URL: gateway.gateway.redisUrl,
        ATOMA_SUI_DATABASE: world.dbId,
      };
      execFile('npm', ['run', '-s', 'admin', '--', ...args], { cwd: root, env }, (error, stdout) =>
        error ? reject(error) : resolve(stdout),
      );
    });

  it('tells how far the chain has been read', async () => {
    expect(JSON.parse(await admin('chain', 'status', '--json'))).toMatchObject({
      state: 'following',
      nodes: 2,
      tasks: 1,
      stacks: 2,
      alarms: [],
    });
    expect(await admin('chain', 'status')).toContain('no alarms');
  });

  it('tells why a node gets no requests', async () => {
    const found = JSON.parse(await admin('chain', 'nodes', '--json'));
    expect(found).toMatchObject([
      { node: 'sui-1', reason: 'subscribed to nothing that is served' },
      { node: 'sui-2', reason: '', models: [model] },
    ]);
    expect(await admin('chain', 'nodes')).toContain('routable');
  });
});

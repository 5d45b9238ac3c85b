import { createServer } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseKeystoreEntry, toKeystoreEntry } from '../chain/keystore.ts';
import { registrationHash } from '../chain/node-registration.ts';
import { signBody, signerOf } from '../chain/request-signature.ts';
import { silentLog } from '../runtime/silent-log.ts';
import { until } from '../test/until.ts';
import type { ChainLife } from './chain-life.ts';
import { listenOn } from './listening.ts';
import { type LocalChain, startLocalChain } from './local-chain.ts';
import { type Devnet, startDevnet } from './network.ts';
import type { NetworkModelInput } from './network-schema.ts';
import { layouts } from './sui/atoma-layouts.ts';
import { acquireStack, fundBoth } from './sui/testing.ts';
import { connectSui, type SuiConnection, signAndSend, success, toKeypair } from './sui/wallet.ts';

const model: NetworkModelInput = {
  id: 'm',
  endpoints: ['chat'],
  context_tokens: 4096,
  output_tokens_max: 4096,
  media_tokens_max: 0,
  owned_by: 'test',
  created: 0,
  price: {},
};
const units = 1000;
/** A millionth of a USDC per unit, so that amounts and units are the same numbers. */
const price = 1_000_000;
const firstSmallId = 500n;

const entry = toKeystoreEntry(new Uint8Array(32).fill(3));
const buyerKey = parseKeystoreEntry(entry);
const buyer = toKeypair(entry);
const owner = buyer.toSuiAddress();

type Gateway = Awaited<ReturnType<typeof startGateway>>;

let gateway: Gateway;
let chain: LocalChain;
let devnet: Devnet;
let connection: SuiConnection;

const registration = z.object({
  data: z.object({
    node_small_id: z.number(),
    public_address: z.string(),
    country: z.string(),
  }),
  signature: z.string(),
});

/** Takes in registrations when it is told to, and keeps them. */
async function startGateway() {
  const bodies: z.infer<typeof registration>[] = [];
  let status = 503;
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    bodies.push(registration.parse(JSON.parse(text)));
    response.writeHead(request.url === '/v1/nodes' ? status : 404).end();
  });
  const listening = await listenOn(server, { host: '127.0.0.1', port: 0 });
  return {
    ...listening,
    bodies,
    answer(next: number): void {
      status = next;
    },
  };
}

beforeAll(async () => {
  gateway = await startGateway();
  chain = await startLocalChain({
    models: [{ id: 'm', endpoints: ['chat'] }],
    firstSmallId,
    checkpointMs: 20,
  });
  devnet = await startDevnet({
    models: [model],
    nodes: [
      { id: 'oslo', protocol: 'atoma', models: ['m'], unit_price: price },
      { id: 'kyoto', protocol: 'openai', models: ['m'] },
    ],
    chain,
    gatewayUrl: gateway.url,
    log: silentLog,
  });
  connection = connectSui(chain.place.fullNode);
});
afterAll(async () => {
  connection.close();
  await devnet.close();
  await chain.close();
  await gateway.close();
});

beforeEach(() => devnet.life('oslo').setClaims({ overPercent: 0 }));

const life = (): ChainLife => devnet.life('oslo');
const stacks = () => life().node.stacks();

/** Sends the transaction by which anybody may buy a stack. */
async function acquire(priceMax: number) {
  const { usdcCoinId } = fundBoth(chain.fullNode.chain, owner, BigInt(units));
  const { definingPackage: packageId, databaseId: dbId } = chain.place.ids;
  const tx = acquireStack(
    { packageId, dbId, managerAddress: '', managerBadgeId: '' },
    {
      sender: owner,
      usdcCoinId,
      price: BigInt(priceMax),
      units: BigInt(units),
      task: chain.tasks.get('m') ?? 0n,
    },
  );
  return signAndSend(connection.client, { tx, key: buyer });
}

/** Buys a stack; returns its id. */
async function buy(): Promise<string> {
  const before = new Set(stacks().map(({ id }) => id));
  success(await acquire(price));
  const found = () => stacks().find(({ id }) => !before.has(id))?.id;
  await until('the node knows the stack', () => found() !== undefined);
  return found() ?? '';
}

/** Asks for so many tokens on a stack; the node answers with all of them. */
async function ask(stack: string, tokens: number): Promise<number> {
  const node = devnet.node('oslo');
  node.setPace({ firstTokenMs: 0, tokensPerSecond: 0, replyTokens: tokens });
  if (!buyerKey) throw new Error('no key');
  const messages = [{ role: 'user', content: 'hi' }];
  const body = JSON.stringify({ model: 'm', messages, max_tokens: tokens });
  const response = await fetch(`${node.url}/v1/chat/completions`, {
    method: 'POST',
    body,
    headers: {
      'content-type': 'application/json',
      'x-signature': signBody(buyerKey, body),
      'x-stack-small-id': stack,
    },
  });
  await response.text();
  return response.status;
}

const claimOf = (stack: string) =>
  life()
    .claims()
    .find(({ stackId }) => stackId === stack);

async function usdcOf(address: string): Promise<bigint> {
  const { balance } = await connection.client.core.getBalance({
    owner: address,
    coinType: chain.usdcType,
  });
  return BigInt(balance.balance);
}

describe('a node of the chain', () => {
  it('registers itself and subscribes at its price', async () => {
    const { store } = chain.fullNode.chain.ledger;
    const { nodeId } = life();
    expect(nodeId).toBe(firstSmallId);
    const badges = store
      .ownedBy(life().node.signerAddress)
      .filter(({ type }) => type.endsWith('::NodeBadge'));
    expect(badges.map(({ contents }) => layouts.Badge.parse(contents).smallId.inner)).toEqual([
      String(nodeId),
    ]);
    await expect(acquire(price - 1)).rejects.toThrow('312012022');
  });

  it('stands in no list, and the network tells where its chain is', async () => {
    expect(devnet.document().nodes.map(({ id }) => id)).toEqual(['kyoto']);
    const document: unknown = await (await fetch(`${devnet.url}/chain`)).json();
    expect(document).toEqual({
      full_node: `http://${chain.place.fullNode}`,
      chain_id: chain.fullNode.chain.chainId(),
      package_id: chain.place.ids.definingPackage,
      database_id: chain.place.ids.databaseId,
      usdc_type: chain.usdcType,
      control_url: chain.controlUrl,
      nodes: [
        {
          id: 'oslo',
          small_id: String(firstSmallId),
          url: devnet.node('oslo').url,
          owner: life().node.signerAddress,
          models: ['m'],
        },
      ],
    });
  });

  it('tells the gateway its address, signed by its owner, until it is taken', async () => {
    const { bodies, answer } = gateway;
    await until('it tries again', () => bodies.length >= 2);
    answer(200);
    const { data, signature } = bodies[0] ?? registration.parse({});
    const { url, signerAddress } = life().node;
    expect(data).toEqual({
      node_small_id: Number(firstSmallId),
      public_address: url,
      country: 'NO',
    });
    expect(signerOf(registrationHash(data), signature)).toBe(signerAddress);
    await new Promise((resolve) => setTimeout(resolve, 500));
    const { length } = bodies;
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect(bodies.length).toBe(length);
  });

  it('serves a stack that was bought from it, and claims what it has counted', async () => {
    const stack = await buy();
    expect(stack).toBe(String(firstSmallId));
    const before = await usdcOf(owner);
    expect(await ask(stack, 960)).toBe(200);
    await until('it is paid', () => claimOf(stack) !== undefined);
    expect(claimOf(stack)).toEqual({ stackId: stack, unitsCounted: 960, unitsClaimed: 960 });
    expect((await usdcOf(owner)) - before).toBe(40n);
    expect(await ask(stack, 1)).toBe(423);
  });

  it('leaves a stack alone that is not used up', async () => {
    const stack = await buy();
    expect(await ask(stack, 300)).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(claimOf(stack)).toBeUndefined();
    expect(await ask(stack, 300)).toBe(200);
    await life().claimAll();
    await until('it is paid', () => claimOf(stack) !== undefined);
    expect(claimOf(stack)).toMatchObject({ unitsCounted: 600, unitsClaimed: 600 });
  });

  it.each([
    [200, 300],
    [900, units],
  ])('that has counted %i claims %i when told to claim half too much', async (counted, claimed) => {
    const stack = await buy();
    const response = await fetch(`${devnet.url}/nodes/oslo/claims`, {
      method: 'PUT',
      body: JSON.stringify({ overPercent: 50 }),
    });
    expect(response.status).toBe(200);
    expect(await ask(stack, counted)).toBe(200);
    await life().claimAll();
    await until('it is paid', () => claimOf(stack) !== undefined);
    expect(claimOf(stack)).toMatchObject({ unitsCounted: counted, unitsClaimed: claimed });
  });

  it('comes back to a chain that was away', async () => {
    await chain.fullNode.restart(300);
    const stack = await buy();
    expect(await ask(stack, 960)).toBe(200);
    await until('it is paid', () => claimOf(stack) !== undefined);
  });
});

describe('the order to claim too much', () => {
  const send = (node: string, json: unknown) =>
    fetch(`${devnet.url}/nodes/${node}/claims`, { method: 'PUT', body: JSON.stringify(json) });

  it('is refused where it makes no sense', async () => {
    expect((await send('oslo', { overPercent: -1 })).status).toBe(400);
    expect((await send('oslo', {})).status).toBe(400);
    expect((await send('kyoto', { overPercent: 50 })).status).toBe(404);
  });
});

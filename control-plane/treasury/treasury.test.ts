/** The treasury as the control plane runs it: on a full node of its own, with keys in files. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Transaction } from '@mysten/sui/transactions';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type SigningKey, toKeystoreEntry } from '../../chain/keystore.ts';
import { type FullNode as StandIn, startFullNode } from '../../devnet/sui/full-node.ts';
import {
  type AtomaWorld,
  createSuiClient,
  keyOf,
  setUpAtoma,
  signAndSend,
  success,
} from '../../devnet/sui/testing.ts';
import { suiAddress } from '../../domain/chain-ids.ts';
import type { FleetNode } from '../../domain/fleet.ts';
import { parseConfig } from '../../runtime/config.ts';
import {
  createChainMetrics,
  createRegistry,
  createTreasuryMetrics,
} from '../../runtime/metrics.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { createStorage, type Storage } from '../../storage/storage.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { type ChainParts, startChain } from '../chain.ts';
import { chainSettingsOf } from '../chain-settings.ts';
import { configSchema } from '../config.ts';
import { createFleetRecorder } from '../discovery/testing.ts';
import { signedRegistration, testKey } from '../nodes/testing.ts';
import { openParties } from './keys.ts';

const model = 'test-model';
const patience = { timeout: 15_000, interval: 50 };
const [treasury, stackOwner] = [testKey(40), testKey(41)];

let folder: string;
let redis: TestRedis;
let storage: Storage;
let served: StandIn;
let world: AtomaWorld;
let chain: ChainParts;
let recorder: ReturnType<typeof createFleetRecorder>;
let registry: ReturnType<typeof createRegistry>;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'treasury-'));
  redis = await startRedis();
  storage = await createStorage({ redisUrl: redis.url, log: silentLog });
  served = await startFullNode({ checkpointMs: 50 });
  world = setUpAtoma(served.chain, [1500n]);
});
afterEach(async () => {
  await chain.source.close();
  await chain.close();
  await served.close();
  storage.close();
  await redis.stop();
  await rm(folder, { recursive: true });
});

async function keyFile(name: string, byte: number): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, toKeystoreEntry(new Uint8Array(32).fill(byte)), { mode: 0o600 });
  return file;
}

async function start(env: Readonly<Record<string, string>> = {}): Promise<void> {
  const result = parseConfig(configSchema, {
    ATOMA_SUI_FULL_NODE: `http://${served.address}`,
    ATOMA_SUI_CHAIN_ID: served.chain.chainId(),
    ATOMA_SUI_PACKAGE: world.packageId,
    ATOMA_SUI_DATABASE: world.dbId,
    ATOMA_SUI_USDC_TYPE: served.chain.usdcType,
    ATOMA_TREASURY_KEY_FILE: await keyFile('treasury', 40),
    ATOMA_STACK_OWNER_KEY_FILE: await keyFile('stack-owner', 41),
    ATOMA_NODE_ADDRESS_ALLOW: '127.0.0.0/8',
    ATOMA_STACK_RUNWAY_UNITS_MIN: '1500000',
    ...env,
  });
  if (result.kind === 'problems') throw new Error(result.problems.join('\n'));
  const settings = chainSettingsOf(result.config);
  if (!settings) throw new Error('no chain');
  registry = createRegistry('test');
  const parties = await openParties(settings, undefined);
  chain = startChain(
    { ...settings, parties },
    {
      storage,
      metrics: createChainMetrics(registry),
      treasuryMetrics: createTreasuryMetrics(registry),
      countFailure: () => undefined,
      log: silentLog,
    },
  );
  recorder = createFleetRecorder();
  await chain.source.start(recorder.notify);
}

const fund = ({ address }: SigningKey, usdc: bigint) => {
  served.fund(address, usdc);
  served.fundGas(address, 10_000_000_000n);
};
const register = () =>
  chain.desk.register(
    signedRegistration(testKey(1), { nodeId: 1, address: 'http://127.0.0.1:4000' }),
  );
const nodeIn = () => recorder.fleets.at(-1)?.nodes[0];
const stacksOf = (node: FleetNode | undefined) => node?.models[0]?.stacks ?? [];
const stackCount = () => stacksOf(nodeIn()).length;
const reported = async () => (await storage.chain(suiAddress(world.dbId)).report('treasury')) ?? '';

/** Each call charges so much to the stack. */
async function use(stackId: string, units: number): Promise<void> {
  await storage.unitPool.syncStacks(model, stacksOf(nodeIn()));
  const requestId = `use-${stackId}`;
  await storage.unitPool.reserve({ requestId, model, units, leaseMs: 60_000 });
  await storage.unitPool.settle({ requestId, model, stackId, units });
}

describe('the treasury', () => {
  it('buys the runway of a model once a node can be reached, and no more', async () => {
    fund(treasury, 1_000_000n);
    await start();
    await expect.poll(reported, patience).toContain('"obstacle":"no-node"');
    await register();
    await expect.poll(stackCount, patience).toBe(2);
    await expect.poll(reported, patience).toContain('"state":"well"');
    expect(stackCount()).toBe(2);
    const own = served.chain.ledger.store.ownedBy(stackOwner.address);
    expect(own.filter(({ type }) => type.includes('coin::Coin'))).toEqual([]);
    expect(await reported()).toContain('"usdc_micro":"997000"');
    expect(await registry.metrics()).toMatch(/atoma_treasury_micro_usdc\{[^}]*\} 997000/);
  });

  it('buys another stack when one is nearly used up', async () => {
    fund(treasury, 1_000_000n);
    await start({ ATOMA_STACK_RUNWAY_UNITS_MIN: '500000', ATOMA_STACK_RUNWAY_HOURS: '1' });
    await register();
    await expect.poll(stackCount, patience).toBe(1);
    await use(stacksOf(nodeIn())[0]?.id ?? '', 600_000);
    await expect.poll(stackCount, patience).toBe(2);
  });

  it('says that money is lacking, and goes on when it comes', async () => {
    served.fundGas(treasury.address, 10_000_000_000n);
    await start();
    await register();
    await expect.poll(reported, patience).toContain('the treasury lacks');
    expect(await registry.metrics()).toMatch(/atoma_treasury_low\{[^}]*\} 1/);
    fund(treasury, 1_000_000n);
    await expect.poll(stackCount, patience).toBe(2);
  });

  it('buys nothing above the price cap or beyond the budget', async () => {
    fund(treasury, 1_000_000n);
    await start({ ATOMA_STACK_PRICE_MAX_USD: '0.001' });
    await register();
    await expect.poll(reported, patience).toContain('"obstacle":"price-above-cap"');
    expect(stackCount()).toBe(0);
  });

  it('takes weight from a node that claims what was not used, and buys of it no more', async () => {
    fund(treasury, 1_000_000n);
    await start();
    await register();
    await expect.poll(stackCount, patience).toBe(2);
    const [first] = stacksOf(nodeIn());
    await use(first?.id ?? '', 500_000);
    const [node] = world.nodes;
    if (!(node && first)) throw new Error('a world has a node with a stack');
    world.seed.claim(node, { stackSmallId: BigInt(first.id), units: 1_000_000n });
    await expect.poll(() => nodeIn()?.weight, patience).toBeLessThan(20);
    await expect.poll(reported, patience).toContain('"obstacle":"no-node"');
    expect(await registry.metrics()).toMatch(/atoma_stack_units_over_claimed\{[^}]*\} 500000/);
  });

  it('credits what a linked wallet sends, and shows it to its owner', async () => {
    await start();
    const payer = testKey(42);
    served.fundGas(payer.address, 10_000_000_000n);
    const coin = served.fund(payer.address, 7_000_000n);
    const { id: accountId } = await storage.accounts.create({ name: 'payer' });
    const wallet = suiAddress(payer.address);
    const wallets = storage.wallets(served.chain.chainId());
    const challenge = { accountId, wallet, text: 'text', expiresMs: Date.now() + 60_000 };
    await wallets.keep(challenge);
    const kept = await wallets.find({ accountId, text: 'text' });
    if (!kept) throw new Error('a challenge that is kept is found');
    await wallets.link(kept);
    const tx = new Transaction();
    tx.setSender(payer.address);
    tx.transferObjects([tx.splitCoins(coin, [5_000_000n])], treasury.address);
    const client = createSuiClient(served.address);
    const { digest } = success(await signAndSend(client, { tx, key: keyOf(42) }));
    const found = () => chain.deposits?.lookUp(digest);
    await expect.poll(found, patience).toMatchObject({ kind: 'deposit' });
    const account = async () => (await storage.accounts.get(accountId))?.balance.available;
    await expect.poll(account, patience).toBe(5_000_000_000_000n);
    expect(await storage.audit()).toMatchObject({ ok: true });
  });
});

describe('the settings of the treasury', () => {
  const parse = (env: Readonly<Record<string, string>>) => parseConfig(configSchema, env);

  it('need the stack owner’s key and the coin with the treasury’s key', () => {
    const result = parse({
      ATOMA_SUI_FULL_NODE: 'http://127.0.0.1:1',
      ATOMA_SUI_CHAIN_ID: 'id',
      ATOMA_SUI_PACKAGE: `0x${'1'.repeat(64)}`,
      ATOMA_SUI_DATABASE: `0x${'2'.repeat(64)}`,
      ATOMA_STACK_OWNER_ADDRESS: `0x${'3'.repeat(64)}`,
      ATOMA_TREASURY_KEY_FILE: '/none',
    });
    expect(result).toMatchObject({ kind: 'problems', problems: { length: 2 } });
  });

  it('read dollars exactly, and refuse what is none', () => {
    const result = parse({ ATOMA_STACK_BUDGET_DAY_USD: '12.000001' });
    expect(result).toMatchObject({ config: { ATOMA_STACK_BUDGET_DAY_USD: 12_000_001n } });
    for (const text of ['-1', '1e3', '0.0000001', 'ten']) {
      expect(parse({ ATOMA_STACK_BUDGET_HOUR_USD: text }).kind).toBe('problems');
    }
  });
});

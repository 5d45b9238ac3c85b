import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { callAtoma, move } from '../devnet/sui/atoma-deployment.ts';
import { type FullNode as StandIn, startFullNode } from '../devnet/sui/full-node.ts';
import { type AtomaWorld, setUpAtoma } from '../devnet/sui/testing.ts';
import { suiAddress } from '../domain/chain-ids.ts';
import type { Fleet } from '../domain/fleet.ts';
import { parseConfig } from '../runtime/config.ts';
import type { createRegistry } from '../runtime/metrics.ts';
import { silentLog } from '../runtime/silent-log.ts';
import { createStorage, type Storage } from '../storage/storage.ts';
import { startChainParts } from '../test/chain-parts.ts';
import { startRedis, type TestRedis } from '../test/redis.ts';
import type { ChainParts } from './chain.ts';
import { chainSettingsOf } from './chain-settings.ts';
import { configSchema } from './config.ts';
import { createFleetRecorder } from './discovery/testing.ts';
import { signedRegistration, testKey } from './nodes/testing.ts';

const buyer = suiAddress(`0x${'b'.repeat(64)}`);
const ada = testKey(1);

let redis: TestRedis;
let storage: Storage;
let served: StandIn;
let world: AtomaWorld;
let chain: ChainParts;
let recorder: ReturnType<typeof createFleetRecorder>;
let registry: ReturnType<typeof createRegistry>;

// The ids of the stand-in's contract are the same in each run, so each run has a Redis of its own.
beforeEach(async () => {
  redis = await startRedis();
  storage = await createStorage({ redisUrl: redis.url, log: silentLog });
  served = await startFullNode({ checkpointMs: 100 });
  world = setUpAtoma(served.chain, [1500n]);
  await start();
});
afterEach(async () => {
  await stop();
  await served.close();
  storage.close();
  await redis.stop();
});

async function start(): Promise<void> {
  const env = { ATOMA_STACK_OWNER_ADDRESS: buyer, ATOMA_NODE_ADDRESS_ALLOW: '127.0.0.0/8' };
  ({ chain, registry } = await startChainParts({ served, world, storage, env }));
  recorder = createFleetRecorder();
  await chain.source.start(recorder.notify);
}

async function stop(): Promise<void> {
  await chain.source.close();
  await chain.close();
}

const register = (address = 'http://127.0.0.1:4000', nodeId = 1) =>
  chain.desk.register(signedRegistration(ada, { nodeId, address }));

const node = () => {
  const [first] = world.nodes;
  if (!first) throw new Error('a world has a node');
  return first;
};

function deprecateTask(): void {
  const { packageId, dbId, managerAddress } = world;
  const badge = served.chain.ledger.store
    .ownedBy(managerAddress)
    .find(({ type }) => type.endsWith('::db::TaskBadge'));
  const values = [move.object(dbId), move.object(badge?.id ?? '')];
  const call = { sender: managerAddress, packageId, functionName: 'deprecate_task', values };
  callAtoma(served.chain, [call]);
}

const hasModel = (fleet: Fleet) => fleet.models.some(({ id }) => id === 'test-model');
const hasNode = (fleet: Fleet) => fleet.nodes.some(({ id }) => id === 'sui-1');
const timed = async (until: Promise<unknown>) => {
  const startMs = performance.now();
  await until;
  return performance.now() - startMs;
};

describe('the source of the chain', () => {
  it('finds a registered node, and tells where it was checked to be', async () => {
    await recorder.until(hasModel);
    expect(await register()).toEqual({ kind: 'accepted' });
    const fleet = await recorder.until(hasNode);
    expect(fleet.nodes).toEqual([
      {
        id: 'sui-1',
        host: '127.0.0.1',
        ip: '127.0.0.1',
        port: 4000,
        tls: false,
        protocol: 'atoma',
        weight: 100,
        signerAddress: ada.address,
        sealingKey: '',
        models: [{ model: 'test-model', stacks: [] }],
      },
    ]);
    expect(fleet.models[0]?.price).toMatchObject({ inputToken: 1500n, outputToken: 1500n });
  });

  it('follows subscribing, unsubscribing and deprecation within two seconds', async () => {
    await register();
    await recorder.until(hasNode);
    world.seed.unsubscribe(node(), 1n);
    expect(await timed(recorder.until((fleet) => !hasNode(fleet)))).toBeLessThan(2000);
    world.seed.subscribe([{ node: node(), taskSmallId: 1n, price: 1700n }]);
    expect(await timed(recorder.until(hasNode))).toBeLessThan(2000);
    expect(recorder.fleets.at(-1)?.models[0]?.price).toMatchObject({ inputToken: 1700n });
    deprecateTask();
    expect(await timed(recorder.until((fleet) => !hasModel(fleet)))).toBeLessThan(2000);
    expect(recorder.fleets.at(-1)?.nodes).toEqual([]);
  });

  it('follows within four seconds where the full node announces no checkpoints', async () => {
    await stop();
    served.faults.set({ unimplemented: ['SubscriptionService/SubscribeCheckpoints'] });
    await start();
    await register();
    await recorder.until(hasNode);
    world.seed.unsubscribe(node(), 1n);
    expect(await timed(recorder.until((fleet) => !hasNode(fleet)))).toBeLessThan(4000);
    world.seed.subscribe([{ node: node(), taskSmallId: 1n, price: 1700n }]);
    expect(await timed(recorder.until(hasNode))).toBeLessThan(4000);
  });

  it('knows after a restart what it knew, also while the full node is away', async () => {
    await register();
    await recorder.until(hasNode);
    await stop();
    served.faults.set({ unavailable: ['LedgerService/GetServiceInfo'] });
    await start();
    expect(await recorder.until(hasNode)).toMatchObject({ nodes: [{ port: 4000 }] });
  });

  it('tells operators why a node gets no requests', async () => {
    await recorder.until(hasModel);
    const records = storage.chain(suiAddress(world.dbId));
    await expect.poll(() => records.report('nodes')).toContain('has registered no address');
    await register();
    await expect.poll(() => records.report('nodes')).toContain('the gateway has no open stack');
    expect(await records.report('nodes')).toContain(ada.address);
  });

  it('takes in no address outside of what the operator allows', async () => {
    for (const address of ['http://169.254.169.254', 'http://10.0.0.1', 'http://[::1]:80']) {
      expect(await register(address)).toMatchObject({ kind: 'request-invalid' });
    }
    expect(await storage.nodeRegistrations(suiAddress(world.dbId)).list()).toEqual([]);
  });

  it('shows how following goes', async () => {
    const metrics = () => registry.metrics();
    await expect.poll(metrics, { timeout: 5000 }).toMatch(/atoma_chain_height\{[^}]*\} [1-9]/);
    await expect.poll(metrics).toMatch(/atoma_chain_state\{state="following",[^}]*\} 1/);
    await expect.poll(metrics).toMatch(/atoma_chain_reachable\{[^}]*\} 1/);
    await expect.poll(metrics).toMatch(/atoma_chain_nodes\{state="unroutable",[^}]*\} 1/);
  });
});

describe('the settings of the chain', () => {
  it('need all ids with a full node', () => {
    const result = parseConfig(configSchema, { ATOMA_SUI_FULL_NODE: 'http://127.0.0.1:1' });
    expect(result).toMatchObject({ kind: 'problems', problems: { length: 4 } });
  });

  it('are off without a full node, and refuse what is no range', () => {
    const off = parseConfig(configSchema, {});
    expect(off.kind === 'config' && chainSettingsOf(off.config)).toBeUndefined();
    const wrong = parseConfig(configSchema, { ATOMA_NODE_ADDRESS_ALLOW: '10.0.0.0/8,private' });
    expect(wrong).toMatchObject({ kind: 'problems', problems: { length: 1 } });
  });
});

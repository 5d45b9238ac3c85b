/** For tests: the chain's part of a control plane on a full node of its own, with keys in files. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toKeystoreEntry } from '../../chain/keystore.ts';
import { createFleetRecorder } from '../../control-plane/discovery/testing.ts';
import { signedRegistration, testKey } from '../../control-plane/nodes/testing.ts';
import { type FullNode as StandIn, startFullNode } from '../../devnet/sui/full-node.ts';
import { type AtomaWorld, setUpAtoma } from '../../devnet/sui/testing.ts';
import { suiAddress } from '../../domain/chain-ids.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { createStorage, type Storage } from '../../storage/storage.ts';
import { startChainParts } from '../chain-parts.ts';
import { startRedis } from '../redis.ts';

/** The one task of the chain. */
export const model = 'test-model';
export const [treasury, stackOwner] = [testKey(40), testKey(41)];
const mist = 10_000_000_000n;

export type TreasuryWorld = Awaited<ReturnType<typeof startTreasuryWorld>>;

/** A node for each price, owned by the keys from 1 on; nothing follows the chain before `start`. */
export async function startTreasuryWorld(options: {
  readonly prices: readonly bigint[];
  readonly nowMs?: () => number;
}) {
  const folder = await mkdtemp(join(tmpdir(), 'treasury-'));
  const redis = await startRedis();
  const storage = await createStorage({ redisUrl: redis.url, log: silentLog });
  const { prices, ...clock } = options;
  const served = await startFullNode({ checkpointMs: 50, ...clock });
  const world = setUpAtoma(served.chain, prices);
  const parts: Awaited<ReturnType<typeof startParts>>[] = [];
  const current = () => {
    const last = parts.at(-1);
    if (!last) throw new Error('nothing has been started');
    return last;
  };
  const nodeIn = (id = 'sui-1') =>
    current()
      .recorder.fleets.at(-1)
      ?.nodes.find((node) => node.id === id);
  const stacks = (id?: string) => nodeIn(id)?.models[0]?.stacks ?? [];
  return {
    storage,
    served,
    world,
    current,
    nodeIn,
    stacks,
    /** Through the full node at that address, with settings of its own. */
    async start(env: Readonly<Record<string, string>> = {}, address = served.address) {
      parts.push(await startParts({ folder, served, world, storage, address, env }));
    },
    fund(address: string, usdc: bigint): string {
      served.fundGas(address, mist);
      return served.fund(address, usdc);
    },
    register: (nodeId = 1) =>
      current().chain.desk.register(
        signedRegistration(testKey(nodeId), { nodeId, address: `http://127.0.0.1:400${nodeId}` }),
      ),
    report: async () => (await storage.chain(suiAddress(world.dbId)).report('treasury')) ?? '',
    /** Charges so many units to a stack, as a settlement does. */
    async use(stackId: string, units: number): Promise<void> {
      await storage.unitPool.syncStacks(model, stacks());
      const requestId = `use-${stackId}`;
      await storage.unitPool.reserve({ requestId, model, units, leaseMs: 60_000 });
      await storage.unitPool.settle({ requestId, model, stackId, units });
    },
    /** An account that has linked the wallet. */
    async linkWallet(address: string): Promise<string> {
      const { id: accountId } = await storage.accounts.create({ name: 'payer' });
      const wallets = storage.wallets(served.chain.chainId());
      const expiresMs = Date.now() + 60_000;
      await wallets.keep({ accountId, wallet: suiAddress(address), text: 'text', expiresMs });
      const kept = await wallets.find({ accountId, text: 'text' });
      if (!kept) throw new Error('a challenge that is kept is found');
      await wallets.link(kept);
      return accountId;
    },
    async close(): Promise<void> {
      for (const { chain } of parts) {
        await chain.source.close();
        await chain.close();
      }
      await served.close();
      storage.close();
      await redis.stop();
      await rm(folder, { recursive: true });
    },
  };
}

async function startParts(options: {
  readonly folder: string;
  readonly served: StandIn;
  readonly world: AtomaWorld;
  readonly storage: Storage;
  readonly address: string;
  readonly env: Readonly<Record<string, string>>;
}) {
  const { folder, served, world, storage, address, env } = options;
  const keyFile = async (name: string, byte: number) => {
    const file = join(folder, name);
    await writeFile(file, toKeystoreEntry(new Uint8Array(32).fill(byte)), { mode: 0o600 });
    return file;
  };
  const { chain, registry } = await startChainParts({
    served,
    world,
    storage,
    env: {
      ATOMA_SUI_FULL_NODE: `http://${address}`,
      ATOMA_SUI_USDC_TYPE: served.chain.usdcType,
      ATOMA_TREASURY_KEY_FILE: await keyFile('treasury', 40),
      ATOMA_STACK_OWNER_KEY_FILE: await keyFile('stack-owner', 41),
      ATOMA_NODE_ADDRESS_ALLOW: '127.0.0.0/8',
      ATOMA_STACK_RUNWAY_UNITS_MIN: '1500000',
      ...env,
    },
  });
  const recorder = createFleetRecorder();
  await chain.source.start(recorder.notify);
  return { chain, recorder, registry };
}

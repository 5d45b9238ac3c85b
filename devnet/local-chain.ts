/** The chain of the local network: the stand-in full node with the contracts, a task for each model, and a faucet. */
import type { ChainIds } from '../chain/client.ts';
import { type SuiAddress, suiAddress, type TaskSmallId, taskSmallId } from '../domain/chain-ids.ts';
import { type Endpoint, generatesText } from '../domain/model.ts';
import type { ChainPlace } from './chain-life.ts';
import type { NetworkModel } from './network-schema.ts';
import { createSeed } from './sui/atoma-seed.ts';
import { type Control, startControl } from './sui/control.ts';
import { type FullNode, type FullNodeOptions, startFullNode } from './sui/full-node.ts';

export type LocalChain = {
  readonly place: ChainPlace;
  readonly usdcType: string;
  /** Where the chain is controlled over HTTP: money, faults, time. */
  readonly controlUrl: string;
  readonly fullNode: FullNode;
  /** By model. */
  readonly tasks: ReadonlyMap<string, TaskSmallId>;
  /** The round of keys that nodes commit theirs under. */
  readonly keyRound: bigint;
  /** Gives an address what it needs to make transactions for a long time. */
  giveGas(address: SuiAddress): void;
  close(): Promise<void>;
};

const manager = suiAddress(`0x${'a70a'.repeat(16)}`);
const gasMist = 100_000_000_000n;

/** The role of a task whose model answers there (Atoma on Sui, section 3). */
const roleOf = (endpoints: readonly Endpoint[]): number => {
  if (endpoints.some(generatesText)) return 0;
  return endpoints.includes('embeddings') ? 1 : 3;
};

/** A new chain, with one confidential task for each model. */
export async function startLocalChain(
  options: FullNodeOptions & { readonly models: readonly Pick<NetworkModel, 'id' | 'endpoints'>[] },
): Promise<LocalChain> {
  const { models, host = '127.0.0.1' } = options;
  const fullNode = await startFullNode({ ...options, host });
  const control: Control = await startControl(fullNode, { host });
  const atoma = fullNode.publish(manager);
  const ids: ChainIds = {
    chainId: fullNode.chain.chainId(),
    definingPackage: suiAddress(atoma.packageId),
    databaseId: suiAddress(atoma.dbId),
  };
  const wanted = models.map(({ id, endpoints }) => ({ model: id, role: roleOf(endpoints) }));
  const seed = createSeed(fullNode.chain, atoma);
  const taskIds = seed.createTasks(wanted);
  const keyRound = seed.rotateNetworkKeys();
  return {
    place: { fullNode: fullNode.address, ids },
    usdcType: fullNode.chain.usdcType,
    controlUrl: control.url,
    fullNode,
    tasks: new Map(models.map(({ id }, index) => [id, taskSmallId(taskIds[index] ?? 0n)])),
    keyRound,
    giveGas: (address) => void fullNode.fundGas(address, gasMist),
    async close() {
      await control.close();
      await fullNode.close();
    },
  };
}

/** What a buyer in a process of its own is told to do. */
import type { FullNode } from '../../chain/full-node.ts';
import type { LiveStack, TaskNeed } from '../../chain/keeper/plan.ts';
import type { NodeSmallId, SuiAddress, TaskSmallId } from '../../domain/chain-ids.ts';
import type { Break } from './fuse.ts';

export type BuyerOrder = {
  readonly redisUrl: string;
  /** `host:port`. */
  readonly fullNode: string;
  readonly chainId: string;
  readonly definingPackage: SuiAddress;
  readonly databaseId: SuiAddress;
  readonly usdcType: string;
  /** Keystore entries. */
  readonly treasury: string;
  readonly stackOwner: string;
  readonly taskId: TaskSmallId;
  readonly nodeId: NodeSmallId;
  readonly pricePerMillion: bigint;
  readonly stacksWanted: number;
  /** Where the process is killed; it lives on without. */
  readonly broken: Break | undefined;
};

export const stackUnits = 1_000_000n;
/** A stack is used to 95 %. */
export const usableUnits = 950_000n;

/** Of all stacks that the address owns on the chain, unused. */
export async function readOwnStacks(
  node: Pick<FullNode, 'database' | 'stacks'>,
  owner: SuiAddress,
): Promise<readonly LiveStack[]> {
  const { signal } = new AbortController();
  const { database } = await node.database(signal);
  const own: LiveStack[] = [];
  for await (const page of node.stacks(database.stacks, signal)) {
    for (const { value } of page) {
      if (value.owner === owner) own.push({ units: value.units, used: 0n });
    }
  }
  return own;
}

export const askOf = ({ nodeId, pricePerMillion }: BuyerOrder): TaskNeed['asks'][number] => ({
  nodeId,
  pricePerMillion,
  unitsMax: stackUnits,
  isAcceptable: true,
});

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FullNode as StandIn, startFullNode } from '../../devnet/sui/full-node.ts';
import { keyOf, setUpAtoma } from '../../devnet/sui/testing.ts';
import { type SuiAddress, suiAddress } from '../../domain/chain-ids.ts';
import { createFullNode } from '../client.ts';
import type { FullNode } from '../full-node.ts';

const ownerOf = (n: number) => suiAddress(keyOf(n).toSuiAddress());
const { signal } = new AbortController();

let served: StandIn;
let fullNode: FullNode;
let packageId: SuiAddress;

beforeEach(async () => {
  served = await startFullNode();
  const world = setUpAtoma(served.chain, [5n, 6n]);
  world.seed.registerNodes([ownerOf(1)]);
  packageId = suiAddress(world.packageId);
  fullNode = connect(packageId);
});
afterEach(async () => {
  fullNode.close();
  await served.close();
});

function connect(definingPackage: SuiAddress): FullNode {
  const databaseId = definingPackage;
  return createFullNode({
    host: served.address,
    tls: false,
    pauseMs: () => 1,
    ids: { chainId: served.chain.chainId(), definingPackage, databaseId },
  });
}

async function nodesOf(owner: SuiAddress, from = fullNode): Promise<bigint[]> {
  const ids: bigint[] = [];
  for await (const page of from.nodeBadges(owner, signal)) {
    ids.push(...page.map(({ nodeId }) => nodeId));
  }
  return ids.sort((left, right) => Number(left - right));
}

describe('badges', () => {
  it('are those of their holder, and of nobody else', async () => {
    expect(await nodesOf(ownerOf(1))).toEqual([1n, 3n]);
    expect(await nodesOf(ownerOf(2))).toEqual([2n]);
    expect(await nodesOf(ownerOf(3))).toEqual([]);
  });

  it('of another package count for nothing', async () => {
    const other = served.publish(ownerOf(9));
    const elsewhere = connect(suiAddress(other.packageId));
    expect(await nodesOf(ownerOf(1), elsewhere)).toEqual([]);
    elsewhere.close();
  });
});

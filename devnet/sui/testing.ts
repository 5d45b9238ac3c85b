/** For tests: the real Sui client over native gRPC, and a chain with nodes, a task and money on it. */
import { ChannelCredentials } from '@grpc/grpc-js';
import { SuiGrpcClient } from '@mysten/sui/grpc';
import { Ed25519Keypair } from '@mysten/sui/keypairs/ed25519';
import { GrpcTransport } from '@protobuf-ts/grpc-transport';
import { type AtomaIds, callAtoma, move, publishAtoma } from './atoma-deployment.ts';
import type { Chain } from './chain.ts';
import { suiType } from './objects.ts';

/** The client that the product uses. */
export function createSuiClient(address: string): SuiGrpcClient {
  const channelCredentials = ChannelCredentials.createInsecure();
  return new SuiGrpcClient({
    network: 'devnet',
    transport: new GrpcTransport({ host: address, channelCredentials }),
  });
}

/** A key pair that is the same in every run. */
export const keyOf = (n: number): Ed25519Keypair =>
  Ed25519Keypair.fromSecretKey(new Uint8Array(32).fill(n));

export type AtomaWorld = AtomaIds & {
  readonly nodes: readonly { readonly address: string; readonly badgeId: string }[];
};

/** Publishes `atoma`, creates one confidential task, and subscribes a node per price. */
export function setUpAtoma(chain: Chain, prices: readonly bigint[]): AtomaWorld {
  const manager = keyOf(100).toSuiAddress();
  const ids = publishAtoma(chain, manager);
  const { packageId, dbId, managerBadgeId } = ids;
  const db = move.object(dbId);
  callAtoma(chain, [
    {
      sender: manager,
      packageId,
      functionName: 'create_task_entry',
      values: [
        db,
        move.object(managerBadgeId),
        move.u16(0),
        move.text('test-model'),
        move.optionU16(1),
        move.optionU8(null),
        move.bool(true),
      ],
    },
  ]);
  const nodes = prices.map((price, index) => {
    const address = keyOf(index + 1).toSuiAddress();
    const registered = callAtoma(chain, [
      { sender: address, packageId, functionName: 'register_node_entry', values: [db] },
    ]);
    const badgeId = registered.changes.find(({ after }) => after?.type.endsWith('::NodeBadge'))?.id;
    if (badgeId === undefined) throw new Error('registering gives a badge');
    const values = [db, move.object(badgeId), move.u64(1n), move.u64(price)];
    callAtoma(chain, [
      { sender: address, packageId, functionName: 'subscribe_node_to_task', values },
    ]);
    return { address, badgeId };
  });
  return { ...ids, nodes };
}

/** Gives an address gas and USDC. */
export function fundBoth(chain: Chain, address: string, usdc: bigint): { usdcCoinId: string } {
  chain.fund(address, { type: suiType, amount: 10_000_000_000n });
  return { usdcCoinId: chain.fund(address, { type: chain.usdcType, amount: usdc }) };
}

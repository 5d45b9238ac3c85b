/** For tests: the real Sui client over native gRPC, and a chain with nodes, a task and money on it. */
import type { SuiGrpcClient } from '@mysten/sui/grpc';
import { Ed25519Keypair } from '@mysten/sui/keypairs/ed25519';
import { Transaction } from '@mysten/sui/transactions';
import { type AtomaIds, publishAtoma } from './atoma-deployment.ts';
import { createSeed, type Seed, type SeededNode } from './atoma-seed.ts';
import type { Chain } from './chain.ts';
import { suiType } from './objects.ts';
import { connectSui } from './wallet.ts';

/** The client that the product uses. */
export const createSuiClient = (address: string): SuiGrpcClient => connectSui(address).client;

/** A key pair that is the same in every run. */
export const keyOf = (n: number): Ed25519Keypair =>
  Ed25519Keypair.fromSecretKey(new Uint8Array(32).fill(n));

export type AtomaWorld = AtomaIds & { readonly seed: Seed; readonly nodes: readonly SeededNode[] };

/** Publishes `atoma`, creates one confidential task, and subscribes a node per price. */
export function setUpAtoma(chain: Chain, prices: readonly bigint[]): AtomaWorld {
  const ids = publishAtoma(chain, keyOf(100).toSuiAddress());
  const seed = createSeed(chain, ids);
  const [taskSmallId = 0n] = seed.createTasks([{ model: 'test-model' }]);
  const nodes = prices.map((price, index) => {
    const [node] = seed.registerNodes([keyOf(index + 1).toSuiAddress()]);
    if (!node) throw new Error('registering gives a node');
    seed.subscribe([{ node, taskSmallId, price }]);
    return node;
  });
  return { ...ids, seed, nodes };
}

/** Gives an address gas and USDC. */
export function fundBoth(chain: Chain, address: string, usdc: bigint): { usdcCoinId: string } {
  chain.fund(address, { type: suiType, amount: 10_000_000_000n });
  return { usdcCoinId: chain.fund(address, { type: chain.usdcType, amount: usdc }) };
}

export type Purchase = {
  readonly sender: string;
  readonly usdcCoinId: string;
  readonly price?: bigint;
  readonly units?: bigint;
  readonly task?: bigint;
  /** Splits a coin of that size off and gives the call that one. */
  readonly pay?: bigint;
};

/** A transaction that buys one stack. */
export function acquireStack(world: AtomaIds, purchase: Purchase): Transaction {
  const { sender, usdcCoinId, price = 1500n, units = 1_000_000n, task = 1n, pay } = purchase;
  const tx = new Transaction();
  tx.setSender(sender);
  const wallet = tx.object(usdcCoinId);
  const coin = pay === undefined ? wallet : tx.splitCoins(wallet, [tx.pure.u64(pay)]);
  tx.moveCall({
    target: `${world.packageId}::db::acquire_new_stack_entry`,
    arguments: [
      tx.object(world.dbId),
      coin,
      tx.pure.u64(task),
      tx.pure.u64(units),
      tx.pure.u64(price),
      tx.object.random(),
    ],
  });
  if (pay !== undefined) tx.mergeCoins(wallet, [coin]);
  return tx;
}

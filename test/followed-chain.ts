/** The chain part of a control plane, following the stand-in full node, with a Redis of its own. */
import type { Verifier } from '../attestation/verifier.ts';
import type { ChainParts } from '../control-plane/chain.ts';
import { startFullNode } from '../devnet/sui/full-node.ts';
import { type AtomaWorld, setUpAtoma } from '../devnet/sui/testing.ts';
import { silentLog } from '../runtime/silent-log.ts';
import { createStorage, type Storage } from '../storage/storage.ts';
import { startChainParts } from './chain-parts.ts';
import { startRedis } from './redis.ts';

export type FollowedChain = {
  readonly storage: Storage;
  readonly world: AtomaWorld;
  readonly chain: ChainParts;
  close(): Promise<void>;
};

/** A node subscribes for each price. */
export async function startFollowedChain(options: {
  readonly prices: readonly bigint[];
  readonly verifiers: readonly Verifier[];
}): Promise<FollowedChain> {
  const redis = await startRedis();
  const storage = await createStorage({ redisUrl: redis.url, log: silentLog });
  const served = await startFullNode({ checkpointMs: 20 });
  const world = setUpAtoma(served.chain, options.prices);
  const { chain } = await startChainParts({
    served,
    world,
    storage,
    verifiers: options.verifiers,
    env: { ATOMA_STACK_OWNER_ADDRESS: `0x${'b'.repeat(64)}` },
  });
  return {
    storage,
    world,
    chain,
    async close() {
      await chain.close();
      await served.close();
      storage.close();
      await redis.stop();
    },
  };
}

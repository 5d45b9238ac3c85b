/** The chain part of a control plane, following the stand-in full node, with a Redis of its own. */
import type { Verifier } from '../attestation/verifier.ts';
import { type ChainParts, startChain } from '../control-plane/chain.ts';
import { chainSettingsOf } from '../control-plane/chain-settings.ts';
import { configSchema } from '../control-plane/config.ts';
import { openParties } from '../control-plane/treasury/keys.ts';
import { startFullNode } from '../devnet/sui/full-node.ts';
import { type AtomaWorld, setUpAtoma } from '../devnet/sui/testing.ts';
import { parseConfig } from '../runtime/config.ts';
import { createChainMetrics, createRegistry, createTreasuryMetrics } from '../runtime/metrics.ts';
import { silentLog } from '../runtime/silent-log.ts';
import { createStorage, type Storage } from '../storage/storage.ts';
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
  const settings = settingsFrom({
    ATOMA_SUI_FULL_NODE: `http://${served.address}`,
    ATOMA_SUI_CHAIN_ID: served.chain.chainId(),
    ATOMA_SUI_PACKAGE: world.packageId,
    ATOMA_SUI_DATABASE: world.dbId,
    ATOMA_STACK_OWNER_ADDRESS: `0x${'b'.repeat(64)}`,
  });
  const registry = createRegistry('test');
  const parties = await openParties(settings, undefined);
  const chain = startChain(
    { ...settings, parties },
    {
      storage,
      metrics: createChainMetrics(registry),
      treasuryMetrics: createTreasuryMetrics(registry),
      verifiers: options.verifiers,
      countFailure: () => undefined,
      log: silentLog,
    },
  );
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

function settingsFrom(env: Readonly<Record<string, string>>) {
  const result = parseConfig(configSchema, env);
  if (result.kind === 'problems') throw new Error(result.problems.join('\n'));
  const settings = chainSettingsOf(result.config);
  if (!settings) throw new Error('no chain');
  return settings;
}

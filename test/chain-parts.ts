/** The chain part of a control plane, as its settings would start it, following a stand-in full node. */
import type { Verifier } from '../attestation/verifier.ts';
import { startChain } from '../control-plane/chain.ts';
import { chainSettingsOf } from '../control-plane/chain-settings.ts';
import { configSchema } from '../control-plane/config.ts';
import { openParties } from '../control-plane/treasury/keys.ts';
import type { FullNode as StandIn } from '../devnet/sui/full-node.ts';
import type { AtomaWorld } from '../devnet/sui/testing.ts';
import { parseConfig } from '../runtime/config.ts';
import { createChainMetrics, createRegistry, createTreasuryMetrics } from '../runtime/metrics.ts';
import { silentLog } from '../runtime/silent-log.ts';
import type { Storage } from '../storage/storage.ts';

/** `env` says who the gateway is, and may say anything else. */
export async function startChainParts(options: {
  readonly served: StandIn;
  readonly world: AtomaWorld;
  readonly storage: Storage;
  readonly verifiers?: readonly Verifier[];
  readonly env: Readonly<Record<string, string>>;
}) {
  const { served, world, storage, verifiers = [], env } = options;
  const settings = settingsFrom({
    ATOMA_SUI_FULL_NODE: `http://${served.address}`,
    ATOMA_SUI_CHAIN_ID: served.chain.chainId(),
    ATOMA_SUI_PACKAGE: world.packageId,
    ATOMA_SUI_DATABASE: world.dbId,
    ...env,
  });
  const registry = createRegistry('test');
  const parties = await openParties(settings, undefined);
  const chain = startChain(
    { ...settings, parties },
    {
      storage,
      metrics: createChainMetrics(registry),
      treasuryMetrics: createTreasuryMetrics(registry),
      verifiers,
      countFailure: () => undefined,
      log: silentLog,
    },
  );
  return { chain, registry };
}

function settingsFrom(env: Readonly<Record<string, string>>) {
  const result = parseConfig(configSchema, env);
  if (result.kind === 'problems') throw new Error(result.problems.join('\n'));
  const settings = chainSettingsOf(result.config);
  if (!settings) throw new Error('no chain');
  return settings;
}

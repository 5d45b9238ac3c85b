/** A gateway on a chain of its own, with a treasury and two Atoma nodes that live there, for one test file. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startLocalChain } from '../../devnet/local-chain.ts';
import { startDevnet } from '../../devnet/network.ts';
import { networkModelSchema } from '../../devnet/network-schema.ts';
import { ensureKeyFile, keyNames } from '../../launch/key-file.ts';
import { silentLog } from '../../runtime/silent-log.ts';
import { booksOf } from '../keeper/books.ts';
import { startTestGateway } from './gateway.ts';

export const model = 'chain-model';
export const nodeIds = ['ada', 'bob'] as const;
const funded = { usdc: 100_000_000n, mist: 100_000_000_000n };
const models = [
  networkModelSchema.parse({
    id: model,
    endpoints: ['chat'],
    context_tokens: 4096,
    output_tokens_max: 1024,
    media_tokens_max: 0,
    owned_by: 'chain',
    created: 0,
    price: {},
  }),
];

export type ChainGateway = Awaited<ReturnType<typeof startChainGateway>>;

/** Nothing has been bought yet when it resolves. */
export async function startChainGateway(options: {
  readonly stackUnits: number;
  readonly tokensPerSecond: number;
}) {
  const folder = await mkdtemp(join(tmpdir(), 'atoma-chain-gateway-'));
  const keys = {
    stackOwner: await ensureKeyFile(folder, keyNames.stackOwner),
    treasury: await ensureKeyFile(folder, keyNames.treasury),
  };
  const chain = await startLocalChain({ models, checkpointMs: 100 });
  chain.fullNode.fund(keys.treasury.address, funded.usdc);
  chain.fullNode.fundGas(keys.treasury.address, funded.mist);
  chain.fullNode.seal();
  const from = chain.fullNode.chain.ledger.history.height();
  const { ids, fullNode } = chain.place;
  const gateway = await startTestGateway({
    models: [],
    nodes: [],
    env: {
      ATOMA_STACK_OWNER_KEY_FILE: keys.stackOwner.file,
      ATOMA_TREASURY_KEY_FILE: keys.treasury.file,
      ATOMA_SUI_FULL_NODE: `http://${fullNode}`,
      ATOMA_SUI_CHAIN_ID: ids.chainId,
      ATOMA_SUI_PACKAGE: ids.definingPackage,
      ATOMA_SUI_DATABASE: ids.databaseId,
      ATOMA_SUI_USDC_TYPE: chain.usdcType,
      ATOMA_DEPOSITS_FROM_CHECKPOINT: String(from + 1n),
      ATOMA_NODE_ADDRESS_ALLOW: '127.0.0.1/32',
      ATOMA_SUI_CONTEXT_TOKENS: '4096',
      ATOMA_SUI_OUTPUT_TOKENS_MAX: '1024',
      ATOMA_STACK_UNITS: String(options.stackUnits),
      ATOMA_STACK_RUNWAY_UNITS_MIN: String(3 * options.stackUnits),
      ATOMA_STACK_RUNWAY_HOURS: '1',
    },
  });
  const devnet = await startDevnet({
    models,
    nodes: nodeIds.map((id) => ({
      id,
      protocol: 'atoma' as const,
      models: [model],
      pace: { tokensPerSecond: options.tokensPerSecond },
    })),
    chain,
    gatewayUrl: gateway.baseUrl,
    log: silentLog,
  });
  const { storage } = gateway;
  const records = storage.chain(ids.databaseId);
  const kept = () =>
    storage.treasury({ chainId: ids.chainId, address: keys.treasury.address }).load(0);
  return {
    chain,
    gateway,
    devnet,
    treasury: keys.treasury.address,
    records,
    kept,
    stacksBought: async () => (await kept()).ended.filter(({ kind }) => kind === 'bought').length,
    controlPlaneLog: () => gateway.readLog('control-plane'),
    /** Of all that the treasury was given, with what callers paid it. */
    books: (paidIn: bigint) =>
      booksOf(chain.fullNode, {
        treasury: keys.treasury.address,
        stackOwner: keys.stackOwner.address,
        recipients: [],
        from,
        funded: { ...funded, usdc: funded.usdc + paidIn },
      }),
    async close(): Promise<void> {
      await devnet.close();
      await gateway.close();
      await chain.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

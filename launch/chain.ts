/** The gateway on the local network's chain: what it is told, the money that it begins with, and what it has found and bought. */
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { ChainDocument } from '../devnet/network-schema.ts';
import { connectSui } from '../devnet/sui/wallet.ts';
import { type SuiAddress, suiAddress } from '../domain/chain-ids.ts';
import { formatMicroUsdc } from '../domain/deposit.ts';
import type { ChainRecords } from '../storage/chain-store.ts';
import type { Storage } from '../storage/storage.ts';
import type { KeyFile } from './key-file.ts';

export type ChainKeys = { readonly stackOwner: KeyFile; readonly treasury: KeyFile };

const oneUsdc = 1_000_000n;
const oneSui = 1_000_000_000n;
const treasuryStart = { usdc: 100n * oneUsdc, mist: 100n * oneSui };
const stacksMs = 10_000;
const pollMs = 50;
const perMillion = 1_000_000n;

/** Settings of the services; what came to the treasury before that checkpoint is no deposit. */
export const chainSettings = (
  chain: ChainDocument,
  { stackOwner, treasury, depositsFrom }: ChainKeys & { readonly depositsFrom: bigint },
) => ({
  ATOMA_SUI_FULL_NODE: chain.full_node,
  ATOMA_SUI_CHAIN_ID: chain.chain_id,
  ATOMA_SUI_PACKAGE: chain.package_id,
  ATOMA_SUI_DATABASE: chain.database_id,
  ATOMA_SUI_USDC_TYPE: chain.usdc_type,
  ATOMA_STACK_OWNER_KEY_FILE: stackOwner.file,
  ATOMA_TREASURY_KEY_FILE: treasury.file,
  ATOMA_DEPOSITS_FROM_CHECKPOINT: String(depositsFrom),
  // The nodes are on this machine.
  ATOMA_NODE_ADDRESS_ALLOW: '127.0.0.1/32',
});

/** `host:port`, as a native gRPC transport takes it. */
export const hostOf = (chain: ChainDocument): string => new URL(chain.full_node).host;

const controlState = z.object({ height: z.string().regex(/^\d+$/).transform(BigInt) });

/** Lets the faucet give an address money, in millionths of a USDC, and gas; returns the checkpoint that has it at the latest. */
export async function fund(
  { control_url }: ChainDocument,
  order: { address: SuiAddress; usdc: bigint; mist: bigint },
): Promise<bigint> {
  const { address, usdc, mist } = order;
  const response = await fetch(new URL('/fund', control_url), {
    method: 'POST',
    body: JSON.stringify({ address, usdc: String(usdc), mist: String(mist) }),
  });
  if (!response.ok) throw new Error(`The faucet answered ${response.status}.`);
  return controlState.parse(await response.json()).height + 1n;
}

/**
 * Where the chain is new the treasury has nothing on it, and begins with money from the faucet. Returns the checkpoint from
 * which on what comes to it is a deposit.
 */
export async function fundTreasury(chain: ChainDocument, { treasury }: ChainKeys): Promise<bigint> {
  const { client, close } = connectSui(hostOf(chain));
  try {
    const query = { owner: treasury.address, coinType: chain.usdc_type };
    const { balance } = await client.core.getBalance(query);
    if (balance.balance !== '0') return 0n;
    return 1n + (await fund(chain, { address: treasury.address, ...treasuryStart }));
  } finally {
    close();
  }
}

/** Lines that tell which nodes there are on the chain, and which stacks the gateway has of them. */
export async function describeChain(
  chain: ChainDocument,
  storage: Pick<Storage, 'chain'>,
): Promise<readonly string[]> {
  const nodes = chain.nodes.map(({ id, models }) => `${id} (${models.join(', ')})`);
  const found = `found on the chain at ${chain.full_node}: ${nodes.join(', ')}`;
  return [found, ...(await describeStacks(chain, storage))];
}

/** Waits until a node of the chain can be called for each model that has one, though not for ever. */
async function describeStacks(
  chain: ChainDocument,
  { chain: recordsOf }: Pick<Storage, 'chain'>,
): Promise<readonly string[]> {
  const records = recordsOf(suiAddress(chain.database_id));
  const endMs = performance.now() + stacksMs;
  while (performance.now() < endMs) {
    // A slow answer is no reason to give a start up: it is asked again.
    const lines = await readStacks(chain, records).catch(() => undefined);
    if (lines) return lines;
    await delay(pollMs);
  }
  return ['no stacks for all models yet: "npm run admin -- treasury" tells why'];
}

/** The stacks, once all models are served. */
async function readStacks(
  chain: ChainDocument,
  records: Pick<ChainRecords, 'report' | 'load'>,
): Promise<readonly string[] | undefined> {
  const served = servedModels(await records.report('nodes'));
  if (!chain.nodes.every(({ models }) => models.every((model) => served.has(model)))) {
    return undefined;
  }
  const stacks = (await records.load())?.state.stacks.values() ?? [];
  return [...stacks].map((stack) => describeStack(stack, chain));
}

const nodesReport = z.array(z.object({ models: z.array(z.string()), reason: z.string() }));

/** The models of the nodes that could be called. */
function servedModels(report: string | undefined): ReadonlySet<string> {
  const nodes = nodesReport.parse(JSON.parse(report ?? '[]'));
  return new Set(nodes.filter(({ reason }) => reason === '').flatMap(({ models }) => models));
}

function describeStack(
  stack: { nodeId: bigint; units: bigint; pricePerMillion: bigint },
  { nodes }: ChainDocument,
): string {
  const { nodeId, units, pricePerMillion } = stack;
  const node = nodes.find(({ small_id }) => small_id === String(nodeId));
  const cost = formatMicroUsdc((units * pricePerMillion) / perMillion);
  const what = `${units} units of ${node?.models.join(', ') ?? 'a model'}`;
  return `bought ${what} from ${node?.id ?? nodeId} for ${cost} USDC`;
}

import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listenOn } from '../devnet/listening.ts';
import { type LocalChain, startLocalChain } from '../devnet/local-chain.ts';
import { suiAddress } from '../domain/chain-ids.ts';
import { depositDemo } from './demo-deposit.ts';

const treasury = suiAddress(`0x${'7'.repeat(64)}`);

let chain: LocalChain;
let dataDir: string;
beforeAll(async () => {
  chain = await startLocalChain({ models: [] });
  dataDir = await mkdtemp(join(tmpdir(), 'atoma-deposit-'));
});
afterAll(async () => {
  await chain.close();
  await rm(dataDir, { recursive: true });
});

/** Deposits at a gateway that answers everything so. */
async function depositAt(status: number): Promise<string> {
  const server = createServer((_request, response) => {
    response.writeHead(status).end('{"error":{"message":"not here"}}');
  });
  const gateway = await listenOn(server, { host: '127.0.0.1', port: 0 });
  const { place, usdcType, controlUrl } = chain;
  const { chainId, definingPackage, databaseId } = place.ids;
  const document = {
    full_node: `http://${place.fullNode}`,
    chain_id: chainId,
    package_id: definingPackage,
    database_id: databaseId,
    usdc_type: usdcType,
    control_url: controlUrl,
    nodes: [],
  };
  const order = { baseUrl: gateway.url, apiKey: 'k', dataDir, chain: document, treasury };
  return depositDemo(order).finally(gateway.close);
}

describe('the deposit of npm start', () => {
  it.each([404, 503])('stops the start where the gateway answers %i', async (status) => {
    const message = `The demo deposit failed: GET /v1/wallets answered ${status} {"error":{"message":"not here"}}`;
    await expect(depositAt(status)).rejects.toThrow(message);
  });
});

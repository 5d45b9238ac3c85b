/** An hour without the full node, by the chain's clock: what is known serves on, and what was missed is caught up with. */

import { Transaction } from '@mysten/sui/transactions';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createSuiClient, keyOf } from '../../devnet/sui/testing.ts';
import { signAndSend, success } from '../../devnet/sui/wallet.ts';
import { suiAddress } from '../../domain/chain-ids.ts';
import {
  model,
  startTreasuryWorld,
  type TreasuryWorld,
  treasury,
} from '../../test/keeper/treasury-world.ts';
import { testKey } from '../nodes/testing.ts';

const patience = { timeout: 30_000, interval: 50 };
const hourMs = 3_600_000;
/** Four a second, for an hour. */
const checkpoints = 14_400;

let own: TreasuryWorld;
let skippedMs = 0;
beforeEach(async () => {
  skippedMs = 0;
  own = await startTreasuryWorld({
    prices: [1500n, 1500n],
    nowMs: () => Date.now() + skippedMs,
  });
});
afterEach(() => own.close());

/** Each checkpoint at its time. */
function passAnHour(): void {
  for (let count = 0; count < checkpoints; count += 1) {
    skippedMs += hourMs / checkpoints;
    own.served.seal();
  }
}

const metrics = () => own.current().registry.metrics();
const nodeAt = (index: number) => {
  const node = own.world.nodes[index];
  if (!node) throw new Error(`no node ${index}`);
  return node;
};

/** Straight to the chain, which others still reach. */
async function pay(from: number, usdc: bigint): Promise<string> {
  const sender = testKey(from).address;
  own.served.fundGas(sender, 10_000_000_000n);
  const coin = own.served.fund(sender, usdc);
  const tx = new Transaction();
  tx.setSender(sender);
  tx.transferObjects([coin], treasury.address);
  const client = createSuiClient(own.served.address);
  return success(await signAndSend(client, { tx, key: keyOf(from) })).digest;
}

describe('an hour without the full node', () => {
  it('changes nothing for callers, is shown, and is caught up with', async () => {
    const payer = await own.linkWallet(testKey(42).address);
    own.fund(treasury.address, 1_000_000n);
    own.world.seed.unsubscribe(nodeAt(1), 1n);
    const provider = await own.served.startProvider();
    await own.start({}, provider.address);
    await own.register(1);
    await own.register(2);
    await expect.poll(() => own.stacks().length, patience).toBe(2);
    await expect.poll(metrics, patience).toMatch(/atoma_chain_reachable\{[^}]*\} 1/);

    await provider.close();
    await expect.poll(metrics, patience).toMatch(/atoma_chain_reachable\{[^}]*\} 0/);
    const [first] = own.stacks();
    own.world.seed.subscribe([{ node: nodeAt(1), taskSmallId: 1n, price: 1700n }]);
    own.world.seed.claim(nodeAt(0), { stackSmallId: BigInt(first?.id ?? 0), units: 1n });
    const digest = await pay(42, 3_000_000n);
    passAnHour();

    // As it was known: the node, its stacks, units for requests; deposits cannot be judged now.
    expect(own.nodeIn()).toMatchObject({ port: 4001, weight: 100 });
    expect(own.stacks()).toHaveLength(2);
    const order = { requestId: 'in-the-dark', model, units: 1000, leaseMs: 60_000 };
    await own.storage.unitPool.syncStacks(model, own.stacks());
    expect(await own.storage.unitPool.reserve(order)).toBe('reserved');
    expect(await own.current().chain.deposits?.lookUp(digest)).toBeUndefined();
    expect(await own.register(1)).toMatchObject({ kind: 'gateway-unavailable' });

    const port = Number(provider.address.split(':').at(-1));
    await own.served.startProvider({ port });
    const height = own.served.chain.ledger.history.height();
    const records = own.storage.chain(suiAddress(own.world.dbId));
    const covered = async () => Number((await records.progress())?.covered ?? 0);
    await expect.poll(covered, patience).toBeGreaterThanOrEqual(Number(height));
    await expect.poll(() => own.nodeIn('sui-2'), patience).toMatchObject({ port: 4002 });
    await expect.poll(metrics, patience).toMatch(/atoma_chain_reachable\{[^}]*\} 1/);
    const account = async () => (await own.storage.accounts.get(payer))?.balance.available;
    await expect.poll(account, patience).toBe(3_000_000_000_000n);
    // The claimed stack is replaced, and nothing was skipped.
    const isReplaced = () =>
      [...own.stacks(), ...own.stacks('sui-2')].filter(({ id }) => id !== first?.id).length;
    await expect.poll(isReplaced, patience).toBe(2);
    expect(await records.alarms()).toEqual([]);
    expect(await own.storage.audit()).toMatchObject({ ok: true });
  });
});

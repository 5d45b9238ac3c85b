/** The treasury as the control plane runs it: on a full node of its own, with keys in files. */
import { Transaction } from '@mysten/sui/transactions';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { balanceOf } from '../../devnet/sui/objects.ts';
import { createSuiClient, keyOf } from '../../devnet/sui/testing.ts';
import { signAndSend, success } from '../../devnet/sui/wallet.ts';
import { suiAddress } from '../../domain/chain-ids.ts';
import { microUsdc } from '../../domain/deposit.ts';
import { picoUsd } from '../../domain/money.ts';
import { parseConfig } from '../../runtime/config.ts';
import {
  model,
  stackOwner,
  startTreasuryWorld,
  type TreasuryWorld,
  treasury,
} from '../../test/keeper/treasury-world.ts';
import { configSchema } from '../config.ts';
import { testKey } from '../nodes/testing.ts';

const patience = { timeout: 15_000, interval: 50 };

let own: TreasuryWorld;
beforeEach(async () => {
  own = await startTreasuryWorld({ prices: [1500n] });
});
afterEach(() => own.close());

const count = () => own.stacks().length;

describe('the treasury', () => {
  it('buys the runway of a model once a node can be reached, and no more', async () => {
    own.fund(treasury.address, 1_000_000n);
    await own.start();
    await expect.poll(own.report, patience).toContain('"obstacle":"no-node"');
    await own.register();
    await expect.poll(count, patience).toBe(2);
    await expect.poll(own.report, patience).toContain('"state":"well"');
    expect(count()).toBe(2);
    const held = own.served.chain.ledger.store.ownedBy(stackOwner.address);
    expect(held.filter(({ type }) => type.includes('coin::Coin'))).toEqual([]);
    expect(await own.report()).toContain('"usdc_micro":"997000"');
    expect(await own.current().registry.metrics()).toMatch(
      /atoma_treasury_micro_usdc\{[^}]*\} 997000/,
    );
  });

  it('buys another stack when one is nearly used up', async () => {
    own.fund(treasury.address, 1_000_000n);
    await own.start({ ATOMA_STACK_RUNWAY_UNITS_MIN: '500000', ATOMA_STACK_RUNWAY_HOURS: '1' });
    await own.register();
    await expect.poll(count, patience).toBe(1);
    await own.use(own.stacks()[0]?.id ?? '', 600_000);
    await expect.poll(count, patience).toBe(2);
  });

  it('says that money is lacking, and goes on when it comes', async () => {
    own.served.fundGas(treasury.address, 10_000_000_000n);
    await own.start();
    await own.register();
    await expect.poll(own.report, patience).toContain('the treasury lacks');
    expect(await own.current().registry.metrics()).toMatch(/atoma_treasury_low\{[^}]*\} 1/);
    own.fund(treasury.address, 1_000_000n);
    await expect.poll(count, patience).toBe(2);
  });

  it('buys nothing above the price cap or beyond the budget', async () => {
    own.fund(treasury.address, 1_000_000n);
    await own.start({ ATOMA_STACK_PRICE_MAX_USD: '0.001' });
    await own.register();
    await expect.poll(own.report, patience).toContain('"obstacle":"price-above-cap"');
    expect(count()).toBe(0);
  });

  it('takes weight from a node that claims what was not used, and buys of it no more', async () => {
    own.fund(treasury.address, 1_000_000n);
    await own.start();
    await own.register();
    await expect.poll(count, patience).toBe(2);
    const [first] = own.stacks();
    await own.use(first?.id ?? '', 500_000);
    const [node] = own.world.nodes;
    if (!(node && first)) throw new Error('a world has a node with a stack');
    own.world.seed.claim(node, { stackSmallId: BigInt(first.id), units: 1_000_000n });
    await expect.poll(() => own.nodeIn()?.weight, patience).toBeLessThan(20);
    await expect.poll(own.report, patience).toContain('"obstacle":"no-node"');
    expect(await own.current().registry.metrics()).toMatch(
      /atoma_stack_units_over_claimed\{[^}]*\} 500000/,
    );
  });

  it('buys no more of a node that refuses stacks which it was paid for', async () => {
    own.fund(treasury.address, 1_000_000n);
    await own.start();
    await own.register();
    await expect.poll(count, patience).toBe(2);
    await own.storage.unitPool.syncStacks(model, own.stacks());
    const stackId = own.stacks()[0]?.id ?? '';
    await own.storage.unitPool.refuse({ model, stackId, as: 'closed' });
    await expect.poll(own.report, { timeout: 25_000 }).toContain('"obstacle":"no-node"');
    await expect.poll(() => own.nodeIn()?.weight, patience).toBeLessThan(20);
  });

  it('pays a withdrawal once, in USDC, out of the account', async () => {
    own.fund(treasury.address, 20_000_000n);
    await own.start();
    const { id: accountId } = await own.storage.accounts.create({ name: 'leaving' });
    const amount = picoUsd(10_000_000_000_000n);
    await own.storage.accounts.credit({ accountId, amount, reference: 'invoice' });
    const recipient = suiAddress(testKey(43).address);
    const book = own.storage.withdrawals({
      chainId: own.served.chain.chainId(),
      address: suiAddress(treasury.address),
    });
    const order = { reference: 'one', accountId, recipient, amount: microUsdc(4_000_000n) };
    await book.order(order);
    await book.order(order);
    const state = async () => (await book.find('one'))?.state;
    await expect.poll(state, patience).toMatchObject({ kind: 'paid' });
    const { store } = own.served.chain.ledger;
    const coins = store.ownedBy(recipient).map(balanceOf);
    expect(coins).toEqual([4_000_000n]);
    const account = await own.storage.accounts.get(accountId);
    expect(account?.balance.available).toBe(6_000_000_000_000n);
    expect(await own.storage.audit()).toMatchObject({ ok: true });
  });

  it('credits what a linked wallet sends, and shows it to its owner', async () => {
    await own.start();
    const payer = testKey(42);
    own.served.fundGas(payer.address, 10_000_000_000n);
    const coin = own.served.fund(payer.address, 7_000_000n);
    const accountId = await own.linkWallet(payer.address);
    const tx = new Transaction();
    tx.setSender(payer.address);
    tx.transferObjects([tx.splitCoins(coin, [5_000_000n])], treasury.address);
    const client = createSuiClient(own.served.address);
    const { digest } = success(await signAndSend(client, { tx, key: keyOf(42) }));
    const found = () => own.current().chain.deposits?.lookUp(digest);
    await expect.poll(found, patience).toMatchObject({ kind: 'deposit' });
    const account = async () => (await own.storage.accounts.get(accountId))?.balance.available;
    await expect.poll(account, patience).toBe(5_000_000_000_000n);
    expect(await own.storage.audit()).toMatchObject({ ok: true });
  });
});

describe('the settings of the treasury', () => {
  const parse = (env: Readonly<Record<string, string>>) => parseConfig(configSchema, env);

  it('need the stack owner’s key and the coin with the treasury’s key', () => {
    const result = parse({
      ATOMA_SUI_FULL_NODE: 'http://127.0.0.1:1',
      ATOMA_SUI_CHAIN_ID: 'id',
      ATOMA_SUI_PACKAGE: `0x${'1'.repeat(64)}`,
      ATOMA_SUI_DATABASE: `0x${'2'.repeat(64)}`,
      ATOMA_STACK_OWNER_ADDRESS: `0x${'3'.repeat(64)}`,
      ATOMA_TREASURY_KEY_FILE: '/none',
    });
    expect(result).toMatchObject({ kind: 'problems', problems: { length: 2 } });
  });

  it('read dollars exactly, and refuse what is none', () => {
    const result = parse({ ATOMA_STACK_BUDGET_DAY_USD: '12.000001' });
    expect(result).toMatchObject({ config: { ATOMA_STACK_BUDGET_DAY_USD: 12_000_001n } });
    for (const text of ['-1', '1e3', '0.0000001', 'ten']) {
      expect(parse({ ATOMA_STACK_BUDGET_HOUR_USD: text }).kind).toBe('problems');
    }
  });
});

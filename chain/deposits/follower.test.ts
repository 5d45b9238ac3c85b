import { Transaction } from '@mysten/sui/transactions';
import { fromBase64 } from '@mysten/sui/utils';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createSuiClient } from '../../devnet/sui/testing.ts';
import { sendTransaction } from '../../devnet/sui/wallet.ts';
import type { Storage } from '../../storage/storage.ts';
import { openStorage } from '../../storage/testing.ts';
import {
  addressOf,
  ann,
  bob,
  type Payments,
  startPayments,
  treasuryKey,
} from '../../test/payments.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { until } from '../../test/until.ts';

const treasury = addressOf(treasuryKey);

let redis: TestRedis;
let storage: Storage;
let world: Payments;
beforeAll(async () => {
  redis = await startRedis();
  storage = await openStorage(redis.url);
}, 30_000);
afterAll(async () => {
  storage.close();
  await redis.stop();
});
beforeEach(async () => {
  world = await startPayments(storage);
});
afterEach(async () => {
  await world.close();
  const { problems, deposits } = await storage.audit();
  expect(problems).toEqual([]);
  expect(deposits.onChain).toBe(deposits.credited + deposits.waiting);
});

describe('following the deposits', () => {
  it('credits whoever has the payer, for each wallet of theirs', async () => {
    const accountId = await world.accountWith(ann, bob);
    world.start();
    await world.pay(ann, { amount: 7n });
    await world.pay(bob, { amount: 9n });
    await world.pay(ann, { amount: 1n });
    await until('it is credited', async () => (await world.deposited(accountId)) === 17_000_000n);
  });

  it('lets deposits of unlinked wallets wait, and credits them when they are linked', async () => {
    const accountId = await world.accountWith(bob);
    world.start();
    const digest = await world.pay(ann, { amount: 7n });
    await world.caughtUp();
    const waiting = { state: 'waiting', accountId: undefined, deposit: { payer: addressOf(ann) } };
    expect(await world.book.find(`${digest}:0`)).toMatchObject(waiting);
    expect(await world.deposited(accountId)).toBe(0n);
    await world.link(ann, accountId);
    await until('it is credited', async () => (await world.deposited(accountId)) === 7_000_000n);
  });

  it('credits no other coin, no aborted transaction, and nothing that went to others', async () => {
    const accountId = await world.accountWith(ann, treasuryKey);
    const falseType = `0x${'b'.repeat(64)}::usdc::USDC`;
    const falseCoin = world.node.chain.fund(ann.toSuiAddress(), { type: falseType, amount: 50n });
    world.start();
    await world.pay(ann, { amount: 5n, coin: falseCoin });
    await world.pay(ann, { amount: 6n, to: bob.toSuiAddress() });
    await world.pay(treasuryKey, { amount: 8n });
    await world.pay(treasuryKey, { amount: 9n, to: bob.toSuiAddress() });
    await payAndAbort();
    await world.caughtUp();
    expect(await world.deposited(accountId)).toBe(0n);
    expect((await world.book.page({ accountId, before: undefined, limit: 10 }))?.deposits).toEqual(
      [],
    );
    await world.pay(ann, { amount: 1n });
    await until('it is credited', async () => (await world.deposited(accountId)) === 1_000_000n);
  });

  /** Pays the gateway, and then splits off what is not there. */
  async function payAndAbort(): Promise<void> {
    const client = createSuiClient(world.node.address);
    const owner = ann.toSuiAddress();
    const { objects: gas } = await client.core.listCoins({ owner });
    const usdc = await client.core.getObject({ objectId: world.coinOf(ann) });
    const tx = new Transaction();
    tx.setSender(owner);
    tx.setGasPayment(gas);
    tx.setGasPrice(1000);
    tx.setGasBudget(50_000_000);
    const coin = tx.objectRef(usdc.object);
    const [part] = tx.splitCoins(coin, [40n]);
    tx.transferObjects([part], treasury);
    const [more] = tx.splitCoins(coin, [10n ** 15n]);
    tx.transferObjects([more], owner);
    const { bytes, signature } = await ann.signTransaction(await tx.build());
    const signed = { bytes: fromBase64(bytes), signatures: [signature] };
    const result = await sendTransaction(client, signed);
    expect(result.FailedTransaction).toBeDefined();
  }

  it('attributes to nobody what no wallet has paid', async () => {
    world.start();
    world.node.fund(treasury, 30n);
    await world.caughtUp();
    expect((await storage.audit()).deposits.waiting).toBeGreaterThanOrEqual(30_000_000n);
  });

  it('ignores what came before the first checkpoint that counts', async () => {
    const accountId = await world.accountWith(ann);
    await world.pay(ann, { amount: 7n });
    world.node.seal();
    const firstCheckpoint = world.node.chain.ledger.history.height() + 1n;
    world.start({ firstCheckpoint });
    await world.pay(ann, { amount: 2n });
    await until('it is credited', async () => (await world.deposited(accountId)) === 2_000_000n);
  });

  it('goes on where it was, or from the start without its cursor, and credits nothing twice', async () => {
    const accountId = await world.accountWith(ann);
    const first = world.start();
    await world.pay(ann, { amount: 7n });
    await world.caughtUp();
    await first.stop();
    await world.pay(ann, { amount: 1n });
    const second = world.start();
    await until('it is credited', async () => (await world.deposited(accountId)) === 8_000_000n);
    await second.stop();
    const stored = await world.book.load();
    const nothing = { covered: 1n, cursor: undefined, status: { kind: 'following' } } as const;
    await world.book.commit({ revision: stored?.revision ?? 0, progress: nothing, deposits: [] });
    world.start();
    await world.caughtUp();
    expect(await world.deposited(accountId)).toBe(8_000_000n);
  });

  it('reads whole checkpoints where the node lists no transactions', async () => {
    const accountId = await world.accountWith(ann);
    world.node.faults.set({ unimplemented: ['LedgerService/ListTransactions'] });
    world.start();
    await world.pay(ann, { amount: 7n });
    await until('it is credited', async () => (await world.deposited(accountId)) === 7_000_000n);
  });

  it('goes on with another provider, which knows no cursor of the first', async () => {
    const accountId = await world.accountWith(ann);
    const first = world.start();
    await world.pay(ann, { amount: 7n });
    await world.caughtUp();
    await first.stop();
    const other = await world.node.startProvider();
    world.start({ host: other.address });
    await world.pay(ann, { amount: 1n });
    await until('it is credited', async () => (await world.deposited(accountId)) === 8_000_000n);
  });

  it('believes nothing of another chain, and says so', async () => {
    const accountId = await world.accountWith(ann);
    world.start();
    await world.caughtUp();
    world.node.faults.set({ chainId: 'another' });
    await world.pay(ann, { amount: 7n });
    const status = async () => (await world.book.load())?.progress.status.kind;
    await until('it halts', async () => (await status()) === 'halted');
    expect(await world.deposited(accountId)).toBe(0n);
    world.node.faults.clear();
    await until('it is credited', async () => (await world.deposited(accountId)) === 7_000_000n);
    await until('it follows', async () => (await status()) === 'following');
  });

  it('stands still before what is pruned', async () => {
    for (let n = 0; n < 5; n += 1) world.node.seal();
    world.node.prune(world.node.chain.ledger.history.height());
    world.start();
    const status = async () => (await world.book.load())?.progress.status.kind;
    await until('it stands', async () => (await status()) === 'pruned');
  });
});

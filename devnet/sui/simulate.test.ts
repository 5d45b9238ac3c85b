import type { SuiGrpcClient } from '@mysten/sui/grpc';
import { Transaction } from '@mysten/sui/transactions';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FullNode, startFullNode } from './full-node.ts';
import {
  type AtomaWorld,
  acquireStack,
  createSuiClient,
  fundBoth,
  keyOf,
  setUpAtoma,
} from './testing.ts';
import { success } from './wallet.ts';

const buyer = keyOf(9);
const sender = buyer.toSuiAddress();
let node: FullNode;
let client: SuiGrpcClient;
let world: AtomaWorld;
let usdcCoinId: string;

beforeAll(async () => {
  node = await startFullNode({ checkpointMs: 0 });
  client = createSuiClient(node.address);
  world = setUpAtoma(node.chain, [1000n]);
  ({ usdcCoinId } = fundBoth(node.chain, sender, 10_000n));
});
afterAll(() => node.close());

const purchase = () => acquireStack(world, { sender, usdcCoinId });
const include = { effects: true, events: true, balanceChanges: true } as const;

describe('a simulation', () => {
  it('runs without gas, and leaves nothing behind', async () => {
    const before = await client.core.getObject({ objectId: world.dbId });
    const result = await client.core.simulateTransaction({ transaction: purchase(), include });
    expect(success(result).events).toHaveLength(1);
    const after = await client.core.getObject({ objectId: world.dbId });
    expect(after.object.version).toBe(before.object.version);
  });

  it('tells what the execution will do', async () => {
    const transaction = await purchase().build({ client });
    const simulated = success(await client.core.simulateTransaction({ transaction, include }));
    const { signature } = await buyer.signTransaction(transaction);
    const signed = { transaction, signatures: [signature], include };
    const executed = success(await client.core.executeTransaction(signed));
    expect(executed.digest).toBe(simulated.digest);
    expect(executed.effects.gasUsed).toEqual(simulated.effects.gasUsed);
    expect(executed.balanceChanges).toEqual(simulated.balanceChanges);
  });

  it('tells of an abort, with its code', async () => {
    const tx = acquireStack(world, { sender, usdcCoinId, price: 1n });
    const result = await client.core.simulateTransaction({ transaction: tx });
    expect(result.FailedTransaction?.status.error).toMatchObject({
      MoveAbort: { abortCode: '312012022', location: { module: 'db' } },
    });
  });

  it('resolves the kind alone, for a sponsor to complete', async () => {
    const bytes = await purchase().build({ client, onlyTransactionKind: true });
    const completed = Transaction.fromKind(bytes);
    completed.setSender(sender);
    completed.setGasOwner(world.managerAddress);
    node.fundGas(world.managerAddress, 10_000_000_000n);
    const built = await completed.build({ client });
    expect(Transaction.from(built).getData().gasData.owner).toBe(world.managerAddress);
  });

  it('finds no gas where there is none', async () => {
    const tx = new Transaction();
    const poor = keyOf(41).toSuiAddress();
    tx.setSender(poor);
    tx.transferObjects([tx.object(node.fund(poor, 5n))], sender);
    await expect(tx.build({ client })).rejects.toThrow('gas selection');
  });

  it('refuses what does not exist', async () => {
    const tx = new Transaction();
    tx.setSender(sender);
    tx.transferObjects([tx.object('0xdead')], sender);
    await expect(tx.build({ client })).rejects.toThrow('ObjectNotFound');
  });
});

describe('the client', () => {
  it('signs, executes and waits in one go', async () => {
    const transaction = purchase();
    const signed = await client.core.signAndExecuteTransaction({ transaction, signer: buyer });
    const { digest } = success(signed);
    const waited = await client.core.waitForTransaction({ digest });
    expect(success(waited).status.success).toBe(true);
  });
});

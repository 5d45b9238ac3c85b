import { bcs } from '@mysten/sui/bcs';
import type { SuiGrpcClient } from '@mysten/sui/grpc';
import {
  coinWithBalance,
  Inputs,
  Transaction,
  TransactionDataBuilder,
} from '@mysten/sui/transactions';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { eventLayouts, layouts } from './atoma-layouts.ts';
import { type FullNode, startFullNode } from './full-node.ts';
import { suiType } from './objects.ts';
import { byText } from './order.ts';
import {
  type AtomaWorld,
  acquireStack,
  createSuiClient,
  fundBoth,
  keyOf,
  type Purchase,
  setUpAtoma,
} from './testing.ts';
import { type ExecutionResult, sendTransaction, signAndSend, success } from './wallet.ts';

const buyer = keyOf(9);
const buyerAddress = buyer.toSuiAddress();
let node: FullNode;
let client: SuiGrpcClient;
let world: AtomaWorld;
let usdcCoinId: string;

const acquire = (options: Partial<Purchase>) =>
  acquireStack(world, { sender: buyerAddress, usdcCoinId, ...options });
const execute = (bytes: Uint8Array, signatures: string[]) =>
  sendTransaction(client, { bytes, signatures });
const run = (tx: Transaction) => signAndSend(client, { tx, key: buyer });

beforeAll(async () => {
  node = await startFullNode({ checkpointMs: 0 });
  client = createSuiClient(node.address);
  world = setUpAtoma(node.chain, [1000n, 1500n, 2000n]);
});
afterAll(() => node.close());
beforeEach(() => {
  node.faults.clear();
  ({ usdcCoinId } = fundBoth(node.chain, buyerAddress, 10_000n));
});

function abortCode(result: ExecutionResult): string {
  const error = result.FailedTransaction?.status.error;
  return error?.$kind === 'MoveAbort' ? error.MoveAbort.abortCode : `${error?.message}`;
}

const readTransaction = (digest: string) => client.core.getTransaction({ digest });

describe('buying a stack', () => {
  it('draws a node that asks no more than the price, takes the exact cost, and tells so', async () => {
    const result = success(await run(acquire({ pay: 2000n })));
    const [event] = result.events;
    expect(event?.eventType).toBe(`${world.packageId}::db::StackCreatedEvent`);
    const created = eventLayouts.StackCreatedEvent.parse(event?.bcs ?? new Uint8Array());
    expect(created).toMatchObject({ owner: buyerAddress, units: '1000000', price: '1500' });
    expect(['1', '2']).toContain(created.node.inner);
    expect(result.balanceChanges).toContainEqual({
      address: buyerAddress,
      coinType: node.chain.usdcType,
      amount: '-1500',
    });
  });

  it('draws uniformly among those that fit', async () => {
    const drawn = new Map<string, number>();
    for (let i = 0; i < 60; i += 1) {
      const { events } = success(await run(acquire({ price: 2000n, units: 1n })));
      const { node: id } = eventLayouts.StackCreatedEvent.parse(events[0]?.bcs ?? new Uint8Array());
      drawn.set(id.inner, (drawn.get(id.inner) ?? 0) + 1);
    }
    expect([...drawn.keys()].sort(byText)).toEqual(['1', '2', '3']);
  });

  it('is a row of the stacks table at once, and in the next checkpoint', async () => {
    const { digest, events } = success(await run(acquire({})));
    const { stack } = eventLayouts.StackCreatedEvent.parse(events[0]?.bcs ?? new Uint8Array());
    const { object: db } = await client.core.getObject({
      objectId: world.dbId,
      include: { content: true },
    });
    const { dynamicField } = await client.core.getDynamicField({
      parentId: layouts.AtomaDb.parse(db.content).stacks.id,
      name: {
        type: `${world.packageId}::db::StackSmallId`,
        bcs: layouts.NodePriceData.serialize({ node: stack, price: 0, unitsMax: 0 })
          .toBytes()
          .slice(0, 8),
      },
    });
    expect(layouts.Stack.parse(dynamicField.value.bcs)).toMatchObject({ owner: buyerAddress });
    expect(success(await readTransaction(digest)).checkpoint).toBeNull();
    node.seal();
    const height = String(node.chain.ledger.history.height());
    expect(success(await readTransaction(digest)).checkpoint).toBe(height);
  });

  it.each([
    ['a coin below the cost', { pay: 1499n }, '312012040'],
    ['a price that no node asks', { price: 10n }, '312012022'],
    ['a price of zero', { price: 0n }, '312012037'],
    ['no units', { units: 0n }, '312012039'],
    ['more units than nodes sell', { units: 1_000_001n }, '312012022'],
    ['an unknown task', { task: 77n }, '312012017'],
  ])('aborts for %s, and costs gas only', async (_, options, code) => {
    const tx = acquire(options);
    tx.setGasBudget(100_000_000n);
    const bytes = await buildOffline(tx);
    const { signature } = await buyer.signTransaction(bytes);
    const result = await execute(bytes, [signature]);
    expect(abortCode(result)).toBe(code);
    const failed = result.FailedTransaction;
    expect(failed?.events).toEqual([]);
    expect(failed?.balanceChanges.map(({ coinType }) => coinType)).toEqual([suiType]);
  });

  it('fails the build of a transaction that would abort', async () => {
    await expect(acquire({ price: 10n }).build({ client })).rejects.toThrow('312012022');
  });

  it('lets nothing but merges and transfers follow', async () => {
    const tx = acquire({});
    tx.splitCoins(tx.object(usdcCoinId), [1]);
    await expect(tx.build({ client })).rejects.toThrow('PostRandomCommandRestrictions');
  });
});

/** As the product builds: every version known beforehand, no help from the node. */
async function buildOffline(tx: Transaction): Promise<Uint8Array> {
  const { objects } = await client.core.listCoins({ owner: buyerAddress });
  const ids = [world.dbId, '0x8', usdcCoinId];
  const { objects: inputs } = await client.core.getObjects({ objectIds: ids });
  const [db, random, wallet] = inputs;
  if (!(db && random && wallet) || db instanceof Error || random instanceof Error) {
    throw new Error('no objects');
  }
  if (wallet instanceof Error) throw wallet;
  const json = JSON.parse(JSON.stringify(tx.getData()));
  const offline = Transaction.from(JSON.stringify(json));
  const shared = (object: typeof db, mutable: boolean) => ({
    objectId: object.objectId,
    initialSharedVersion: object.owner.Shared?.initialSharedVersion ?? '',
    mutable,
  });
  offline.addBuildPlugin(async (data, _, next) => {
    for (const [index, input] of data.inputs.entries()) {
      const id = input.UnresolvedObject?.objectId;
      if (id === wallet.objectId) data.inputs[index] = Inputs.ObjectRef(wallet);
      if (id === db.objectId) data.inputs[index] = Inputs.SharedObjectRef(shared(db, true));
      if (id === random.objectId)
        data.inputs[index] = Inputs.SharedObjectRef(shared(random, false));
    }
    await next();
  });
  const [gas] = objects;
  if (!gas) throw new Error('no gas');
  offline.setGasPayment([gas]);
  offline.setGasPrice(1000);
  return offline.build();
}

describe('execution', () => {
  it('agrees with the SDK on digest and effects', async () => {
    const bytes = await acquire({}).build({ client });
    const { signature } = await buyer.signTransaction(bytes);
    const result = success(await execute(bytes, [signature]));
    expect(result.digest).toBe(TransactionDataBuilder.getDigestFromBytes(bytes));
    const { effects } = result;
    expect(effects.transactionDigest).toBe(result.digest);
    const versions = effects.changedObjects.map(({ outputVersion }) => outputVersion);
    expect(new Set(versions)).toEqual(new Set([effects.lamportVersion]));
    const { V2: encoded } = bcs.TransactionEffects.parse(effects.bcs ?? new Uint8Array());
    expect(encoded?.transactionDigest).toBe(result.digest);
    expect(encoded?.eventsDigest).toBe(effects.eventsDigest);
    expect(encoded?.changedObjects).toHaveLength(effects.changedObjects.length);
    expect(effects.unchangedConsensusObjects).toMatchObject([{ kind: 'ReadOnlyRoot' }]);
  });

  it('refuses a version that is used up', async () => {
    const tx = acquire({});
    const bytes = await tx.build({ client });
    const other = new Transaction();
    other.setSender(buyerAddress);
    other.transferObjects([other.object(usdcCoinId)], buyerAddress);
    await run(other);
    const { signature } = await buyer.signTransaction(bytes);
    await expect(execute(bytes, [signature])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('refuses bytes with anything after them', async () => {
    const bytes = Buffer.concat([await acquire({}).build({ client }), Buffer.alloc(1)]);
    const { signature } = await buyer.signTransaction(bytes);
    await expect(execute(bytes, [signature])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('refuses an expired transaction and one for another chain', async () => {
    const tx = acquire({});
    tx.setExpiration({
      ValidDuring: {
        minEpoch: '0',
        maxEpoch: '1',
        minTimestamp: null,
        maxTimestamp: null,
        chain: '4btiuiMPvEENsttpZC7CZ53DruC3MAgfznDbASZ7DR6S',
        nonce: 1,
      },
    });
    await expect(tx.build({ client })).rejects.toThrow('InvalidChainId');
  });

  it('calls what is not modelled an unknown function', async () => {
    const tx = new Transaction();
    tx.setSender(buyerAddress);
    tx.moveCall({ target: `${world.packageId}::db::withdraw_fees` });
    await expect(tx.build({ client })).rejects.toThrow('function-not-found');
  });
});

describe('money', () => {
  it('moves by transfer, and both sides see the change', async () => {
    const to = keyOf(70).toSuiAddress();
    const tx = new Transaction();
    tx.setSender(buyerAddress);
    tx.transferObjects([coinWithBalance({ balance: 400n, type: node.chain.usdcType })], to);
    const { balanceChanges } = success(await run(tx));
    const coinType = node.chain.usdcType;
    expect(balanceChanges).toContainEqual({ address: to, coinType, amount: '400' });
    expect(balanceChanges).toContainEqual({ address: buyerAddress, coinType, amount: '-400' });
  });

  it('cannot be split beyond the balance', async () => {
    const tx = new Transaction();
    tx.setSender(buyerAddress);
    const coin = tx.splitCoins(tx.object(usdcCoinId), [10_001]);
    tx.transferObjects([coin], buyerAddress);
    await expect(tx.build({ client })).rejects.toThrow('insufficient-coin-balance');
  });

  it('cannot be left lying about', async () => {
    const tx = new Transaction();
    tx.setSender(buyerAddress);
    tx.splitCoins(tx.object(usdcCoinId), [5]);
    await expect(tx.build({ client })).rejects.toThrow('unused-value');
  });

  it('pays gas from the coin that also gives', async () => {
    const to = keyOf(71).toSuiAddress();
    const tx = new Transaction();
    tx.setSender(buyerAddress);
    tx.transferObjects([tx.splitCoins(tx.gas, [1_000_000])], to);
    const { balanceChanges, effects } = success(await run(tx));
    const { computationCost, storageCost, storageRebate } = effects.gasUsed;
    const gas = BigInt(computationCost) + BigInt(storageCost) - BigInt(storageRebate);
    const own = balanceChanges.find(({ address }) => address === buyerAddress);
    expect(BigInt(own?.amount ?? 0)).toBe(-1_000_000n - gas);
  });
});

import { bcs } from '@mysten/sui/bcs';
import type { SuiGrpcClient } from '@mysten/sui/grpc';
import { deriveDynamicFieldID } from '@mysten/sui/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { layouts } from './atoma-layouts.ts';
import { type FullNode, startFullNode } from './full-node.ts';
import { byText } from './order.ts';
import { type AtomaWorld, createSuiClient, fundBoth, keyOf, setUpAtoma } from './testing.ts';

const buyer = keyOf(9).toSuiAddress();
let node: FullNode;
let client: SuiGrpcClient;
let world: AtomaWorld;

beforeAll(async () => {
  node = await startFullNode({ checkpointMs: 0 });
  client = createSuiClient(node.address);
  world = setUpAtoma(node.chain, [1000n, 1500n, 2000n]);
  fundBoth(node.chain, buyer, 5_000_000n);
  node.chain.fund(buyer, { type: node.chain.usdcType, amount: 7n });
});
afterAll(() => node.close());

async function readDb() {
  const { object } = await client.core.getObject({
    objectId: world.dbId,
    include: { content: true },
  });
  return layouts.AtomaDb.parse(object.content);
}

const smallId = (n: bigint) => ({
  type: `${world.packageId}::db::NodeSmallId`,
  bcs: bcs.u64().serialize(n).toBytes(),
});

const listPage = (options: { parentId: string; limit: number; cursor: string | null }) =>
  client.listDynamicFields({ ...options, include: { value: true } });

async function readTask() {
  const { tasks } = await readDb();
  const { object } = await client.core.getDynamicObjectField({
    parentId: tasks.id,
    name: { ...smallId(1n), type: `${world.packageId}::db::TaskSmallId` },
    include: { content: true },
  });
  return layouts.Task.parse(object.content);
}

describe('dynamic fields', () => {
  it('are found by the SDK under the ids that it derives', async () => {
    const { nodes } = await readDb();
    const name = smallId(2n);
    const { dynamicField } = await client.core.getDynamicField({ parentId: nodes.id, name });
    expect(layouts.NodeEntry.parse(dynamicField.value.bcs).reputation.inner).toBe(50);
    expect(dynamicField.fieldId).toBe(deriveDynamicFieldID(nodes.id, name.type, name.bcs));
  });

  it('hold tasks as objects, and prices in the table of the task', async () => {
    const task = await readTask();
    expect(task).toMatchObject({ modelName: 'test-model', securityLevel: { inner: 1 } });
    const { dynamicField } = await client.core.getDynamicField({
      parentId: task.subscribedNodes.id,
      name: smallId(2n),
    });
    const price = layouts.NodePriceData.parse(dynamicField.value.bcs);
    expect(price).toEqual({ node: { inner: '2' }, price: '1500', unitsMax: '1000000' });
  });

  it('are listed page by page with names and values, each once', async () => {
    const { nodes } = await readDb();
    const names: string[] = [];
    let cursor: string | null = null;
    do {
      const page: Awaited<ReturnType<typeof listPage>> = await listPage({
        parentId: nodes.id,
        limit: 2,
        cursor,
      });
      names.push(...page.dynamicFields.map(({ name }) => bcs.u64().parse(name.bcs)));
      expect(page.dynamicFields.every(({ value }) => value.bcs.length > 0)).toBe(true);
      cursor = page.hasNextPage ? page.cursor : null;
    } while (cursor !== null);
    expect(names.sort(byText)).toEqual(['1', '2', '3']);
  });

  it('of an object table tell the child and its type', async () => {
    const { tasks } = await readDb();
    const { dynamicFields } = await client.listDynamicFields({ parentId: tasks.id });
    expect(dynamicFields).toHaveLength(1);
    expect(dynamicFields[0]).toMatchObject({
      $kind: 'DynamicObject',
      valueType: `${world.packageId}::db::Task`,
      childId: (await readTask()).id,
    });
  });

  it('give parent and id only without a mask', async () => {
    const { nodes } = await readDb();
    const { response } = await client.stateService.listDynamicFields({ parent: nodes.id });
    const [first] = response.dynamicFields;
    expect(first?.parent).toBe(nodes.id);
    expect(first?.fieldId).toMatch(/^0x/);
    expect(first?.name).toBeUndefined();
  });
});

describe('coins', () => {
  it('are listed by type with their balances', async () => {
    const { objects } = await client.core.listCoins({
      owner: buyer,
      coinType: node.chain.usdcType,
    });
    expect(objects.map(({ balance }) => balance).sort(byText)).toEqual(['5000000', '7']);
  });

  it('add up to balances', async () => {
    const { balance } = await client.core.getBalance({
      owner: buyer,
      coinType: node.chain.usdcType,
    });
    expect(balance.balance).toBe('5000007');
    const { balances } = await client.core.listBalances({ owner: buyer });
    expect(balances.map(({ balance: total }) => total)).toEqual(['10000000000', '5000007']);
    expect((await client.core.getBalance({ owner: '0x77' })).balance.balance).toBe('0');
  });

  it('have metadata', async () => {
    const { coinMetadata } = await client.core.getCoinMetadata({ coinType: node.chain.usdcType });
    expect(coinMetadata?.decimals).toBe(6);
    expect(await client.core.getCoinMetadata({ coinType: '0x2::no::NO' })).toEqual({
      coinMetadata: null,
    });
  });
});

describe('ListOwnedObjects', () => {
  it('matches a type without parameters to all of its instances', async () => {
    const objectType = '0x2::coin::Coin';
    const { response } = await client.stateService.listOwnedObjects({ owner: buyer, objectType });
    expect(response.objects).toHaveLength(3);
    expect(response.objects[0]?.digest).toBeUndefined();
  });

  it('may give an empty page that has a next one', async () => {
    node.faults.set({ emptyPages: true });
    const ask = (pageToken?: Uint8Array) =>
      client.stateService.listOwnedObjects({
        owner: buyer,
        ...(pageToken && { pageToken }),
      });
    const empty = await ask();
    expect(empty.response.objects).toEqual([]);
    const full = await ask(empty.response.nextPageToken);
    expect(full.response.objects).toHaveLength(3);
    expect(full.response.nextPageToken).toBeUndefined();
    node.faults.clear();
  });

  it('refuses the page token of another list', async () => {
    const { response } = await client.stateService.listOwnedObjects({ owner: buyer, pageSize: 1 });
    const { nextPageToken: pageToken } = response;
    expect(pageToken).toBeDefined();
    const call = client.stateService.listOwnedObjects({
      owner: world.managerAddress,
      ...(pageToken && { pageToken }),
    });
    await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });
});

describe('a method that is not modelled', () => {
  it('answers UNIMPLEMENTED', async () => {
    const call = client.nameService.lookupName({ name: 'atoma.sui' });
    await expect(call).rejects.toMatchObject({ code: 'UNIMPLEMENTED' });
  });
});

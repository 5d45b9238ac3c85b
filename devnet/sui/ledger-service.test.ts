import type { SuiGrpcClient } from '@mysten/sui/grpc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FullNode, startFullNode } from './full-node.ts';
import { type AtomaWorld, createSuiClient, keyOf, setUpAtoma } from './testing.ts';

let node: FullNode;
let client: SuiGrpcClient;
let world: AtomaWorld;

beforeAll(async () => {
  node = await startFullNode({ checkpointMs: 0 });
  client = createSuiClient(node.address);
  world = setUpAtoma(node.chain, [1000n, 1500n]);
  node.seal();
});
afterAll(() => node.close());

describe('GetServiceInfo', () => {
  it('tells chain, height and the lowest available checkpoint', async () => {
    const { response } = await client.ledgerService.getServiceInfo({});
    expect(response).toMatchObject({
      chainId: node.chain.chainId(),
      epoch: 0n,
      checkpointHeight: 1n,
      lowestAvailableCheckpoint: 0n,
    });
  });

  it('gives each chain an id of its own', async () => {
    const other = await startFullNode({ checkpointMs: 0, nowMs: () => 1 });
    expect(other.chain.chainId()).not.toBe(node.chain.chainId());
    await other.close();
  });

  it('says chain and height in the headers of every answer', async () => {
    const { headers } = await client.ledgerService.getServiceInfo({});
    expect(headers['x-sui-chain-id']).toBe(node.chain.chainId());
    expect(headers['x-sui-checkpoint-height']).toBe('1');
  });
});

describe('GetObject', () => {
  it('gives id, version and digest without a mask, and nothing else', async () => {
    const { response } = await client.ledgerService.getObject({ objectId: world.dbId });
    const { object } = response;
    expect(object).toMatchObject({ objectId: world.dbId, digest: expect.any(String) });
    expect(object?.version).toBeGreaterThan(1n);
    expect(object?.owner).toBeUndefined();
    expect(object?.objectType).toBeUndefined();
    expect(object?.contents).toBeUndefined();
  });

  it('cuts inside messages too', async () => {
    const readMask = { paths: ['owner.kind', 'contents.name'] };
    const { response } = await client.ledgerService.getObject({ objectId: world.dbId, readMask });
    expect(response.object?.contents).toEqual({ name: `${world.packageId}::db::AtomaDb` });
    expect(response.object?.owner).toEqual({ kind: 3 });
    expect(response.object?.objectId).toBeUndefined();
  });

  it('refuses a path that the schema does not know', async () => {
    const readMask = { paths: ['owner.colour'] };
    const call = client.ledgerService.getObject({ objectId: world.dbId, readMask });
    await expect(call).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('does not find what is not there', async () => {
    const call = client.ledgerService.getObject({ objectId: '0xdead' });
    await expect(call).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('finds an earlier version until it is pruned', async () => {
    const objectId = world.dbId;
    const { object: now } = await client.core.getObject({ objectId });
    const version = BigInt(now.version) - 1n;
    const { response } = await client.ledgerService.getObject({ objectId, version });
    expect(response.object?.version).toBe(version);
  });
});

describe('the core client', () => {
  it('reads content, owner and type of shared and owned objects, and misses in between', async () => {
    const objectIds = [world.dbId, '0xdead', world.managerBadgeId];
    const { objects } = await client.core.getObjects({ objectIds, include: { content: true } });
    expect(objects[0]).toMatchObject({
      type: `${world.packageId}::db::AtomaDb`,
      owner: { $kind: 'Shared' },
      content: expect.any(Uint8Array),
    });
    expect(objects[1]).toMatchObject({ code: 'notExists' });
    expect(objects[2]).toMatchObject({
      owner: { AddressOwner: world.managerAddress },
      type: `${world.packageId}::db::AtomaManagerBadge`,
    });
  });

  it('reads the epoch, the gas price and the chain', async () => {
    expect(await client.core.getReferenceGasPrice()).toEqual({ referenceGasPrice: '1000' });
    expect(await client.core.getChainIdentifier()).toEqual({
      chainIdentifier: node.chain.chainId(),
    });
    const { systemState } = await client.core.getCurrentSystemState();
    expect(systemState).toMatchObject({ epoch: '0', referenceGasPrice: '1000', safeMode: false });
  });
});

describe('transactions and checkpoints', () => {
  it('places a transaction in the next checkpoint', async () => {
    const nodeAddress = keyOf(50).toSuiAddress();
    const { transaction } = node.chain.change(nodeAddress, () => undefined);
    const readMask = { paths: ['checkpoint', 'digest'] };
    const ask = async () => {
      const { digest } = transaction;
      const { response } = await client.ledgerService.getTransaction({ digest, readMask });
      return response.transaction;
    };
    expect((await ask())?.checkpoint).toBeUndefined();
    node.seal();
    expect((await ask())?.checkpoint).toBe(node.chain.ledger.history.height());
  });

  it('gives events inside a checkpoint without place, which the enclosing messages have', async () => {
    const paths = ['sequence_number', 'transactions.digest', 'transactions.events'];
    const { response } = await client.ledgerService.getCheckpoint({
      checkpointId: { oneofKind: 'sequenceNumber', sequenceNumber: 1n },
      readMask: { paths },
    });
    const transactions = response.checkpoint?.transactions ?? [];
    expect(transactions.length).toBe(6);
    expect(transactions[0]?.events?.events[0]).toMatchObject({
      eventType: `${world.packageId}::db::PublishedEvent`,
      packageId: world.packageId,
      module: 'db',
    });
    expect(transactions[0]?.events?.events[0]?.checkpoint).toBeUndefined();
    expect(transactions[0]?.effects).toBeUndefined();
  });

  it('finds a checkpoint by its digest, and chains the digests', async () => {
    const paths = ['digest', 'summary.previous_digest', 'summary.timestamp'];
    const at = async (checkpointId: Parameters<typeof ask>[0]) =>
      (await ask(checkpointId)).response;
    const ask = (checkpointId: { oneofKind: 'sequenceNumber'; sequenceNumber: bigint }) =>
      client.ledgerService.getCheckpoint({ checkpointId, readMask: { paths } });
    const first = await at({ oneofKind: 'sequenceNumber', sequenceNumber: 0n });
    const second = await at({ oneofKind: 'sequenceNumber', sequenceNumber: 1n });
    expect(first.checkpoint?.digest).toBe(node.chain.chainId());
    expect(second.checkpoint?.summary?.previousDigest).toBe(first.checkpoint?.digest);
    const { response } = await client.ledgerService.getCheckpoint({
      checkpointId: { oneofKind: 'digest', digest: second.checkpoint?.digest ?? '' },
    });
    expect(response.checkpoint?.sequenceNumber).toBe(1n);
  });

  it('closes an epoch with its last checkpoint', async () => {
    node.chain.ledger.advanceEpoch();
    const readMask = { paths: ['epoch', 'last_checkpoint', 'first_checkpoint'] };
    const ended = await client.ledgerService.getEpoch({ epoch: 0n, readMask });
    const { response } = await client.ledgerService.getEpoch({ readMask });
    expect(ended.response.epoch?.lastCheckpoint).toBe(node.chain.ledger.history.height());
    expect(response.epoch?.epoch).toBe(1n);
    expect(response.epoch?.lastCheckpoint).toBeUndefined();
  });

  it('forgets what is pruned, and says so', async () => {
    node.seal();
    node.chain.ledger.prune(3n);
    const { response } = await client.ledgerService.getServiceInfo({});
    expect(response.lowestAvailableCheckpoint).toBe(3n);
    const call = client.ledgerService.getCheckpoint({
      checkpointId: { oneofKind: 'sequenceNumber', sequenceNumber: 1n },
    });
    await expect(call).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const { object } = await client.core.getObject({ objectId: world.dbId });
    expect(object.objectId).toBe(world.dbId);
  });
});

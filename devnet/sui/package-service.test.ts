import type { SuiGrpcClient } from '@mysten/sui/grpc';
import { Secp256k1Keypair } from '@mysten/sui/keypairs/secp256k1';
import { toBase64 } from '@mysten/sui/utils';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { upgradeAtoma } from './atoma-deployment.ts';
import { type FullNode, startFullNode } from './full-node.ts';
import { type AtomaWorld, createSuiClient, keyOf, setUpAtoma } from './testing.ts';

let node: FullNode;
let client: SuiGrpcClient;
let world: AtomaWorld;

beforeAll(async () => {
  node = await startFullNode({ checkpointMs: 0 });
  client = createSuiClient(node.address);
  world = setUpAtoma(node.chain, []);
});
afterAll(() => node.close());

describe('MovePackageService', () => {
  it('describes a function as Move declares it', async () => {
    const { function: described } = await client.core.getMoveFunction({
      packageId: world.packageId,
      moduleName: 'db',
      name: 'acquire_new_stack_entry',
    });
    expect(described).toMatchObject({ visibility: 'private', isEntry: true });
    expect(described.parameters.map(({ reference }) => reference)).toEqual([
      'mutable',
      'mutable',
      null,
      null,
      null,
      'immutable',
      'mutable',
    ]);
    expect(described.parameters[1]?.body).toMatchObject({
      datatype: { typeParameters: [{ datatype: { typeName: node.chain.usdcType } }] },
    });
  });

  it('describes structs field by field', async () => {
    const { response } = await client.movePackageService.getDatatype({
      packageId: world.packageId,
      moduleName: 'db',
      name: 'StackCreatedEvent',
    });
    expect(response.datatype?.fields.map(({ name }) => name)?.slice(0, 3)).toEqual([
      'stack_id',
      'stack_small_id',
      'owner',
    ]);
  });

  it('lists versions, and keeps the origin of types', async () => {
    const packageId = upgradeAtoma(node.chain, world.packageId);
    const { response } = await client.movePackageService.listPackageVersions({
      packageId: world.packageId,
    });
    expect(response.versions).toEqual([
      { packageId: world.packageId, version: 1n },
      { packageId, version: 2n },
    ]);
    const upgraded = await client.movePackageService.getPackage({ packageId });
    expect(upgraded.response.package).toMatchObject({
      originalId: world.packageId,
      version: 2n,
    });
    const origins = upgraded.response.package?.typeOrigins.map((origin) => origin.packageId);
    expect(new Set(origins)).toEqual(new Set([world.packageId]));
    const { response: read } = await client.ledgerService.getObject({ objectId: packageId });
    expect(read.object?.version).toBe(2n);
  });

  it('does not find what is not there', async () => {
    const call = client.movePackageService.getPackage({ packageId: '0xdead' });
    await expect(call).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('VerifySignature', () => {
  const text = new TextEncoder().encode('log me in');

  const verify = (address: string, signature: string) =>
    client.core.verifyZkLoginSignature({
      bytes: toBase64(text),
      signature,
      intentScope: 'PersonalMessage',
      address,
    });

  it('checks personal messages of simple schemes', async () => {
    for (const key of [keyOf(4), Secp256k1Keypair.fromSecretKey(new Uint8Array(32).fill(4))]) {
      const { signature } = await key.signPersonalMessage(text);
      expect(await verify(key.toSuiAddress(), signature)).toEqual({ success: true, errors: [] });
      expect((await verify(keyOf(5).toSuiAddress(), signature)).success).toBe(false);
    }
  });

  it('vouches for zkLogin only where the chain is told to', async () => {
    const address = keyOf(6).toSuiAddress();
    const signature = toBase64(Uint8Array.of(5, 1, 2, 3));
    expect((await verify(address, signature)).success).toBe(false);
    node.chain.vouched.add(address);
    expect((await verify(address, signature)).success).toBe(true);
  });
});

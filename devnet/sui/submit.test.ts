import type { SuiGrpcClient } from '@mysten/sui/grpc';
import { Secp256k1Keypair } from '@mysten/sui/keypairs/secp256k1';
import { Secp256r1Keypair } from '@mysten/sui/keypairs/secp256r1';
import { MultiSigPublicKey } from '@mysten/sui/multisig';
import { Transaction, TransactionDataBuilder } from '@mysten/sui/transactions';
import { fromBase64 } from '@mysten/sui/utils';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type FullNode, startFullNode } from './full-node.ts';
import { suiType } from './objects.ts';
import {
  type AtomaWorld,
  acquireStack,
  createSuiClient,
  fundBoth,
  keyOf,
  setUpAtoma,
} from './testing.ts';
import { sendTransaction, signAndSend, success } from './wallet.ts';

const buyer = keyOf(9);
const buyerAddress = buyer.toSuiAddress();
let node: FullNode;
let client: SuiGrpcClient;
let world: AtomaWorld;
let usdcCoinId: string;

beforeAll(async () => {
  node = await startFullNode({ checkpointMs: 0 });
  client = createSuiClient(node.address);
  world = setUpAtoma(node.chain, [1000n]);
});
afterAll(() => node.close());
beforeEach(() => {
  node.faults.clear();
  ({ usdcCoinId } = fundBoth(node.chain, buyerAddress, 10_000n));
});

const acquire = () => acquireStack(world, { sender: buyerAddress, usdcCoinId });
const execute = (bytes: Uint8Array, signatures: string[]) =>
  sendTransaction(client, { bytes, signatures });

describe('a submission', () => {
  it('gives the same digest the same result, however often it is sent', async () => {
    const bytes = await acquire().build({ client });
    const { signature } = await buyer.signTransaction(bytes);
    const [first, second] = [await execute(bytes, [signature]), await execute(bytes, [signature])];
    expect(second).toEqual(first);
  });

  it('refuses foreign and broken signatures', async () => {
    const bytes = await acquire().build({ client });
    const stranger = await keyOf(66).signTransaction(bytes);
    await expect(execute(bytes, [stranger.signature])).rejects.toThrow('IncorrectSigner');
    const { signature } = await buyer.signPersonalMessage(bytes);
    await expect(execute(bytes, [signature])).rejects.toThrow('InvalidSignature');
    await expect(execute(bytes, [])).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('needs the sponsor and the sender where one pays for the other', async () => {
    const poor = keyOf(72);
    const coin = node.chain.fund(poor.toSuiAddress(), { type: node.chain.usdcType, amount: 9n });
    const tx = new Transaction();
    tx.setSender(poor.toSuiAddress());
    tx.setGasOwner(buyerAddress);
    tx.transferObjects([tx.object(coin)], buyerAddress);
    const bytes = await tx.build({ client });
    const signatures = await Promise.all([poor, buyer].map((key) => key.signTransaction(bytes)));
    const [own, sponsor] = signatures.map(({ signature }) => signature);
    await expect(execute(bytes, [own ?? ''])).rejects.toThrow('expected 2 signatures');
    const result = success(await execute(bytes, [own ?? '', sponsor ?? '']));
    expect(result.balanceChanges.filter(({ coinType }) => coinType === suiType)).toMatchObject([
      { address: buyerAddress },
    ]);
  });
});

describe('signatures', () => {
  const seed = new Uint8Array(32).fill(5);
  const k1 = Secp256k1Keypair.fromSecretKey(seed);
  const r1 = Secp256r1Keypair.fromSecretKey(seed);
  const send = (from: string) => {
    fundBoth(node.chain, from, 1n);
    const tx = new Transaction();
    tx.setSender(from);
    tx.transferObjects([tx.splitCoins(tx.gas, [1])], buyerAddress);
    return tx;
  };

  it('of every simple scheme are checked', async () => {
    for (const key of [keyOf(73), k1, r1]) {
      expect(
        success(await signAndSend(client, { tx: send(key.toSuiAddress()), key })).status.success,
      ).toBe(true);
    }
  });

  it('of several keys count together', async () => {
    const publicKeys = [k1, r1].map((key) => ({ publicKey: key.getPublicKey(), weight: 1 }));
    const shared = MultiSigPublicKey.fromPublicKeys({ threshold: 2, publicKeys });
    const bytes = await send(shared.toSuiAddress()).build({ client });
    const parts = await Promise.all([k1, r1].map((key) => key.signTransaction(bytes)));
    const all = shared.combinePartialSignatures(parts.map(({ signature }) => signature));
    expect(success(await execute(bytes, [all])).status.success).toBe(true);
    const one = shared.combinePartialSignatures([parts[0]?.signature ?? '']);
    await expect(execute(bytes, [one])).rejects.toThrow('InvalidSignature');
  });
});

describe('lost answers', () => {
  const transfer = () => {
    const tx = new Transaction();
    tx.setSender(buyerAddress);
    tx.transferObjects([tx.object(usdcCoinId)], buyerAddress);
    return tx;
  };

  it('may hide a success, which the same bytes find again', async () => {
    const signed = await buyer.signTransaction(await transfer().build({ client }));
    node.faults.set({ execution: 'lost-after' });
    await expect(execute(fromBase64(signed.bytes), [signed.signature])).rejects.toMatchObject({
      code: 'UNAVAILABLE',
    });
    node.faults.clear();
    expect(
      success(await execute(fromBase64(signed.bytes), [signed.signature])).status.success,
    ).toBe(true);
  });

  it('may leave a lock, which only the same bytes open before the epoch ends', async () => {
    const locked = await buyer.signTransaction(await transfer().build({ client }));
    const rival = transfer();
    rival.setGasBudget(50_000_000n);
    const other = await buyer.signTransaction(await rival.build({ client }));
    node.faults.set({ execution: 'lost-before' });
    await expect(execute(fromBase64(locked.bytes), [locked.signature])).rejects.toThrow();
    node.faults.clear();
    const call = execute(fromBase64(other.bytes), [other.signature]);
    await expect(call).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect(
      success(await execute(fromBase64(locked.bytes), [locked.signature])).status.success,
    ).toBe(true);
  });

  it('may belong to a transaction that lands later', async () => {
    const held = await buyer.signTransaction(await transfer().build({ client }));
    node.faults.set({ execution: 'lost-before' });
    await expect(execute(fromBase64(held.bytes), [held.signature])).rejects.toThrow();
    node.faults.clear();
    const digest = TransactionDataBuilder.getDigestFromBytes(fromBase64(held.bytes));
    await expect(client.core.getTransaction({ digest })).rejects.toThrow();
    expect(node.landHeld()).toEqual([digest]);
    expect(success(await client.core.getTransaction({ digest })).digest).toBe(digest);
    expect(node.landHeld()).toEqual([]);
  });

  it('leave locks that end with the epoch', async () => {
    const first = await buyer.signTransaction(await transfer().build({ client }));
    const rival = transfer();
    rival.setGasBudget(60_000_000n);
    const second = await buyer.signTransaction(await rival.build({ client }));
    node.faults.set({ execution: 'lost-before' });
    await expect(execute(fromBase64(first.bytes), [first.signature])).rejects.toThrow();
    node.faults.clear();
    node.advanceEpoch();
    const result = success(await execute(fromBase64(second.bytes), [second.signature]));
    expect(result.status.success).toBe(true);
    expect(node.landHeld()).toEqual([]);
  });

  it('may mean that nothing happened at all', async () => {
    const first = await buyer.signTransaction(await transfer().build({ client }));
    node.faults.set({ execution: 'lost-first' });
    await expect(execute(fromBase64(first.bytes), [first.signature])).rejects.toThrow();
    node.faults.clear();
    const digest = TransactionDataBuilder.getDigestFromBytes(fromBase64(first.bytes));
    await expect(client.core.getTransaction({ digest })).rejects.toThrow();
  });
});

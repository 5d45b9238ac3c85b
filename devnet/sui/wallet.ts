/** A wallet: the real Sui client over native gRPC, and keys that sign transactions. */
import { ChannelCredentials } from '@grpc/grpc-js';
import type { Signer } from '@mysten/sui/cryptography';
import { SuiGrpcClient } from '@mysten/sui/grpc';
import { Ed25519Keypair } from '@mysten/sui/keypairs/ed25519';
import type { Transaction } from '@mysten/sui/transactions';
import { fromBase64 } from '@mysten/sui/utils';
import { GrpcTransport } from '@protobuf-ts/grpc-transport';

export type SuiConnection = { readonly client: SuiGrpcClient; close(): void };

/** Connects to `host:port` without TLS when first used. */
export function connectSui(address: string): SuiConnection {
  const channelCredentials = ChannelCredentials.createInsecure();
  const transport = new GrpcTransport({ host: address, channelCredentials });
  const client = new SuiGrpcClient({ network: 'devnet', transport });
  return { client, close: () => transport.close() };
}

/** The key pair of an Ed25519 keystore entry, which is a zero flag byte and the seed. */
export const toKeypair = (keystoreEntry: string): Ed25519Keypair =>
  Ed25519Keypair.fromSecretKey(fromBase64(keystoreEntry.trim()).subarray(1));

const include = { effects: true, events: true, balanceChanges: true } as const;

export type ExecutionResult = Awaited<ReturnType<typeof sendTransaction>>;

/** Sends signed bytes, and asks for everything that is to know about them. */
export const sendTransaction = (
  client: SuiGrpcClient,
  signed: { readonly bytes: Uint8Array; readonly signatures: string[] },
) =>
  client.core.executeTransaction({
    transaction: signed.bytes,
    signatures: signed.signatures,
    include,
  });

/** Lets the full node resolve objects and gas, and sends what comes of it with the key's signature. */
export async function signAndSend(
  client: SuiGrpcClient,
  { tx, key }: { readonly tx: Transaction; readonly key: Signer },
): Promise<ExecutionResult> {
  const { bytes, signature } = await key.signTransaction(await tx.build({ client }));
  return sendTransaction(client, { bytes: fromBase64(bytes), signatures: [signature] });
}

/** The transaction of a result; one that failed is thrown. */
export function success<Executed>(result: { readonly Transaction?: Executed }): Executed {
  if (!result.Transaction) throw new Error('the transaction fails');
  return result.Transaction;
}

import { createHash } from 'node:crypto';
import { bcs } from '@mysten/sui/bcs';
import { messageWithIntent, type Signer } from '@mysten/sui/cryptography';
import { Ed25519Keypair } from '@mysten/sui/keypairs/ed25519';
import { PasskeyPublicKey } from '@mysten/sui/keypairs/passkey';
import { Secp256k1Keypair } from '@mysten/sui/keypairs/secp256k1';
import { Secp256r1Keypair } from '@mysten/sui/keypairs/secp256r1';
import { MultiSigPublicKey } from '@mysten/sui/multisig';
import { toBase64 } from '@mysten/sui/utils';
import { p256 } from '@noble/curves/nist.js';
import { blake2b } from '@noble/hashes/blake2.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FullNode as ServedNode, startFullNode } from '../devnet/sui/full-node.ts';
import { type SuiAddress, suiAddress } from '../domain/chain-ids.ts';
import { connectDeposits } from './deposits/testing.ts';
import type { FullNode } from './full-node.ts';
import { verifyWallet } from './wallet-proof.ts';

const text = 'gateway.test asks you\nNonce: 1';
const bytesOf = (message: string) => new TextEncoder().encode(message);
const signal = new AbortController().signal;
const keys = [
  Ed25519Keypair.generate(),
  Secp256k1Keypair.generate(),
  Secp256r1Keypair.generate(),
] as const;
const multisig = MultiSigPublicKey.fromPublicKeys({
  threshold: 2,
  publicKeys: keys.map((key) => ({ publicKey: key.getPublicKey(), weight: 1 })),
});

let served: ServedNode;
let fullNode: FullNode;
beforeAll(async () => {
  served = await startFullNode();
  fullNode = connectDeposits({ host: served.address, chainId: served.chain.chainId() });
});
afterAll(async () => {
  fullNode.close();
  await served.close();
});

const verify = (wallet: string, signature: string, message = text) =>
  verifyWallet({ wallet: suiAddress(wallet), text: message, signature, fullNode, signal });
const sign = async (key: Signer, message = text) =>
  (await key.signPersonalMessage(bytesOf(message))).signature;

/** As an authenticator signs: over the digest of the intent message, within the data of a browser. */
function signByPasskey(): { wallet: SuiAddress; signature: string } {
  const secret = p256.utils.randomSecretKey();
  const publicKey = p256.getPublicKey(secret, true);
  const message = bcs.byteVector().serialize(bytesOf(text)).toBytes();
  const digest = blake2b(messageWithIntent('PersonalMessage', message), { dkLen: 32 });
  const challenge = Buffer.from(digest).toString('base64url');
  const client = { type: 'webauthn.get', challenge, origin: 'https://gateway.test' };
  const clientDataJson = JSON.stringify(client);
  const authenticatorData = new Uint8Array(37);
  const clientDigest = createHash('sha256').update(clientDataJson).digest();
  const signed = Buffer.concat([authenticatorData, clientDigest]);
  const userSignature = Buffer.concat([
    Uint8Array.of(0x02),
    p256.sign(signed, secret, { lowS: true }),
    publicKey,
  ]);
  const layout = bcs.struct('PasskeyAuthenticator', {
    authenticatorData: bcs.byteVector(),
    clientDataJson: bcs.string(),
    userSignature: bcs.byteVector(),
  });
  const fields = layout.serialize({ authenticatorData, clientDataJson, userSignature }).toBytes();
  return {
    wallet: suiAddress(new PasskeyPublicKey(publicKey).toSuiAddress()),
    signature: toBase64(Buffer.concat([Uint8Array.of(0x06), fields])),
  };
}

describe('a wallet', () => {
  it.each(keys)('proves itself with a key of each scheme, and nobody else', async (key) => {
    const wallet = key.toSuiAddress();
    expect(await verify(wallet, await sign(key))).toBe('signed');
    const [other] = keys.filter((one) => one !== key);
    expect(await verify(other?.toSuiAddress() ?? '', await sign(key))).toBe('not-signed');
    expect(await verify(wallet, await sign(key, `${text} `))).toBe('not-signed');
    expect(await verify(wallet, await sign(key), `${text}\n`)).toBe('not-signed');
  });

  it('is not proved by a signature over a transaction of the same bytes', async () => {
    const { signature } = await keys[0].signTransaction(bytesOf(text));
    expect(await verify(keys[0].toSuiAddress(), signature)).toBe('not-signed');
  });

  it('of several keys needs as many as its threshold', async () => {
    const [first = '', second = ''] = await Promise.all(keys.map((key) => sign(key)));
    const wallet = multisig.toSuiAddress();
    const both = multisig.combinePartialSignatures([first, second]);
    expect(await verify(wallet, both)).toBe('signed');
    expect(await verify(wallet, multisig.combinePartialSignatures([first]))).toBe('not-signed');
    expect(await verify(wallet, first)).toBe('not-signed');
  });

  it('proves itself with a passkey', async () => {
    const { wallet, signature } = signByPasskey();
    expect(await verify(wallet, signature)).toBe('signed');
    expect(await verify(wallet, signature, `${text}!`)).toBe('not-signed');
    expect(await verify(keys[0].toSuiAddress(), signature)).toBe('not-signed');
  });

  it.each([
    '',
    'AA==',
    '!',
    'A'.repeat(200),
    'A'.repeat(20_000),
    'Aw==',
    'Bg==',
    toBase64(bytesOf(text)),
  ])('is not proved by %s', async (signature) => {
    expect(await verify(keys[0].toSuiAddress(), signature)).toBe('not-signed');
  });
});

describe('a wallet of zkLogin', () => {
  const wallet = `0x${'5'.repeat(64)}`;
  const signature = toBase64(Uint8Array.of(0x05, 1, 2, 3));

  it('is what the full node says it is', async () => {
    expect(await verify(wallet, signature)).toBe('not-signed');
    served.chain.vouched.add(wallet);
    expect(await verify(wallet, signature)).toBe('signed');
  });

  it('has no verdict while the full node is away, of another chain, or does not check', async () => {
    const method = 'SignatureVerificationService/VerifySignature';
    for (const fault of [
      { unavailable: [method] },
      { unimplemented: [method] },
      { chainId: 'another' },
    ]) {
      served.faults.set(fault);
      expect(await verify(wallet, signature)).toBe('unavailable');
      served.faults.clear();
    }
  });
});

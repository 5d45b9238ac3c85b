/** Ed25519 keys in the form of a Sui keystore: base64 of a zero flag byte and the 32-byte seed. */
import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { addressOf, ed25519Flag } from './signer.ts';

const seedBytes = 32;

// DER of an Ed25519 private key without its seed (RFC 8410, section 7).
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex');
// DER of an Ed25519 public key without its bytes (RFC 8410, section 4).
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

export type SigningKey = {
  readonly privateKey: KeyObject;
  readonly publicKey: Uint8Array;
  readonly address: string;
};

/** Reads a keystore entry; nothing where it is not an Ed25519 one. */
export function parseKeystoreEntry(entry: string): SigningKey | undefined {
  const text = entry.trim();
  const bytes = Buffer.from(text, 'base64');
  // Node skips what is no base64, so that a damaged entry would be read as another key.
  const isExact = bytes.length === 1 + seedBytes && bytes.toString('base64') === text;
  const key = isExact && bytes[0] === ed25519Flag ? keyOfSeed(bytes.subarray(1)) : undefined;
  bytes.fill(0);
  return key;
}

/** The keystore entry of a seed, for example of 32 random bytes. */
export function toKeystoreEntry(seed: Uint8Array): string {
  if (seed.length !== seedBytes) throw new RangeError(`a seed has ${seedBytes} bytes`);
  return Buffer.concat([Buffer.of(ed25519Flag), seed]).toString('base64');
}

/** The key of a 32-byte seed. */
export function keyOfSeed(seed: Uint8Array): SigningKey {
  if (seed.length !== seedBytes) throw new RangeError(`a seed has ${seedBytes} bytes`);
  const der = Buffer.concat([pkcs8Prefix, seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  const publicKey = new Uint8Array(spki.subarray(spkiPrefix.length));
  return { privateKey, publicKey, address: addressOf(ed25519Flag, publicKey) };
}

/** The seed of a key. Whoever asks for it overwrites it after use. */
export function seedOf(key: SigningKey): Uint8Array {
  const der = key.privateKey.export({ format: 'der', type: 'pkcs8' });
  return der.subarray(pkcs8Prefix.length);
}

/** The public key as Node's crypto takes it. */
export function toPublicKeyObject(publicKey: Uint8Array): KeyObject {
  const key = Buffer.concat([spkiPrefix, publicKey]);
  return createPublicKey({ key, format: 'der', type: 'spki' });
}

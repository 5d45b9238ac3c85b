/** X25519 keys, and the AES key that both sides of one exchange derive from them (Atoma node protocol, section 11). */
import { x25519 } from '@noble/curves/ed25519.js';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';

export const publicKeyBytes = 32;
export const saltBytes = 16;
const secretKeyBytes = 32;
const exchangeKeyBytes = 32;

/** Cryptographically secure random bytes, such as those of `node:crypto`. */
export type RandomBytes = (length: number) => Uint8Array;

export type KeyPair = {
  readonly publicKey: Uint8Array;
  /** Overwritten by `eraseKeyPair`. */
  readonly secretKey: Uint8Array;
};

/** A new pair: a client makes one for each request, a node one for each rotation. */
export function createKeyPair(randomBytes: RandomBytes): KeyPair {
  // A copy, since random bytes may lie in a pool that others read.
  const secretKey = Uint8Array.from(randomBytes(secretKeyBytes));
  return { publicKey: x25519.getPublicKey(secretKey), secretKey };
}

/** Overwrites the secret; the pair must not be used again. */
export function eraseKeyPair({ secretKey }: KeyPair): void {
  secretKey.fill(0);
}

// The prime of the field, 2^255 - 19, as the little-endian bytes of RFC 7748, section 5.
const primeFirstByte = 0xed;
const primeLastByte = 0x7f;

/** Whether the bytes are the one form of their key: X25519 ignores the last bit, and takes numbers modulo the prime. */
export function isCanonicalKey(publicKey: Uint8Array): boolean {
  const last = publicKey[publicKeyBytes - 1] ?? 0;
  if (last !== primeLastByte) return last < primeLastByte;
  const isMiddleFull = publicKey.subarray(1, publicKeyBytes - 1).every((byte) => byte === 0xff);
  return !isMiddleFull || (publicKey[0] ?? 0) < primeFirstByte;
}

/** The AES-256 key of one exchange; nothing where the other side's key is of low order, so that anyone could compute it. */
export function deriveExchangeKey(options: {
  readonly secretKey: Uint8Array;
  readonly peerPublicKey: Uint8Array;
  readonly salt: Uint8Array;
}): Uint8Array | undefined {
  const shared = sharedSecretOf(options);
  if (!shared) return undefined;
  try {
    return hkdf(sha256, shared, options.salt, undefined, exchangeKeyBytes);
  } finally {
    shared.fill(0);
  }
}

function sharedSecretOf(options: {
  readonly secretKey: Uint8Array;
  readonly peerPublicKey: Uint8Array;
}): Uint8Array | undefined {
  try {
    return x25519.getSharedSecret(options.secretKey, options.peerPublicKey);
  } catch {
    // Lengths are checked at the door: what remains is an all-zero result (RFC 7748, section 6.1).
    return undefined;
  }
}

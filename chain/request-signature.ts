/**
 * Signatures over hashes as Atoma nodes make and check them: base64 of flag, signature and public key, over the hash
 * itself without Sui's intent (Atoma node protocol, request signature).
 */
import { sign, verify } from 'node:crypto';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { canonicalJson } from '../domain/canonical-json.ts';
import { blake2b256 } from './blake2b.ts';
import { addressOf, ed25519Flag, type SigningKey, toPublicKeyObject } from './keystore.ts';

const signatureBytes = 64;
const schemes = new Map([
  [ed25519Flag, { publicKeyBytes: 32, verify: verifyEd25519 }],
  [1, { publicKeyBytes: 33, verify: verifyEcdsa(secp256k1) }],
  [2, { publicKeyBytes: 33, verify: verifyEcdsa(p256) }],
]);

type Check = {
  readonly hash: Uint8Array;
  readonly signature: Uint8Array;
  readonly publicKey: Uint8Array;
};

/** Signs a 32-byte hash. */
export function signHash(key: SigningKey, hash: Uint8Array): string {
  const signature = sign(null, hash, key.privateKey);
  return Buffer.concat([Buffer.of(ed25519Flag), signature, key.publicKey]).toString('base64');
}

/**
 * The `X-Signature` of a JSON body: over the hash of the text that a node prints for it.
 * @throws TypeError where that is no object. What begins with a brace is no transaction and no message of Sui, whose first
 * byte is a scope far below it: whoever chooses the body gets no signature that moves anything.
 */
export function signBody(key: SigningKey, bodyText: string): string {
  const printed = canonicalJson(bodyText);
  if (!printed.startsWith('{')) throw new TypeError('expected a JSON object to sign');
  return signHash(key, blake2b256(printed));
}

/** The address of the signer; nothing where the signature is not valid over the hash. */
export function signerOf(hash: Uint8Array, encoded: string): string | undefined {
  const bytes = Buffer.from(encoded, 'base64');
  const flag = bytes[0] ?? -1;
  const scheme = schemes.get(flag);
  if (!scheme || bytes.length !== 1 + signatureBytes + scheme.publicKeyBytes) return undefined;
  const signature = bytes.subarray(1, 1 + signatureBytes);
  const publicKey = bytes.subarray(1 + signatureBytes);
  return scheme.verify({ hash, signature, publicKey }) ? addressOf(flag, publicKey) : undefined;
}

function verifyEd25519({ hash, signature, publicKey }: Check): boolean {
  try {
    return verify(null, hash, toPublicKeyObject(publicKey), signature);
  } catch {
    // The bytes are not a point on the curve.
    return false;
  }
}

function verifyEcdsa(curve: typeof secp256k1 | typeof p256) {
  return ({ hash, signature, publicKey }: Check): boolean => {
    try {
      // Prehashing applies SHA-256; a high s is refused, as Sui does.
      return curve.verify(signature, hash, publicKey, { prehash: true, lowS: true });
    } catch {
      return false;
    }
  };
}

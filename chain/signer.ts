/**
 * Who signed a hash, in Sui's schemes: a flag, the signature and the public key, whose address is the signer. Nothing here
 * is of Node, so that callers in a browser can check signatures too.
 */
import { ed25519 } from '@noble/curves/ed25519.js';
import { p256 } from '@noble/curves/nist.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import { bytesToHex } from '@noble/hashes/utils.js';
import { blake2b256 } from './blake2b.ts';

export const ed25519Flag = 0;
const signatureBytes = 64;

export type SignatureCheck = {
  readonly hash: Uint8Array;
  readonly signature: Uint8Array;
  readonly publicKey: Uint8Array;
};

/** The address of the signer; nothing where the bytes are no signature that is valid over the hash. */
export type SignerOf = (hash: Uint8Array, signed: Uint8Array) => string | undefined;

/** `verify` is that of Ed25519; it may throw where the key is no point. */
export function createSignerOf(verify: (check: SignatureCheck) => boolean): SignerOf {
  const schemes = new Map([
    [ed25519Flag, { publicKeyBytes: 32, verify }],
    [1, { publicKeyBytes: 33, verify: verifyEcdsa(secp256k1) }],
    [2, { publicKeyBytes: 33, verify: verifyEcdsa(p256) }],
  ]);
  return function signerOf(hash, signed) {
    const flag = signed[0] ?? -1;
    const scheme = schemes.get(flag);
    if (!scheme || signed.length !== 1 + signatureBytes + scheme.publicKeyBytes) return undefined;
    const signature = signed.subarray(1, 1 + signatureBytes);
    const publicKey = signed.subarray(1 + signatureBytes);
    try {
      return scheme.verify({ hash, signature, publicKey }) ? addressOf(flag, publicKey) : undefined;
    } catch {
      // The bytes are not a point on the curve.
      return undefined;
    }
  };
}

/** In plain JavaScript, and as strict as Node's own: one equation without the cofactor's play. May throw. */
export const verifyEd25519 = ({ hash, signature, publicKey }: SignatureCheck): boolean =>
  ed25519.verify(signature, hash, publicKey, { zip215: false });

/** Without anything of the platform. */
export const signerOf: SignerOf = createSignerOf(verifyEd25519);

function verifyEcdsa(curve: typeof secp256k1 | typeof p256) {
  return ({ hash, signature, publicKey }: SignatureCheck): boolean =>
    // Prehashing applies SHA-256; a high s is refused, as Sui does.
    curve.verify(signature, hash, publicKey, { prehash: true, lowS: true });
}

/** The Sui address of a public key: BLAKE2b-256 of its flag and bytes. */
export function addressOf(flag: number, publicKey: Uint8Array): string {
  return `0x${bytesToHex(blake2b256(Uint8Array.of(flag, ...publicKey)))}`;
}

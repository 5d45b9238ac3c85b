/**
 * Signatures over hashes as Atoma nodes make and check them: base64 of flag, signature and public key, over the hash
 * itself without Sui's intent (Atoma node protocol, request signature).
 */
import { sign, verify } from 'node:crypto';
import { canonicalJson } from '../domain/canonical-json.ts';
import { blake2b256 } from './blake2b.ts';
import { type SigningKey, toPublicKeyObject } from './keystore.ts';
import { createSignerOf, ed25519Flag } from './signer.ts';

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

const nativeSignerOf = createSignerOf(({ hash, signature, publicKey }) =>
  verify(null, hash, toPublicKeyObject(publicKey), signature),
);

/** The address of the signer; nothing where the signature is not valid over the hash. */
export const signerOf = (hash: Uint8Array, encoded: string): string | undefined =>
  nativeSignerOf(hash, Buffer.from(encoded, 'base64'));

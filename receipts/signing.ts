/** Ed25519 over canonical JSON: `key_id` stands inside what is signed, `signature` outside. */
import { hash, sign, verify } from 'node:crypto';
import { z } from 'zod';
import { type SigningKey, toPublicKeyObject } from '../chain/keystore.ts';
import { canonicalText, type Json } from './canonical.ts';

/** Ed25519, in hex. */
export const signatureText = z.string().regex(/^[0-9a-f]{128}$/);

export type Signed<Body> = Body & { readonly key_id: string; readonly signature: string };

const idBytes = 16;
const publicKeyBytes = 32;

/** The name of a key follows from its bytes, so that no list can give one name to another key. */
export const keyIdOf = (publicKey: Uint8Array): string =>
  `rk_${hash('sha256', publicKey, 'hex').slice(0, 2 * idBytes)}`;

/** Always the same for the same key and body: Ed25519 draws no random number. */
export function signBody<Body extends { readonly [name: string]: Json }>(
  body: Body,
  key: SigningKey,
): Signed<Body> {
  const named = { ...body, key_id: keyIdOf(key.publicKey) };
  const signature = sign(null, Buffer.from(canonicalText(named)), key.privateKey);
  return { ...named, signature: signature.toString('hex') };
}

/** Whether the key of these bytes (hex) has signed the body under its own name. */
export function isSignedBy(
  { signature, ...named }: Signed<{ readonly [name: string]: Json }>,
  publicKey: string,
): boolean {
  const bytes = Buffer.from(publicKey, 'hex');
  if (bytes.length !== publicKeyBytes || keyIdOf(bytes) !== named.key_id) return false;
  const data = Buffer.from(canonicalText(named));
  return verify(null, data, toPublicKeyObject(bytes), Buffer.from(signature, 'hex'));
}

/** Signed answers of Atoma nodes: the last two members of the object are a signature and the hash of what stood before. */
import { timingSafeEqual } from 'node:crypto';
import { blake2b256 } from './blake2b.ts';
import type { SigningKey } from './keystore.ts';
import { signerOf, signHash } from './request-signature.ts';

const tailPattern = /,"signature":"([A-Za-z0-9+/=]+)","response_hash":"([A-Za-z0-9+/=]+)"\}\s*$/;
const tailLengthMax = 512;

export type ResponseCheck =
  | { readonly kind: 'signed'; readonly signerAddress: string; readonly hash: string }
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'invalid'; readonly reason: 'hash' | 'signature' };

/** Checks the received text of an answer or of one chunk; who may sign for a node is the caller's to compare. */
export function checkResponse(text: string): ResponseCheck {
  const from = Math.max(0, text.length - tailLengthMax);
  const match = tailPattern.exec(text.slice(from));
  if (!match) return { kind: 'unsigned' };
  const [, signature = '', hash = ''] = match;
  const signed = blake2b256(`${text.slice(0, from + match.index)}}`);
  const claimed = Buffer.from(hash, 'base64');
  if (claimed.length !== signed.length || !timingSafeEqual(claimed, signed)) {
    return { kind: 'invalid', reason: 'hash' };
  }
  const signerAddress = signerOf(signed, signature);
  if (signerAddress === undefined) return { kind: 'invalid', reason: 'signature' };
  return { kind: 'signed', signerAddress, hash };
}

/** Appends the two members to a compact JSON object, as a node does. */
export function signResponse(key: SigningKey, objectText: string): string {
  const hash = blake2b256(objectText);
  const members = {
    signature: signHash(key, hash),
    response_hash: Buffer.from(hash).toString('base64'),
  };
  return `${objectText.slice(0, -1)},${JSON.stringify(members).slice(1)}`;
}

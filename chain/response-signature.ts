/** Signed answers of Atoma nodes: the last two members of the object are a signature and the hash of what stood before. */
import { timingSafeEqual } from 'node:crypto';
import { blake2b } from '@noble/hashes/blake2.js';
import { blake2b256 } from './blake2b.ts';
import type { SigningKey } from './keystore.ts';
import { signerOf, signHash } from './request-signature.ts';

const tailPattern = /,"signature":"([A-Za-z0-9+/=]+)","response_hash":"([A-Za-z0-9+/=]+)"\}\s*$/;
const tailLengthMax = 512;
const hashBytes = 32;
const closingBrace = Buffer.from('}');

export type ResponseCheck =
  | {
      readonly kind: 'signed';
      readonly signerAddress: string;
      /** Both in base64, as the answer has them. */
      readonly hash: string;
      readonly signature: string;
    }
  | { readonly kind: 'unsigned' }
  | { readonly kind: 'invalid'; readonly reason: 'hash' | 'signature' };

/** Checks the received text of an answer or of one chunk; who may sign for a node is the caller's to compare. */
export function checkResponse(text: string): ResponseCheck {
  const check = createResponseCheck();
  check.push(Buffer.from(text));
  return check.end();
}

/** The same for an answer that arrives in pieces; only its last few hundred bytes are kept. */
export function createResponseCheck() {
  const hash = blake2b.create({ dkLen: hashBytes });
  let tail = Buffer.alloc(0);
  return {
    push(piece: Uint8Array): void {
      const bytes = Buffer.concat([tail, piece]);
      const kept = Math.max(0, bytes.length - tailLengthMax);
      hash.update(bytes.subarray(0, kept));
      tail = bytes.subarray(kept);
    },
    end(): ResponseCheck {
      // One character a byte, so that positions agree; what is looked for is ASCII.
      const match = tailPattern.exec(tail.toString('latin1'));
      if (!match) return { kind: 'unsigned' };
      const [, signature = '', claimed = ''] = match;
      const signed = hash.update(tail.subarray(0, match.index)).update(closingBrace).digest();
      return judge({ signed, signature, claimed });
    },
  };
}

function judge(answer: { signed: Uint8Array; signature: string; claimed: string }): ResponseCheck {
  const { signed, signature } = answer;
  const hash = answer.claimed;
  const claimed = Buffer.from(hash, 'base64');
  if (claimed.length !== signed.length || !timingSafeEqual(claimed, signed)) {
    return { kind: 'invalid', reason: 'hash' };
  }
  const signerAddress = signerOf(signed, signature);
  if (signerAddress === undefined) return { kind: 'invalid', reason: 'signature' };
  return { kind: 'signed', signerAddress, hash, signature };
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

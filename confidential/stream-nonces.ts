/**
 * Notices nonces that come again under one key: two ciphertexts under one nonce give away the XOR of their plaintexts, and
 * let anyone forge more. It needs no key, so whoever relays a stream can watch it too.
 */
import { equalBytes } from '@noble/ciphers/utils.js';
import { toBase64 } from './base64.ts';
import { nonceBytes } from './cipher.ts';

/** The most recent nonces that are remembered; a repetition from before goes unseen. */
export const noncesRememberedMax = 65_536;

/** Watches one exchange, whose request has used up a nonce already. */
export function createStreamNonces({ requestNonce }: { readonly requestNonce: Uint8Array }) {
  const seen = new Set([toBase64(requestNonce)]);
  let repeated = 0;
  return {
    /** Takes the nonce of the next event; true where it has been used before. */
    isRepeated(nonce: Uint8Array): boolean {
      const text = toBase64(nonce);
      const isRepeated = seen.delete(text);
      if (isRepeated) repeated += 1;
      seen.add(text);
      if (seen.size > noncesRememberedMax) forgetOldest(seen);
      return isRepeated;
    },
    /** Events so far whose nonce had been used before. */
    repeated: () => repeated,
  };
}

function forgetOldest(seen: Set<string>): void {
  for (const oldest of seen) {
    seen.delete(oldest);
    return;
  }
}

const numberBytes = 4;

/** A nonce with the event's number, from 0, in its last four bytes: none comes twice, and each says its place in the stream. */
export function numberedNonce(first: Uint8Array, number: number): Uint8Array {
  const nonce = Uint8Array.from(first);
  new DataView(nonce.buffer).setUint32(nonceBytes - numberBytes, number);
  return nonce;
}

/** Whether the nonce is that of the event with this number, in the stream that began with `first`. */
export const isNumbered = (
  nonce: Uint8Array,
  { first, number }: { readonly first: Uint8Array; readonly number: number },
): boolean => equalBytes(nonce, numberedNonce(first, number));

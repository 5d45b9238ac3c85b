/**
 * Notices nonces that come again under one key: two ciphertexts under one nonce give away the XOR of their plaintexts, and
 * let anyone forge more. It needs no key, so whoever relays a stream can watch it too.
 */
import { toBase64 } from './base64.ts';

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

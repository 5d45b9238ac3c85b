/** AES-256-GCM under the key of one exchange, which serves both directions and is overwritten when the exchange ends. */
import { gcm } from '@noble/ciphers/aes.js';

export const nonceBytes = 12;
export const tagBytes = 16;

export type ExchangeCipher = {
  /** Taken already: no answer may use it again. */
  readonly requestNonce: Uint8Array;
  /** The ciphertext with its tag at the end. */
  seal(options: { readonly nonce: Uint8Array; readonly plaintext: Uint8Array }): Uint8Array;
  /** The plaintext; nothing where the tag does not fit. */
  open(options: {
    readonly nonce: Uint8Array;
    readonly ciphertext: Uint8Array;
  }): Uint8Array | undefined;
  /** Overwrites the key: whatever is sealed or opened afterwards throws. */
  erase(): void;
};

/** Takes the key over. */
export function createExchangeCipher(
  key: Uint8Array,
  options: { readonly requestNonce: Uint8Array },
): ExchangeCipher {
  let isErased = false;
  function keyInUse(): Uint8Array {
    // An overwritten key is a key that everybody knows.
    if (isErased) throw new Error('the key of this exchange is erased');
    return key;
  }
  return {
    requestNonce: options.requestNonce,
    seal: ({ nonce, plaintext }) => gcm(keyInUse(), nonce).encrypt(plaintext),
    open({ nonce, ciphertext }) {
      const cipher = gcm(keyInUse(), nonce);
      if (ciphertext.length < tagBytes) return undefined;
      try {
        return cipher.decrypt(ciphertext);
      } catch {
        // Lengths are checked: what remains is a tag that does not fit.
        return undefined;
      }
    },
    erase() {
      isErased = true;
      key.fill(0);
    },
  };
}

/** The end of a sealed answer that is too large to be held: its hash and signature stand behind the ciphertext. */
import { signerOf } from '../chain/request-signature.ts';

/** Holds a hash, a signature and a usage object. */
const tailBytesMax = 4096;
const pattern =
  /"response_hash":"([A-Za-z0-9+/]{43}=)","signature":"([A-Za-z0-9+/=]{1,200})"(?:,"usage":[^"\\]*(?:"[\w-]+"[^"\\]*)*)?\}\s*$/;

export function createSealedTail() {
  let tail = Buffer.alloc(0);
  return {
    push(piece: Uint8Array): void {
      tail = Buffer.concat([tail, piece]).subarray(-tailBytesMax);
    },
    /** Whose signature over the named hash it is; nothing where there is no valid one. */
    signer(): string | undefined {
      const [, hash = '', signature = ''] = pattern.exec(tail.toString('latin1')) ?? [];
      return hash === '' ? undefined : signerOf(Buffer.from(hash, 'base64'), signature);
    },
  };
}

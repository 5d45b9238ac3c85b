/**
 * Signatures of a stream's events, checked by the platform where it can: an order of magnitude faster than in JavaScript,
 * but not at once. What was opened meanwhile is worth nothing before `isProven` says so.
 */
import {
  createSignerOf,
  type SignatureCheck,
  type SignerOf,
  verifyEd25519,
} from '../../chain/signer.ts';

type NativeKey = Awaited<ReturnType<typeof crypto.subtle.importKey>>;

export type DeferredSigner = {
  /** Takes an Ed25519 signature for valid, until it is proven. */
  readonly signerOf: SignerOf;
  /** Whether the last one is. */
  isProven(): Promise<boolean>;
};

/** For one stream, whose events come one after the other. */
export function createDeferredSigner(): DeferredSigner {
  let taken: SignatureCheck | undefined;
  let known: { readonly publicKey: string; readonly key: NativeKey } | undefined;

  async function keyOf(publicKey: Uint8Array): Promise<NativeKey> {
    if (known?.publicKey === publicKey.join()) return known.key;
    const raw = new Uint8Array(publicKey);
    const key = await crypto.subtle.importKey('raw', raw, 'Ed25519', false, ['verify']);
    known = { publicKey: publicKey.join(), key };
    return key;
  }

  return {
    signerOf: createSignerOf((check) => {
      taken = check;
      return true;
    }),
    async isProven() {
      const check = taken;
      taken = undefined;
      // Signatures of other schemes are checked at once.
      if (!check) return true;
      try {
        const key = await keyOf(check.publicKey);
        const [signature, hash] = [new Uint8Array(check.signature), new Uint8Array(check.hash)];
        return await crypto.subtle.verify('Ed25519', key, signature, hash);
      } catch {
        // A page without TLS, an old browser, or no point on the curve.
        return isValid(check);
      }
    },
  };
}

function isValid(check: SignatureCheck): boolean {
  try {
    return verifyEd25519(check);
  } catch {
    return false;
  }
}

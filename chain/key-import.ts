/** Reads a key as the Sui tools keep it or as wallets export it. */
import { decodeSuiPrivateKey } from '@mysten/sui/cryptography';
import { whyNoKey } from './key-file.ts';
import { keyOfSeed, parseKeystoreEntry, type SigningKey } from './keystore.ts';

export type ImportedKey =
  | { readonly kind: 'key'; readonly key: SigningKey }
  | { readonly kind: 'refused'; readonly reason: string };

/** Reads a keystore entry or `suiprivkey1…`; the reason of a refusal holds nothing of the text. */
export function importKey(text: string): ImportedKey {
  const trimmed = text.trim();
  if (trimmed.startsWith('suiprivkey1')) return importExport(trimmed);
  const key = parseKeystoreEntry(trimmed);
  return key ? { kind: 'key', key } : { kind: 'refused', reason: whyNoKey(trimmed) };
}

function importExport(text: string): ImportedKey {
  const decoded = decode(text);
  if (decoded?.secretKey.length !== 32) {
    return { kind: 'refused', reason: 'holds a mistyped or cut suiprivkey1… key' };
  }
  const { scheme, secretKey } = decoded;
  const result: ImportedKey =
    scheme === 'ED25519'
      ? { kind: 'key', key: keyOfSeed(secretKey) }
      : { kind: 'refused', reason: `holds a ${scheme} key, where an Ed25519 key is needed` };
  secretKey.fill(0);
  return result;
}

/** Nothing where the text is no such key: the decoder's own message quotes it. */
function decode(text: string): ReturnType<typeof decodeSuiPrivateKey> | undefined {
  try {
    return decodeSuiPrivateKey(text);
  } catch {
    return undefined;
  }
}

/** A signing key in a file: one entry of a Sui keystore as it stands, or encrypted under a passphrase. */
import { readPrivateFile } from '../runtime/private-file.ts';
import { type KeyContainer, openKey, parseKeyContainer } from './key-container.ts';
import { parseKeystoreEntry, type SigningKey } from './keystore.ts';

/**
 * The key of the file. The passphrase opens an encrypted one, and is not looked at for others.
 * @throws with a sentence that names the file and what is wrong with it, and holds nothing of a key.
 */
export async function readKeyFile(
  path: string,
  options: { readonly passphrase?: string | undefined } = {},
): Promise<SigningKey> {
  const content = await readContent(path);
  if (content.kind === 'plain') return content.key;
  if (options.passphrase === undefined) {
    throw new Error(`${path} is encrypted. Set ATOMA_KEY_PASSPHRASE_FILE or ATOMA_KEY_PASSPHRASE.`);
  }
  const key = await openKey(content.container, options.passphrase);
  if (key) return key;
  throw new Error(`${path} does not open: the passphrase is wrong, or the file is damaged.`);
}

/** Whose key the file says it holds, without the passphrase. @throws as `readKeyFile` does. */
export async function describeKeyFile(
  path: string,
): Promise<{ readonly address: string; readonly isEncrypted: boolean }> {
  const content = await readContent(path);
  const isEncrypted = content.kind === 'encrypted';
  return { address: isEncrypted ? content.container.address : content.key.address, isEncrypted };
}

type Content =
  | { readonly kind: 'plain'; readonly key: SigningKey }
  | { readonly kind: 'encrypted'; readonly container: KeyContainer };

async function readContent(path: string): Promise<Content> {
  const bytes = await readPrivateFile(path);
  const text = bytes.toString('utf8').trim();
  bytes.fill(0);
  if (text.startsWith('{')) {
    const parsed = parseKeyContainer(text);
    if (parsed.kind === 'refused') throw new Error(`${path} ${parsed.reason}.`);
    return { kind: 'encrypted', container: parsed.container };
  }
  const key = parseKeystoreEntry(text);
  if (!key) throw new Error(`${path} ${whyNoKey(text)}.`);
  return { kind: 'plain', key };
}

const otherSchemes = new Map([
  [1, 'Secp256k1'],
  [2, 'Secp256r1'],
]);

/** What a text is that is no Ed25519 entry of a keystore; nothing of it is repeated. */
export function whyNoKey(text: string): string {
  if (text.startsWith('[')) return 'holds a whole keystore, where one entry of it is expected';
  if (text.startsWith('suiprivkey1')) {
    return 'holds a key as wallets export it; "admin keyfile import" makes a key file of it';
  }
  const bytes = Buffer.from(text, 'base64');
  const scheme = bytes.length === 33 ? otherSchemes.get(bytes[0] ?? -1) : undefined;
  bytes.fill(0);
  if (scheme !== undefined) return `holds a ${scheme} key, where an Ed25519 key is needed`;
  return 'holds no key: expected base64 of a flag byte and 32 bytes, as in a Sui keystore';
}

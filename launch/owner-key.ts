/** The stack-owner key of this instance: made at the first start, kept in the data folder, readable by its owner only. */
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseKeystoreEntry, toKeystoreEntry } from '../chain/keystore.ts';

/** The file of the key, and the Sui address that it stands for. */
export async function ensureOwnerKey(dataDir: string): Promise<{ file: string; address: string }> {
  const file = join(dataDir, 'stack-owner.key');
  const entry = await readFile(file, 'utf8').catch(async () => {
    const fresh = toKeystoreEntry(randomBytes(32));
    await writeFile(file, `${fresh}\n`, { mode: 0o600, flag: 'wx' });
    return fresh;
  });
  const key = parseKeystoreEntry(entry);
  if (!key) throw new Error(`${file} holds no Ed25519 key in the form of a Sui keystore.`);
  return { file, address: key.address };
}

/** The keys of this instance: made at the first start, kept in the data folder, readable by their owner only. */
import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { describeKeyFile } from '../chain/key-file.ts';
import { toKeystoreEntry } from '../chain/keystore.ts';
import { writePrivateFile } from '../runtime/private-file.ts';

/** The stack owner's. */
export const ensureOwnerKey = (dataDir: string) => ensureKeyFile(dataDir, 'stack-owner');

/** The one that signs receipts. */
export const ensureReceiptKey = (dataDir: string) => ensureKeyFile(dataDir, 'receipt');

/** The file of the key, which the operator may have encrypted, and the Sui address that it stands for. */
async function ensureKeyFile(
  dataDir: string,
  name: string,
): Promise<{ file: string; address: string }> {
  const file = join(dataDir, `${name}.key`);
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (!isThere) await writePrivateFile(file, `${toKeystoreEntry(randomBytes(32))}\n`);
  const { address } = await describeKeyFile(file);
  return { file, address };
}

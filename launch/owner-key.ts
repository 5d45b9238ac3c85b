/** The stack-owner key of this instance: made at the first start, kept in the data folder, readable by its owner only. */
import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { describeKeyFile } from '../chain/key-file.ts';
import { toKeystoreEntry } from '../chain/keystore.ts';
import { writePrivateFile } from '../runtime/private-file.ts';

/** The file of the key, which the operator may have encrypted, and the Sui address that it stands for. */
export async function ensureOwnerKey(dataDir: string): Promise<{ file: string; address: string }> {
  const file = join(dataDir, 'stack-owner.key');
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (!isThere) await writePrivateFile(file, `${toKeystoreEntry(randomBytes(32))}\n`);
  const { address } = await describeKeyFile(file);
  return { file, address };
}

/** The keys of this instance: each made at the first start, kept in the data folder, readable by its owner only. */
import { randomBytes } from 'node:crypto';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { describeKeyFile } from '../chain/key-file.ts';
import { toKeystoreEntry } from '../chain/keystore.ts';
import { type SuiAddress, suiAddress } from '../domain/chain-ids.ts';
import { writePrivateFile } from '../runtime/private-file.ts';

export type KeyFile = { readonly file: string; readonly address: SuiAddress };

/** Who the gateway is on the chain. The stack owner owns prepaid stacks and no money, the treasury owns the money. */
export const keyNames = {
  stackOwner: 'stack-owner',
  treasury: 'treasury',
  /** Signs receipts, and is nobody on the chain. */
  receipt: 'receipt',
} as const;

/** The file `<name>.key`, and the Sui address that its key stands for. */
export async function ensureKeyFile(dataDir: string, name: string): Promise<KeyFile> {
  const file = join(dataDir, `${name}.key`);
  const isThere = await access(file).then(
    () => true,
    () => false,
  );
  if (!isThere) await writePrivateFile(file, `${toKeystoreEntry(randomBytes(32))}\n`);
  const { address } = await describeKeyFile(file);
  return { file, address: suiAddress(address) };
}

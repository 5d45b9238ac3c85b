/** The passphrase that opens the encrypted key files of a process: from a file or the environment, never an argument. */
import { z } from 'zod';
import { readPrivateFile } from './private-file.ts';

/** Settings of every process that reads key files; `readKeyPassphrase` takes them. */
export const keyPassphraseSettings = {
  ATOMA_KEY_PASSPHRASE: z.string().optional(),
  /** A file that holds the passphrase, with or without a line end. */
  ATOMA_KEY_PASSPHRASE_FILE: z.string().optional(),
} as const;

export type KeyPassphraseSettings = {
  readonly ATOMA_KEY_PASSPHRASE?: string | undefined;
  readonly ATOMA_KEY_PASSPHRASE_FILE?: string | undefined;
};

/** Nothing where neither is set. @throws where both are, or the file is missing, empty or open to others. */
export async function readKeyPassphrase(
  settings: KeyPassphraseSettings,
): Promise<string | undefined> {
  const { ATOMA_KEY_PASSPHRASE: text, ATOMA_KEY_PASSPHRASE_FILE: file } = settings;
  if (file === undefined) return text;
  if (text !== undefined) {
    throw new Error('Set ATOMA_KEY_PASSPHRASE or ATOMA_KEY_PASSPHRASE_FILE, not both.');
  }
  return readPassphraseFile(file);
}

/** The first and only line of the file. */
export async function readPassphraseFile(file: string): Promise<string> {
  const bytes = await readPrivateFile(file);
  const text = bytes.toString('utf8').replace(/\r?\n$/, '');
  bytes.fill(0);
  if (text === '') throw new Error(`${file} is empty; it should hold the passphrase.`);
  return text;
}

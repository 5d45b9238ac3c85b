/** The official Python SDK at a pinned version, in a folder of its own, shared by test runs. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const sdk = 'openai==3.54.0';

/** The folder to put on PYTHONPATH; installed with pip at the first call. */
export async function resolvePythonSdk(
  env: Readonly<Record<string, string | undefined>>,
): Promise<string> {
  const cache = join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'atoma-proxy');
  const target = join(cache, `python-${sdk.replace('==', '-')}`);
  if (existsSync(target)) return target;

  await mkdir(cache, { recursive: true });
  const partial = await mkdtemp(`${target}.partial-`);
  await run('python3', ['-m', 'pip', 'install', '--quiet', '--target', partial, sdk]);
  try {
    await rename(partial, target);
  } catch {
    // Another run was faster; its copy is the same.
    await rm(partial, { recursive: true, force: true });
  }
  return target;
}

/** The k6 program: `K6_BIN`, else k6 on PATH, else its Go module built once into the cache folder of this product. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  assertExecutable,
  cacheDirOf,
  type Env,
  findOnPath,
  type ToolOptions,
} from '../launch/tools/path.ts';

const version = '1.8.1';

/** The path of k6. @throws with what to install where there is neither k6 nor Go. */
export async function resolveK6({ env, progress }: ToolOptions): Promise<string> {
  if (env.K6_BIN) return assertExecutable(env.K6_BIN, 'K6_BIN');
  const onPath = await findOnPath('k6', env);
  if (onPath !== undefined) return onPath;

  const built = join(cacheDirOf(env), `k6-${version}`, 'k6');
  if (existsSync(built)) return built;
  const go = await findOnPath('go', env);
  if (go === undefined) {
    throw new Error(
      'There is no k6, and no Go to build it: install k6 or Go 1.25 or later, or set K6_BIN.',
    );
  }
  progress(`building k6 ${version} with ${go} (once, some three minutes)`);
  await build({ go, env, target: built });
  progress(`k6 is ready: ${built}`);
  return built;
}

/** Builds beside the target and moves the finished file into place, so that two at once do not disturb each other. */
async function build({ go, env, target }: { go: string; env: Env; target: string }): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const workDir = await mkdtemp(`${dirname(target)}-partial-`);
  try {
    await runGo(go, { ...env, GOBIN: workDir, CGO_ENABLED: '0' });
    await rename(join(workDir, 'k6'), target);
  } finally {
    await rm(workDir, { recursive: true, force: true });
  }
}

function runGo(go: string, env: Env): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(go, ['install', `go.k6.io/k6@v${version}`], {
      env: { ...env },
      // What Go says is progress; standard output is for results.
      stdio: ['ignore', 2, 2],
    });
    child.once('error', reject);
    child.once('exit', (code) => {
      if (code === 0) resolve();
      else reject(new Error(`Building k6 ended with code ${code}; Go says why above.`));
    });
  });
}

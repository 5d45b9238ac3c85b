/** The tree tests itself: import arrows, READMEs, banned words, exact versions, documented failures and metrics. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { answers } from '../domain/failure.ts';

const root = join(import.meta.dirname, '..');
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => file !== '' && existsSync(join(root, file)));
const sources = files.filter((file) => file.endsWith('.ts'));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

const pureFolders = ['domain'];
const libraries = [
  'confidential',
  'attestation',
  'receipts',
  'storage',
  'chain',
  'runtime',
  'proto',
];
const services = ['ext-authz', 'ext-proc', 'control-plane', 'accounts'];
const tools = ['envoy', 'devnet', 'launch', 'admin'];
const users = ['test', 'load', 'examples'];

/** The top folders that a file in `folder` may import from. */
function importableFrom(folder: string): readonly string[] {
  if (pureFolders.includes(folder)) return ['domain'];
  if (libraries.includes(folder)) return ['domain', ...libraries];
  if (services.includes(folder)) return ['domain', ...libraries, folder];
  if (tools.includes(folder)) return ['domain', ...libraries, ...tools];
  return ['domain', ...libraries, ...services, ...tools, ...users];
}

function relativeImports(file: string): string[] {
  return [...read(file).matchAll(/\bfrom '(\.[^']+)'|\bimport\('(\.[^']+)'\)/g)].map((match) =>
    normalize(join(dirname(file), match[1] ?? match[2] ?? '')),
  );
}

const topFolder = (file: string) => file.split('/')[0] ?? '';

describe('the tree', () => {
  it('has sources for these tests to look at', () => {
    expect(sources.length).toBeGreaterThan(20);
  });

  it('imports in one direction only', () => {
    const wrong = sources
      .filter((file) => file.includes('/') && !file.endsWith('.test.ts'))
      .flatMap((file) =>
        relativeImports(file)
          .filter((target) => !importableFrom(topFolder(file)).includes(topFolder(target)))
          .map((target) => `${file} imports ${target}`),
      );
    expect(wrong).toEqual([]);
  });

  it('imports generated code only where the wire is faced', () => {
    const faces =
      /(^|\/)(server|wire|grpc-server)\.ts$|\/(translate|ads)\/|\.test\.ts$|^test\/|^load\//;
    const wrong = sources
      .filter((file) => relativeImports(file).some((target) => target.startsWith('proto/gen/')))
      .filter((file) => !faces.test(file));
    expect(wrong).toEqual([]);
  });

  it('has a README in each top folder', () => {
    const folders = new Set(files.filter((file) => file.includes('/')).map(topFolder));
    const without = [...folders].filter(
      (folder) => !folder.startsWith('.') && !existsSync(join(root, folder, 'README.md')),
    );
    expect(without).toEqual([]);
  });

  it('speaks of the present', () => {
    const banned = /\b(TODO|FIXME|XXX|HACK|no longer|used to be|for now|temporarily disabled)\b/;
    const wrong = files
      .filter((file) => /\.(ts|md|lua|yaml|yml|mjs)$/.test(file) && file !== 'test/tidy.test.ts')
      .filter((file) => banned.test(read(file)));
    expect(wrong).toEqual([]);
  });

  it('names no machine path and no package host', () => {
    const banned =
      /\/work\/|\/tmp\/tools|\/tmp\/bash_jobs|registry\.npmjs\.org|pypi\.org|files\.pythonhosted|proxy\.golang\.org/;
    const wrong = files
      .filter((file) => !/\.(binpb|png|ico)$/.test(file) && file !== 'test/tidy.test.ts')
      .filter((file) => banned.test(read(file)));
    expect(wrong).toEqual([]);
  });

  it('opens each source with a comment that says what it is', () => {
    const without = sources
      .filter((file) => !file.endsWith('.test.ts') && !file.endsWith('.config.ts'))
      .filter((file) => !/^(#!.*\n)?\/(\*\*|\/)/.test(read(file)));
    expect(without).toEqual([]);
  });

  it('skips and focuses no test', () => {
    const wrong = sources.filter(
      (file) =>
        file !== 'test/tidy.test.ts' && /\b(it|test|describe)\.(skip|only|todo)\(/.test(read(file)),
    );
    expect(wrong).toEqual([]);
  });
});

describe('the package', () => {
  const versions = z.record(z.string(), z.string());
  const manifest = z
    .object({ dependencies: versions, devDependencies: versions })
    .parse(JSON.parse(read('package.json')));

  it('pins every dependency to an exact version', () => {
    const all = { ...manifest.dependencies, ...manifest.devDependencies };
    const loose = Object.entries(all).filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version));
    expect(loose).toEqual([]);
  });

  it('gives a reason for every dependency', () => {
    const documented = read('DEPENDENCIES.md');
    const all = Object.keys({ ...manifest.dependencies, ...manifest.devDependencies });
    expect(all.filter((name) => !documented.includes(`\`${name}\``))).toEqual([]);
  });

  it('runs on Node 24 or later', () => {
    expect(Number(process.versions.node.split('.')[0])).toBeGreaterThanOrEqual(24);
  });
});

describe('the documentation', () => {
  it('shows every failure with its status and code', () => {
    const readme = read('README.md');
    const missing = Object.entries(answers)
      .map(
        ([kind, { status, type, code }]) =>
          `| \`${kind}\` | ${status} | ${type} | ${code ?? 'null'} |`,
      )
      .filter((row) => !readme.includes(row));
    expect(missing).toEqual([]);
  });

  it('explains every metric', () => {
    const readme = read('runtime/README.md');
    const names = [...read('runtime/metrics.ts').matchAll(/name: '([a-z_]+)'/g)].map(
      (match) => match[1] ?? '',
    );
    expect(names.length).toBeGreaterThan(5);
    expect(names.filter((name) => !readme.includes(`\`${name}\``))).toEqual([]);
  });
});

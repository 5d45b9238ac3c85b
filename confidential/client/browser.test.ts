/** The client takes nothing from Node: what it imports, and that it runs as one script where only the web's globals are, and in Chromium where there is one. */
import { execFile, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { chatModel, nodeSmallId, type Relay, startRelay } from '../../test/sealing/relay.ts';
import { testEnv } from '../../test/tools.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const entry = join(import.meta.dirname, 'sealed-fetch.ts');

let folder: string;
let bundle: string;
let relay: Relay;
beforeAll(async () => {
  relay = await startRelay();
  folder = await mkdtemp(join(tmpdir(), 'atoma-client-'));
  bundle = join(folder, 'sealing.js');
  await run(process.execPath, [
    bundlerOf(),
    entry,
    ...['--platform', 'browser', '--format', 'iife', '--name', 'sealing', '--file', bundle],
  ]);
});
afterAll(async () => {
  await relay?.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

/** The one that the test runner brings along. */
function bundlerOf(): string {
  const vitest = createRequire(import.meta.url).resolve('vitest/package.json');
  const vite = createRequire(vitest).resolve('vite/package.json');
  const rolldown = createRequire(vite).resolve('rolldown/package.json');
  return join(dirname(rolldown), 'bin/cli.mjs');
}

async function importsOf(file: string, seen = new Map<string, string[]>()) {
  if (seen.has(file)) return seen;
  const text = await readFile(file, 'utf8');
  const found = [...text.matchAll(/^(?:import|export)(?! type)[^;]*? from '([^']+)'/gms)];
  const names = found.map(([, name = '']) => name);
  seen.set(file, names);
  for (const name of names.filter((one) => one.startsWith('.'))) {
    await importsOf(join(dirname(file), name), seen);
  }
  return seen;
}

it('imports nothing of Node, and few packages', async () => {
  const graph = await importsOf(entry);
  expect([...graph.keys()].map((file) => relative(root, file))).toContain('chain/signer.ts');
  const packages = [...graph.values()].flat().filter((name) => !name.startsWith('.'));
  expect(
    packages.filter((name) => !/^(@noble\/(ciphers|curves|hashes)\/|zod$)/.test(name)),
  ).toEqual([]);
});

const nodeGlobals = ['process', 'Buffer', 'global', 'setImmediate', 'clearImmediate', 'require'];

/** Asks twice, with `sealedFetch` at hand: with the node's key pinned, and with none. */
const asking = () => `
  const ask = async (trust) => {
    const call = sealedFetch({ trust, streams: 'live' });
    const response = await call('${relay.baseUrl}/chat/completions', {
      method: 'POST',
      body: JSON.stringify({
        model: '${chatModel}', stream: true, messages: [{ role: 'user', content: 'hi' }],
      }),
    });
    return await response.text();
  };
  const keys = { ${nodeSmallId}: { publicKey: '${relay.node.sealingKey()}' } };
  const text = await ask({ kind: 'keys', keys });
  const error = await ask({ kind: 'keys', keys: {} }).catch((one) => one);
  const result = JSON.stringify({ text, unproven: error.unproven });`;

const expected = {
  text: expect.stringMatching(/^data: \{.*data: \[DONE\]\n\n$/s),
  unproven: 'key',
};

it('runs as one script where Node’s globals are away', async () => {
  const script = await readFile(bundle, 'utf8');
  expect(script).not.toMatch(/["']node:/);
  const page = join(folder, 'page.mjs');
  await writeFile(
    page,
    `import { readFileSync } from 'node:fs';
    const script = readFileSync(${JSON.stringify(bundle)}, 'utf8') + '; return sealing';
    const { sealedFetch } = new Function(...${JSON.stringify(nodeGlobals)}, script)();
    ${asking()}
    process.stdout.write(result);`,
  );
  const { stdout } = await run(process.execPath, [page]);
  expect(JSON.parse(stdout)).toEqual(expected);
});

const chromium = (testEnv.PATH ?? '')
  .split(delimiter)
  .map((path) => join(path, 'chromium'))
  .find((path) => existsSync(path));

it.runIf(chromium !== undefined)('runs in Chromium', async () => {
  const script = await readFile(bundle, 'utf8');
  const page = `<!doctype html><title>sealing</title><script>${script}</script>
    <script type="module">const { sealedFetch } = sealing; ${asking()}
    await fetch('/shown', { method: 'POST', body: result });</script>`;
  const shown = new Promise<string>((resolve) => relay.setMiddleman({ page, shown: resolve }));
  const browser = spawn(
    chromium ?? '',
    [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-sync'],
      ...['--disable-background-networking', '--disable-component-update'],
      ...[`--user-data-dir=${join(folder, 'profile')}`, relay.baseUrl.replace(/v1$/, 'page')],
    ],
    { stdio: 'ignore' },
  );
  const ended = new Promise((resolve) => browser.on('exit', resolve));
  expect(JSON.parse(await shown)).toEqual(expected);
  browser.kill();
  await ended;
});

import { execFile, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { chatModel, nodeSmallId, type Relay, startRelay } from '../../test/sealing/relay.ts';

const root = join(import.meta.dirname, '../..');
const run = promisify(execFile);
let relay: Relay;
let folder: string;
let bin: string;

// As npm lays it out: Node strips no types of what lies in node_modules.
beforeAll(async () => {
  relay = await startRelay();
  folder = await mkdtemp(join(tmpdir(), 'atoma-seal-'));
  const installed = join(folder, 'node_modules', 'atoma-proxy');
  await mkdir(installed, { recursive: true });
  for (const part of ['confidential', 'chain', 'domain', 'runtime', 'package.json']) {
    await cp(join(root, part), join(installed, part), { recursive: true });
  }
  await symlink(join(root, 'node_modules'), join(installed, 'node_modules'));
  bin = join(installed, 'confidential/proxy/bin.mjs');
});
afterAll(async () => {
  await relay?.close();
  await rm(folder, { recursive: true, force: true });
});

it('tells what it can be told', async () => {
  const { stdout } = await run(process.execPath, [bin, '--help']);
  expect(stdout).toContain('ATOMA_SEALING_TRUST');
  await expect(run(process.execPath, [bin, '--what'])).rejects.toMatchObject({ code: 2 });
});

it.each([
  [{}, /ATOMA_BASE_URL.*\n.*ATOMA_SEALING_TRUST/],
  [{ ATOMA_BASE_URL: 'http://g/v1', ATOMA_SEALING_TRUST: 'chain' }, /ATOMA_SUI_FULL_NODE.*needed/],
  [
    {
      ATOMA_BASE_URL: 'http://g/v1',
      ATOMA_SEALING_TRUST: 'lock',
      ATOMA_SEALING_LISTEN: '0.0.0.0:1',
    },
    /this machine alone/,
  ],
])('does not start with %o', async (env, problem) => {
  const started = run(process.execPath, [bin], { env });
  await expect(started).rejects.toMatchObject({ code: 2, stderr: expect.stringMatching(problem) });
});

const line = z.object({ msg: z.string(), url: z.string().optional() });

it('serves where it is installed, and ends at SIGTERM', async () => {
  const keys = join(folder, 'keys.json');
  const publicKey = relay.node.sealingKey();
  await writeFile(
    keys,
    JSON.stringify({ [nodeSmallId]: { publicKey, signerAddress: relay.node.signerAddress } }),
  );
  const proxy = spawn(process.execPath, [bin], {
    env: {
      ATOMA_BASE_URL: relay.baseUrl,
      ATOMA_SEALING_TRUST: 'keys',
      ATOMA_SEALING_KEYS_FILE: keys,
      ATOMA_SEALING_LISTEN: '127.0.0.1:0',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise((resolve) => proxy.on('exit', resolve));
  let text = '';
  for await (const piece of proxy.stderr) {
    text += String(piece);
    if (text.includes('"ready"')) break;
  }
  const ready = text.split('\n').find((one) => one.includes('"ready"')) ?? '{}';
  const { url = '' } = line.parse(JSON.parse(ready));
  const client = new OpenAI({ baseURL: url, apiKey: 'sk-test', maxRetries: 0 });
  const messages = [{ role: 'user' as const, content: 'hello' }];
  const answer = await client.chat.completions.create({ model: chatModel, messages });
  expect(answer.choices[0]?.message.content).toBeTruthy();
  proxy.kill('SIGTERM');
  expect(await ended).toBe(0);
});

it('the client can be imported where it is installed', async () => {
  const script = `
    const { sealedFetch, UnprovenError } = await import('atoma-proxy/sealed-fetch');
    const { connectChainView } = await import('atoma-proxy/chain-view');
    const call = sealedFetch({ trust: { kind: 'keys', keys: {} }, baseUrl: '${relay.baseUrl}' });
    const body = JSON.stringify({ model: '${chatModel}', messages: [{ role: 'user', content: 'hi' }] });
    const error = await call('http://x/v1/chat/completions', { method: 'POST', body }).catch((one) => one);
    console.log(typeof connectChainView, error instanceof UnprovenError, error.unproven);`;
  const started = run(process.execPath, ['--input-type=module', '-e', script], { cwd: folder });
  expect((await started).stdout.trim()).toBe('function true key');
});

/** The process reads its key before it serves: encrypted with the passphrase, and never where others can read it. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scryptCosts, sealKey } from '../chain/key-container.ts';
import { keyOfSeed } from '../chain/keystore.ts';

const passphrase = 'correct horse battery staple';
let folder: string;
let keyFile: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoma-signing-'));
  keyFile = join(folder, 'stack-owner.key');
  const key = keyOfSeed(randomBytes(32));
  const text = await sealKey(key, { passphrase, cost: scryptCosts.min });
  await writeFile(keyFile, text, { mode: 0o600 });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** Runs the process until it has ended, which it is told to do as soon as it is ready. */
function run(env: Record<string, string>) {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'main.ts')], {
    env: {
      REDIS_URL: 'redis://127.0.0.1:1',
      ATOMA_EXT_AUTHZ_LISTEN: '127.0.0.1:0',
      ATOMA_EXT_AUTHZ_METRICS_LISTEN: '127.0.0.1:0',
      ATOMA_STACK_OWNER_KEY_FILE: keyFile,
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let text = '';
  let isReady = false;
  child.stderr.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    if (isReady || !text.includes('"ready"')) return;
    isReady = true;
    child.kill('SIGTERM');
  });
  return new Promise<{ isReady: boolean; text: string }>((resolve) => {
    child.on('close', () => resolve({ isReady, text }));
  });
}

describe('an encrypted stack-owner key', () => {
  it('is opened by the passphrase', async () => {
    const { isReady, text } = await run({ ATOMA_KEY_PASSPHRASE: passphrase });
    expect(isReady).toBe(true);
    expect(text).not.toContain(passphrase);
  });

  it.each([
    ['without a passphrase', {}, 'is encrypted'],
    ['with another passphrase', { ATOMA_KEY_PASSPHRASE: 'another' }, 'does not open'],
  ])('stops the start %s', async (_what, env, message) => {
    const { isReady, text } = await run(env);
    expect(isReady).toBe(false);
    expect(text).toContain(`${keyFile} ${message}`);
  });

  it('stops the start where others can read its file', async () => {
    await chmod(keyFile, 0o640);
    const { isReady, text } = await run({ ATOMA_KEY_PASSPHRASE: passphrase });
    expect(isReady).toBe(false);
    expect(text).toContain(`chmod 600 ${keyFile}`);
  });
});

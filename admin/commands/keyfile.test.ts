/** The command as an operator runs it: a process of its own, without Redis and without a gateway. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decodeSuiPrivateKey } from '@mysten/sui/cryptography';
import { Ed25519Keypair } from '@mysten/sui/keypairs/ed25519';
import { Secp256k1Keypair } from '@mysten/sui/keypairs/secp256k1';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readKeyFile } from '../../chain/key-file.ts';
import { seedOf, toKeystoreEntry } from '../../chain/keystore.ts';

const main = join(import.meta.dirname, '../main.ts');
const passphrase = 'correct horse battery staple';
const wallet = Ed25519Keypair.generate();
const exported = wallet.getSecretKey();
const entry = toKeystoreEntry(decodeSuiPrivateKey(exported).secretKey);

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoma-keyfile-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function newPath(): string {
  count += 1;
  return join(folder, `file-${count}`);
}

async function fileOf(content: string): Promise<string> {
  const path = newPath();
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

type Given = { readonly env?: Record<string, string>; readonly input?: string };

async function keyfile(args: readonly string[], { env = {}, input = '' }: Given = {}) {
  const run = await new Promise<{ code: number; stdout: string; stderr: string }>((resolve) => {
    const options = { cwd: folder, env: { REDIS_URL: 'redis://127.0.0.1:1', ...env } };
    const command = [main, 'keyfile', ...args];
    const child = execFile(process.execPath, command, options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? -1) : 0, stdout, stderr }),
    );
    child.stdin?.end(input);
  });
  for (const secret of [exported, entry, passphrase]) {
    expect(`${run.stdout} ${run.stderr}`).not.toContain(secret.slice(0, 20));
  }
  return run;
}

const inEnvironment = { env: { ATOMA_KEY_PASSPHRASE: passphrase } };

async function json(args: readonly string[], given: Given = {}): Promise<unknown> {
  const run = await keyfile([...args, '--json'], given);
  expect(run).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(run.stdout);
}

describe('keyfile create', () => {
  it('makes an encrypted key, which it shows without the passphrase', async () => {
    const out = newPath();
    const made = await json(['create', '--out', out], inEnvironment);
    const { address } = await readKeyFile(out, { passphrase });
    expect(made).toEqual({ file: out, address, encrypted: true });
    expect((await stat(out)).mode & 0o777).toBe(0o600);
    expect(await json(['show', out])).toEqual(made);
    expect((await keyfile(['show', out])).stdout).toMatch(`${address} │ yes`);
  });

  it('makes a plain key only where it is told to', async () => {
    const out = newPath();
    expect(await keyfile(['create', '--out', out])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Set ATOMA_KEY_PASSPHRASE_FILE'),
    });
    await expect(stat(out)).rejects.toThrow('ENOENT');
    expect(await json(['create', '--out', out, '--plain'])).toMatchObject({ encrypted: false });
    const { address } = await readKeyFile(out);
    expect(await json(['show', out])).toEqual({ file: out, address, encrypted: false });
  });

  it('makes another key each time, and overwrites none', async () => {
    const [one, two] = [newPath(), newPath()];
    await json(['create', '--out', one, '--plain']);
    await json(['create', '--out', two, '--plain']);
    const before = readFileSync(one, 'utf8');
    expect(before).not.toBe(readFileSync(two, 'utf8'));
    const again = await keyfile(['create', '--out', one, '--plain']);
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('exists already') });
    expect(readFileSync(one, 'utf8')).toBe(before);
  });

  it('refuses a passphrase that would be guessed', async () => {
    const env = { ATOMA_KEY_PASSPHRASE: 'password123' };
    const run = await keyfile(['create', '--out', newPath()], { env });
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('12 characters') });
  });
});

describe('keyfile import', () => {
  it.each([
    ['a wallet’s export', exported],
    ['a keystore entry', `${entry}\n`],
  ])('takes %s from standard input or a file', async (_what, content) => {
    const told = { address: wallet.toSuiAddress(), encrypted: true };
    const [one, two] = [newPath(), newPath()];
    const given = { ...inEnvironment, input: content };
    expect(await json(['import', '--out', one], given)).toEqual({ file: one, ...told });
    const source = await fileOf(content);
    const second = await json(['import', source, '--out', two], inEnvironment);
    expect(second).toEqual({ file: two, ...told });
    const key = await readKeyFile(two, { passphrase });
    expect(toKeystoreEntry(seedOf(key))).toBe(entry);
  });

  it.each([
    ['another scheme', Secp256k1Keypair.generate().getSecretKey(), 'Ed25519 key is needed'],
    ['a mistyped export', `${exported.slice(0, -1)}b`, 'mistyped or cut'],
    ['a cut entry', entry.slice(4), 'holds no key'],
    ['nothing', '', 'holds no key'],
  ])('refuses %s', async (_what, input, message) => {
    const run = await keyfile(['import', '--out', newPath(), '--plain'], { input });
    expect(run).toMatchObject({ code: 1, stdout: '', stderr: expect.stringContaining(message) });
  });

  it('takes nothing from a file that others can read', async () => {
    const source = await fileOf(exported);
    await chmod(source, 0o644);
    const run = await keyfile(['import', source, '--out', newPath(), '--plain']);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('chmod 600') });
  });
});

describe('keyfile encrypt', () => {
  it('puts a plain key under a passphrase, and then under another', async () => {
    const [first, second] = [newPath(), newPath()];
    await json(['encrypt', await fileOf(entry), '--out', first], inEnvironment);
    expect((await readKeyFile(first, { passphrase })).address).toBe(wallet.toSuiAddress());

    const other = await fileOf('another passphrase, as long\n');
    const change = ['encrypt', first, '--out', second, '--new-passphrase-file', other];
    expect((await keyfile(change)).code).toBe(1);
    await json(change, inEnvironment);

    const env = { ATOMA_KEY_PASSPHRASE_FILE: other };
    const told = { file: second, address: wallet.toSuiAddress(), encrypted: true };
    expect(await json(['show', second, '--check'], { env })).toEqual(told);
    const wrong = await keyfile(['show', second, '--check'], inEnvironment);
    expect(wrong).toMatchObject({ code: 1, stderr: expect.stringContaining('does not open') });
  });
});

describe('keyfile decrypt', () => {
  it('gives the key back as the keystore entry that it was', async () => {
    const [sealed, plain] = [newPath(), newPath()];
    await json(['encrypt', await fileOf(entry), '--out', sealed], inEnvironment);
    const refused = await keyfile(['decrypt', sealed, '--out', plain]);
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is encrypted') });
    const told = await json(['decrypt', sealed, '--out', plain], inEnvironment);
    expect(told).toEqual({ file: plain, address: wallet.toSuiAddress(), encrypted: false });
    expect(readFileSync(plain, 'utf8')).toBe(`${entry}\n`);
    expect((await stat(plain)).mode & 0o777).toBe(0o600);
  });
});

import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openKey, parseKeyContainer, scryptCosts, sealKey } from './key-container.ts';
import { describeKeyFile, readKeyFile } from './key-file.ts';
import { keyOfSeed, type SigningKey, seedOf, toKeystoreEntry } from './keystore.ts';
import { signerOf, signHash } from './request-signature.ts';

const passphrase = 'correct horse battery staple';
const seed = randomBytes(32);
const entry = toKeystoreEntry(seed);
const key = keyOfSeed(seed);
let sealed: string;
let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoma-keys-'));
  sealed = await sealKey(key, { passphrase, cost: scryptCosts.min });
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileOf(content: string): Promise<string> {
  count += 1;
  const path = join(folder, `key-${count}`);
  await writeFile(path, content, { mode: 0o600 });
  return path;
}

async function open(text: string, given = passphrase): Promise<SigningKey | undefined> {
  const parsed = parseKeyContainer(text);
  return parsed.kind === 'container' ? openKey(parsed.container, given) : undefined;
}

/** Whether a text holds the key in any form in which it stands in files. */
function betrays(text: string): boolean {
  const forms = [entry, seed.toString('hex'), seed.toString('base64'), passphrase];
  return forms.some((form) => text.includes(form) || text.includes(form.slice(4, 20)));
}

async function messageOf(reading: Promise<unknown>): Promise<string> {
  const outcome = await reading.then(
    () => 'it was read',
    (cause: unknown) => cause,
  );
  if (!(outcome instanceof Error)) throw new Error(String(outcome));
  expect(betrays(`${outcome.stack} ${String(outcome.cause)}`)).toBe(false);
  return outcome.message;
}

describe('a key file', () => {
  it.each(['', '\n', '\r\n'])('holds one keystore entry, ended by %j', async (end) => {
    const file = await fileOf(`${entry}${end}`);
    expect((await readKeyFile(file)).address).toBe(key.address);
    expect((await readKeyFile(file, { passphrase })).address).toBe(key.address);
    expect(await describeKeyFile(file)).toEqual({ address: key.address, isEncrypted: false });
  });

  it('holds a key under a passphrase, and shows its address without', async () => {
    const file = await fileOf(await sealKey(key, { passphrase }));
    const read = await readKeyFile(file, { passphrase });
    const hash = randomBytes(32);
    expect(signerOf(hash, signHash(read, hash))).toBe(key.address);
    expect(await describeKeyFile(file)).toEqual({ address: key.address, isEncrypted: true });
  });

  it('says that it is encrypted, and does not tell a wrong passphrase from damage', async () => {
    const file = await fileOf(sealed);
    expect(await messageOf(readKeyFile(file))).toContain('Set ATOMA_KEY_PASSPHRASE_FILE');
    const damaged = await fileOf(sealed.replace(/("ciphertext": ")../, '$100'));
    const wrong = await messageOf(readKeyFile(file, { passphrase: 'another' }));
    const broken = await messageOf(readKeyFile(damaged, { passphrase }));
    expect(wrong.replace(file, '')).toBe(broken.replace(damaged, ''));
    expect(wrong).toContain('the passphrase is wrong, or the file is damaged');
  });

  it('is refused where others can read it, plain or encrypted', async () => {
    for (const content of [entry, sealed]) {
      const file = await fileOf(content);
      await chmod(file, 0o644);
      expect(await messageOf(readKeyFile(file, { passphrase }))).toContain(`chmod 600 ${file}`);
      expect(await messageOf(describeKeyFile(file))).toContain(`chmod 600 ${file}`);
    }
  });

  const ofScheme = (flag: number) => Buffer.concat([Buffer.of(flag), seed]).toString('base64');
  it.each([
    ['a Secp256k1 key', ofScheme(1), 'holds a Secp256k1 key, where an Ed25519 key is needed'],
    ['a Secp256r1 key', ofScheme(2), 'holds a Secp256r1 key'],
    ['an unknown scheme', ofScheme(9), 'holds no key'],
    ['a whole keystore', `["${entry}"]`, 'holds a whole keystore'],
    ['a wallet’s export', `suiprivkey1${entry}`, 'admin keyfile import'],
    ['a cut entry', entry.slice(0, -4), 'holds no key'],
    ['a broken container', `{"seed":"${seed.toString('hex')}"`, 'is no encrypted key file'],
    ['nothing', '', 'holds no key'],
  ])('is refused where it holds %s', async (_what, content, message) => {
    const file = await fileOf(content);
    expect(await messageOf(readKeyFile(file, { passphrase }))).toContain(message);
  });
});

describe('an encrypted key', () => {
  it('opens to the same key, for every key and passphrase', async () => {
    const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const passphrases = fc.string({ minLength: 1, unit: 'binary' });
    await fc.assert(
      fc.asyncProperty(seeds, passphrases, passphrases, async (bytes, given, other) => {
        const text = await sealKey(keyOfSeed(bytes), { passphrase: given, cost: scryptCosts.min });
        const opened = await open(text, given);
        expect(opened && [...seedOf(opened)]).toEqual([...bytes]);
        if (other !== given) expect(await open(text, other)).toBeUndefined();
      }),
      { numRuns: 25 },
    );
  });

  it('holds nothing of the key, and is another text each time', async () => {
    const again = await sealKey(key, { passphrase, cost: scryptCosts.min });
    expect(betrays(sealed)).toBe(false);
    const secret = /"(salt|nonce|ciphertext)": "([0-9a-f]+)"/g;
    const parts = (text: string) => [...text.matchAll(secret)].map((match) => match[2]);
    expect(parts(again)).toHaveLength(3);
    expect(parts(again).filter((part) => sealed.includes(part ?? ''))).toEqual([]);
  });

  it('is refused, or does not open, once any bit of its file is flipped', async () => {
    const bytes = Buffer.from(sealed.trim());
    const flipped = (bit: number) => {
      const mutated = Buffer.from(bytes);
      mutated[bit >> 3] = (mutated[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return mutated.toString('utf8');
    };
    const texts = [...Array(bytes.length * 8).keys()].map(flipped);
    const readable = texts.filter((text) => parseKeyContainer(text).kind === 'container');
    expect(readable.length).toBeGreaterThan(500);
    expect(readable.length).toBeLessThan(texts.length / 2);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...readable), async (text) => {
        expect(await open(text)).toBeUndefined();
      }),
    );
  });

  it('does not open with the parts of another', async () => {
    const other = await sealKey(keyOfSeed(randomBytes(32)), { passphrase, cost: scryptCosts.min });
    for (const part of ['address', 'salt', 'nonce', 'ciphertext']) {
      const value = new RegExp(`"${part}": "[^"]+"`);
      const taken = value.exec(other)?.[0] ?? '';
      expect(sealed).not.toContain(taken);
      expect(await open(sealed.replace(value, taken))).toBeUndefined();
    }
  });

  it.each([
    ['more memory', '"n": 16384', '"n": 1073741824'],
    ['less work', '"n": 16384', '"n": 2'],
    ['a cost that is no power of two', '"n": 16384', '"n": 20000'],
    ['a cost that is no number', '"n": 16384', '"n": "16384"'],
    ['larger blocks', '"r": 8', '"r": 4096'],
    ['more rounds', '"p": 1', '"p": 1000000'],
    ['another derivation', '"scrypt"', '"none"'],
  ])('is not opened where it asks for %s', (_what, from, to) => {
    const text = sealed.replace(from, to);
    expect(text).not.toBe(sealed);
    expect(parseKeyContainer(text)).toMatchObject({
      kind: 'refused',
      reason: expect.stringContaining('key derivation out of bounds'),
    });
  });

  it.each([
    ['another version', '"version": 1', '"version": 2'],
    ['another cipher', 'xchacha20', 'chacha20'],
    ['a field that nobody knows', '"version": 1', '"version": 1, "hint": "x"'],
  ])('is refused with %s', (_what, from, to) => {
    expect(parseKeyContainer(sealed.replace(from, to))).toEqual({
      kind: 'refused',
      reason: 'is no encrypted key file of version 1',
    });
  });
});

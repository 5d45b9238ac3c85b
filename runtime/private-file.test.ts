import { chmod, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseConfig } from './config.ts';
import { keyPassphraseSettings, readKeyPassphrase } from './key-passphrase.ts';
import { forbiddenBits, readPrivateFile, writePrivateFile } from './private-file.ts';

let folder: string;
let count = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoma-private-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

async function fileOf(content: string, mode = 0o600): Promise<string> {
  count += 1;
  const path = join(folder, `file-${count}`);
  await writeFile(path, content);
  await chmod(path, mode);
  return path;
}

describe('a private file', () => {
  it.each([0o600, 0o400, 0o700])('is read where it is its owner’s alone (%o)', async (mode) => {
    expect(String(await readPrivateFile(await fileOf('secret', mode)))).toBe('secret');
  });

  it.each([
    [0o640, '600'],
    [0o604, '600'],
    [0o444, '400'],
    [0o620, '600'],
    [0o777, '700'],
  ])('is refused where others may open it (%o), and the remedy named', async (mode, remedy) => {
    const path = await fileOf('secret', mode);
    const link = `${path}-link`;
    await symlink(path, link);
    for (const name of [path, link]) {
      const refused = expect(readPrivateFile(name)).rejects;
      await refused.toThrow(`is open to others (mode ${mode.toString(8)})`);
      await expect(readPrivateFile(name)).rejects.toThrow(`chmod ${remedy} ${name}`);
    }
  });

  it('is a regular file of moderate size that exists', async () => {
    const missing = join(folder, 'missing');
    await expect(readPrivateFile(missing)).rejects.toThrow(`There is no file ${missing}.`);
    await expect(readPrivateFile(folder)).rejects.toThrow('not a regular file');
    await expect(readPrivateFile('/dev/zero')).rejects.toThrow('not a regular file');
    const large = await fileOf('x'.repeat(16_385));
    await expect(readPrivateFile(large)).rejects.toThrow('more than 16384 bytes');
  });

  it('is written for its owner alone, and never over another', async () => {
    const path = join(folder, 'written');
    await writePrivateFile(path, 'first');
    expect((await stat(path)).mode & 0o777).toBe(0o600);
    await expect(writePrivateFile(path, 'second')).rejects.toThrow('exists already');
    expect(await readFile(path, 'utf8')).toBe('first');
    const nowhere = join(folder, 'no', 'folder');
    await expect(writePrivateFile(nowhere, 'x')).rejects.toThrow('cannot be written: ENOENT');
  });
});

describe('the forbidden bits', () => {
  const own = { ownerId: 1000, userId: 1000, realPath: '/etc/atoma/treasury.key' };

  it('are those of group and others', () => {
    expect(forbiddenBits(own)).toBe(0o077);
    expect(forbiddenBits({ ...own, ownerId: 0, userId: 0 })).toBe(0o077);
    expect(forbiddenBits({ ...own, ownerId: 1001 })).toBe(0o077);
  });

  it('leave reading to the group where root hands the file to somebody else', () => {
    expect(forbiddenBits({ ...own, ownerId: 0 })).toBe(0o037);
  });

  it('are those of writing among the secrets of a container', () => {
    const secret = { ownerId: 0, userId: 1000, realPath: '/run/secrets/treasury' };
    expect(forbiddenBits(secret)).toBe(0o022);
    expect(forbiddenBits({ ...secret, realPath: '/run/secrets-of-mine' })).toBe(0o037);
  });
});

describe('the passphrase', () => {
  const schema = z.object(keyPassphraseSettings);
  async function passphraseOf(env: Record<string, string>) {
    const parsed = parseConfig(schema, env);
    if (parsed.kind === 'problems') throw new Error(parsed.problems.join());
    return readKeyPassphrase(parsed.config);
  }

  it('comes from the environment or a file, whose line end does not count', async () => {
    expect(await passphraseOf({})).toBeUndefined();
    expect(await passphraseOf({ ATOMA_KEY_PASSPHRASE: '' })).toBeUndefined();
    expect(await passphraseOf({ ATOMA_KEY_PASSPHRASE: ' spaced ' })).toBe(' spaced ');
    for (const end of ['', '\n', '\r\n']) {
      const file = await fileOf(`correct horse${end}`);
      expect(await passphraseOf({ ATOMA_KEY_PASSPHRASE_FILE: file })).toBe('correct horse');
    }
  });

  it('comes from one of them, and is not empty', async () => {
    const file = await fileOf('one');
    const both = { ATOMA_KEY_PASSPHRASE: 'two', ATOMA_KEY_PASSPHRASE_FILE: file };
    await expect(passphraseOf(both)).rejects.toThrow('not both');
    const empty = await fileOf('\n');
    await expect(passphraseOf({ ATOMA_KEY_PASSPHRASE_FILE: empty })).rejects.toThrow('is empty');
  });

  it('is not taken from a file that others can read', async () => {
    const file = await fileOf('known to all', 0o644);
    const reading = passphraseOf({ ATOMA_KEY_PASSPHRASE_FILE: file });
    await expect(reading).rejects.toThrow('chmod 600');
  });
});

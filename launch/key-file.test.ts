import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ensureKeyFile, keyNames } from './key-file.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoma-keys-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('a key of an instance', () => {
  it('is made once, for its owner alone', async () => {
    const { file, address } = await ensureKeyFile(folder, keyNames.treasury);
    expect(file).toBe(join(folder, 'treasury.key'));
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const text = await readFile(file, 'utf8');
    expect(await ensureKeyFile(folder, keyNames.treasury)).toEqual({ file, address });
    expect(await readFile(file, 'utf8')).toBe(text);
  });

  it('is another for each name', async () => {
    const treasury = await ensureKeyFile(folder, keyNames.treasury);
    const owner = await ensureKeyFile(folder, keyNames.stackOwner);
    expect(owner.address).not.toBe(treasury.address);
  });

  it('stops the start where others can read it', async () => {
    const { file } = await ensureKeyFile(folder, keyNames.treasury);
    await chmod(file, 0o644);
    await expect(ensureKeyFile(folder, keyNames.treasury)).rejects.toThrow('chmod 600');
  });
});

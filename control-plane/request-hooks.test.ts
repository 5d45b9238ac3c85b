import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../runtime/silent-log.ts';
import { requestHooksOf } from './request-hooks.ts';

let folder = '';

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'plugins-'));
  const zod = import.meta.resolve('zod');
  for (const request of ['headers', 'body', 'everything']) {
    const instance = `{ name: '${request}', hooks: { request: '${request}' }, begin: () => ({}) }`;
    await writeFile(
      join(folder, `${request}.mjs`),
      `import { z } from '${zod}';
       export const plugin = { name: 'p', config: z.strictObject({}), create: () => (${instance}) };`,
    );
  }
});

afterAll(() => rm(folder, { recursive: true }));

const ask = (...names: string[]) => {
  const entries = names.map((name) => ({ module: `./${name}.mjs`, config: {} }));
  return requestHooksOf(entries, { folder, log: silentLog });
};

describe('requestHooksOf', () => {
  it('is the headers without plugins', async () => {
    expect(await ask()).toBe('headers');
  });

  it('is the most that any plugin wants', async () => {
    expect(await ask('headers')).toBe('headers');
    expect(await ask('headers', 'body', 'headers')).toBe('body');
  });

  it('stops the start where a plugin does not say what it wants', async () => {
    await expect(ask('everything')).rejects.toThrow();
    await expect(ask('missing')).rejects.toThrow('./missing.mjs');
  });
});

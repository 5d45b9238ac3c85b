import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { envoyBinary } from '../test/tools.ts';
import { createBootstrap } from './bootstrap.ts';

const run = promisify(execFile);
const bootstrap = createBootstrap({
  nodeId: 'envoy-1',
  admin: { host: '127.0.0.1', port: 9901 },
  controlPlanes: [
    { host: '127.0.0.1', port: 9300 },
    { host: 'control-plane', port: 9300 },
  ],
  heapBytesMax: 2 ** 31,
  connectionsMax: 20_000,
});

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'atoma-bootstrap-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe('the bootstrap', () => {
  it('is accepted by Envoy', async () => {
    const file = join(folder, 'bootstrap.json');
    await writeFile(file, JSON.stringify(bootstrap));
    const { stderr } = await run(await envoyBinary(), ['--mode', 'validate', '-c', file]);
    expect(stderr).not.toContain('[critical]');
  });

  it('keeps the client of ext-proc for longer than any stream may last', () => {
    const streamSecondsMax = 3600;
    const kept = /"max_cached_entry_idle_duration":"(\d+)s"/.exec(JSON.stringify(bootstrap))?.[1];
    expect(Number(kept)).toBeGreaterThan(streamSecondsMax);
  });
});

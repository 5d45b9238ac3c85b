import {
  appendFile,
  mkdir,
  mkdtemp,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fileDiscovery } from './file.ts';
import { createFleetRecorder, createTestTools } from './testing.ts';

const yaml = (weight: number, more = '') => `models:
  - { id: small, endpoints: [chat], context_tokens: 100, output_tokens_max: 10 }
nodes:
  - { id: a, url: 'http://a.test:80', models: [small], weight: ${weight} }
${more}`;

let folder = '';
const closers: (() => Promise<void>)[] = [];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'nodes-'));
});

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
  await rm(folder, { recursive: true, force: true });
});

async function start(path: string) {
  const { tools, failures } = createTestTools();
  const recorder = createFleetRecorder();
  const source = fileDiscovery.create({ path }, tools);
  closers.push(() => source.close());
  await source.start(recorder.notify);
  const untilWeight = (weight: number) =>
    recorder.until(({ nodes }) => nodes[0]?.weight === weight, 2000);
  return { ...recorder, failures, untilWeight };
}

describe('discovery from a file', () => {
  it('tells what the file holds, with addresses', async () => {
    const path = join(folder, 'nodes.yaml');
    await writeFile(path, yaml(1));
    const { fleets } = await start(path);
    expect(fleets).toHaveLength(1);
    expect(fleets[0]?.nodes).toMatchObject([{ id: 'a', host: 'a.test', ip: '192.0.2.1' }]);
  });

  it('sees an edit in place well within a second', async () => {
    const path = join(folder, 'nodes.yaml');
    await writeFile(path, yaml(1));
    const { untilWeight } = await start(path);
    for (const weight of [2, 3, 4]) {
      const startedMs = performance.now();
      await writeFile(path, yaml(weight));
      await untilWeight(weight);
      expect(performance.now() - startedMs).toBeLessThan(900);
    }
  });

  it('sees a file that replaces it, again and again', async () => {
    const path = join(folder, 'nodes.yaml');
    await writeFile(path, yaml(1));
    const { untilWeight } = await start(path);
    for (const weight of [2, 3, 4]) {
      await writeFile(join(folder, 'other'), yaml(weight));
      await rename(join(folder, 'other'), path);
      await untilWeight(weight);
    }
    await unlink(path);
    await new Promise((resolve) => setTimeout(resolve, 100));
    await writeFile(path, yaml(5));
    await untilWeight(5);
    await appendFile(path, "  - { id: b, url: 'http://b.test:80', models: [small] }\n");
  });

  it('sees a config map of Kubernetes change', async () => {
    const path = join(folder, 'nodes.yaml');
    const putVersion = async (version: string, weight: number) => {
      await mkdir(join(folder, version));
      await writeFile(join(folder, version, 'nodes.yaml'), yaml(weight));
      await symlink(version, join(folder, '..data_tmp'));
      await rename(join(folder, '..data_tmp'), join(folder, '..data'));
    };
    await putVersion('..v1', 1);
    await symlink(join('..data', 'nodes.yaml'), path);
    const { untilWeight } = await start(path);
    await putVersion('..v2', 2);
    await untilWeight(2);
    await rm(join(folder, '..v1'), { recursive: true });
    await putVersion('..v3', 3);
    await untilWeight(3);
  });

  it('sees an edit of the file that a link leads to', async () => {
    const elsewhere = join(folder, 'elsewhere');
    const here = join(folder, 'here');
    await mkdir(elsewhere);
    await mkdir(here);
    await writeFile(join(elsewhere, 'real.yaml'), yaml(1));
    await symlink(join(elsewhere, 'real.yaml'), join(here, 'nodes.yaml'));
    const { untilWeight } = await start(join(here, 'nodes.yaml'));
    await writeFile(join(elsewhere, 'real.yaml'), yaml(2));
    await untilWeight(2);
    await writeFile(join(elsewhere, 'new'), yaml(3));
    await rename(join(elsewhere, 'new'), join(elsewhere, 'real.yaml'));
    await untilWeight(3);
  });

  it('keeps the last good fleet where an edit is not valid, and counts that', async () => {
    const path = join(folder, 'nodes.yaml');
    await writeFile(path, yaml(1));
    const { fleets, failures, untilWeight } = await start(path);
    await writeFile(path, yaml(1000));
    await expect.poll(() => failures.length, { timeout: 2000 }).toBeGreaterThan(0);
    expect(fleets).toHaveLength(1);
    await writeFile(path, yaml(7));
    await untilWeight(7);
  });

  it('waits for a file that does not exist yet', async () => {
    const path = join(folder, 'nodes.yaml');
    const { fleets, failures, untilWeight } = await start(path);
    expect([fleets, failures]).toEqual([[], ['file']]);
    await writeFile(path, yaml(1));
    await untilWeight(1);
  });

  it('leaves out a node whose name has no address', async () => {
    const path = join(folder, 'nodes.yaml');
    await writeFile(path, yaml(1, "  - { id: b, url: 'http://nowhere:80', models: [small] }\n"));
    const { fleets } = await start(path);
    expect(fleets[0]?.nodes.map(({ id }) => id)).toEqual(['a']);
  });
});

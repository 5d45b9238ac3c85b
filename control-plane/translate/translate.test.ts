import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { clusterOf } from '../../domain/names.ts';
import { envoyBinary } from '../../test/tools.ts';
import type { GatewaySettings } from './settings.ts';
import { createSnapshot, danglingReferences, resourceTypes, type Snapshot } from './snapshot.ts';
import { fleetFile, fleetOf, testSettings } from './testing/fleet.ts';
import { createReader } from './testing/readable.ts';
import { staticBootstrap } from './testing/static-bootstrap.ts';
import { translate } from './translate.ts';

const root = join(import.meta.dirname, '../..');
const read = createReader();

const cases: readonly (readonly [string, Partial<GatewaySettings>])[] = [
  ['mixed', {}],
  ['empty', { api: [{ host: 'control-plane', port: 9301 }], requestHooks: 'body' }],
];

describe.each(cases)('the translation of %s', (name, changes) => {
  it('is the golden file, and Envoy accepts it', async () => {
    const snapshot = translate(await fleetIn(name), testSettings(changes));
    await expect(stringify(read(snapshot), { lineWidth: 0 })).toMatchFileSnapshot(
      `testdata/${name}.golden.yaml`,
    );
    expect(await validate(snapshot)).toContain('OK');
  });
});

describe('translate', () => {
  it('gives the same versions for the same fleet in another order', async () => {
    const fleet = await fleetIn('mixed');
    const turned = { models: fleet.models.toReversed(), nodes: fleet.nodes.toReversed() };
    expect(translate(turned, testSettings())).toEqual(translate(fleet, testSettings()));
  });

  it('changes one resource where one weight changes', () => {
    const nodes = [
      { port: 1, weight: 10 },
      { port: 2, weight: 20 },
    ];
    const before = translate(withOther(nodes), testSettings());
    const after = translate(
      withOther([
        { port: 1, weight: 10 },
        { port: 2, weight: 30 },
      ]),
      testSettings(),
    );
    expect(changesBetween(before, after)).toEqual([`endpoint ${clusterOf('m')}`]);
  });

  it('has no resource for a name that no header can carry', () => {
    for (const odd of ['', ' m', 'a\nb', 'ü', 'x'.repeat(300)]) {
      const { resources } = translate(fleetOf(odd, [{ port: 1 }]), testSettings());
      expect([...resources.endpoint.keys()]).toEqual([]);
    }
  });
});

describe('danglingReferences', () => {
  it('names what is missing', () => {
    const refersTo = [{ type: 'endpoint', name: 'gone' }] as const;
    const snapshot = createSnapshot({
      cluster: [{ name: 'c', bytes: Buffer.alloc(0), refersTo }],
      endpoint: [],
      listener: [],
      route: [],
    });
    expect(danglingReferences(snapshot)).toEqual(['cluster c refers to endpoint gone']);
  });
});

async function fleetIn(name: string) {
  const text = await readFile(join(import.meta.dirname, `testdata/${name}.in.yaml`), 'utf8');
  return fleetFile.parse(parse(text));
}

function withOther(nodes: Parameters<typeof fleetOf>[1]) {
  const [changing, other] = [fleetOf('m', nodes), fleetOf('other', [{ port: 9 }])];
  return {
    models: [...changing.models, ...other.models],
    nodes: [...changing.nodes, ...other.nodes],
  };
}

function changesBetween(before: Snapshot, after: Snapshot): string[] {
  return resourceTypes.flatMap((type) =>
    [...after.resources[type].values()]
      .filter(({ name, version }) => before.resources[type].get(name)?.version !== version)
      .map(({ name }) => `${type} ${name}`),
  );
}

async function validate(snapshot: Snapshot): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'atoma-validate-'));
  try {
    const file = join(folder, 'bootstrap.pb');
    await writeFile(file, staticBootstrap(snapshot));
    const binary = await envoyBinary();
    const args = ['--mode', 'validate', '-c', file, '--use-dynamic-base-id', '--log-level', 'warn'];
    const { stdout, stderr } = await promisify(execFile)(binary, args, { cwd: root });
    return stdout + stderr;
  } finally {
    await rm(folder, { recursive: true });
  }
}

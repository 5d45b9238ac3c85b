/** Instances of `npm start` for tests: each in a folder and on ports of its own. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { z } from 'zod';
import { chainDocumentSchema } from '../../devnet/network-schema.ts';
import { testEnv } from '../tools.ts';
import { until } from './gateway.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const readyMsMax = 60_000;

const demoSchema = z.strictObject({
  baseUrl: z.string(),
  apiKey: z.string(),
  accountId: z.string(),
  envoyAdmin: z.string(),
});

export type Place = {
  readonly dataDir: string;
  readonly listen: number;
  readonly admin: number;
  readonly devnet: number;
};
type Instance = {
  readonly child: ChildProcess;
  output(): string;
  readonly exited: Promise<number | null>;
};

export const instances = new Map<Place, Instance>();

/** Runs `npm start`, and waits for its last word. */
export async function start(place: Place): Promise<void> {
  const child = spawn('npm', ['start'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...testEnv,
      ATOMA_LISTEN: `127.0.0.1:${place.listen}`,
      ATOMA_ENVOY_ADMIN: `127.0.0.1:${place.admin}`,
      ATOMA_DEVNET_LISTEN: `127.0.0.1:${place.devnet}`,
      ATOMA_DATA_DIR: place.dataDir,
    },
  });
  let text = '';
  const append = (chunk: Buffer) => {
    text += chunk.toString();
  };
  child.stdout.on('data', append);
  child.stderr.on('data', append);
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', resolve);
  });
  instances.set(place, { child, exited, output: () => text });
  await until(() => /^ready$/m.test(text) || child.exitCode !== null, readyMsMax);
  if (child.exitCode !== null) throw new Error(`it did not start: ${text}`);
}

export const instanceAt = (place: Place): Instance => {
  const instance = instances.get(place);
  if (!instance) throw new Error('nothing runs there');
  return instance;
};

/** Sends SIGTERM; tells how it ended and after how long. */
export async function stop(place: Place): Promise<{ code: number | null; ms: number }> {
  const { child, exited } = instanceAt(place);
  instances.delete(place);
  const startMs = performance.now();
  child.kill('SIGTERM');
  const code = await exited;
  return { code, ms: performance.now() - startMs };
}

export const demoOf = async ({ dataDir }: Place) =>
  demoSchema.parse(JSON.parse(await readFile(join(dataDir, 'demo.json'), 'utf8')));

/** What the demo key is told. */
export async function apiOf(place: Place, path: string): Promise<unknown> {
  const { baseUrl, apiKey } = await demoOf(place);
  const headers = { authorization: `Bearer ${apiKey}` };
  return (await fetch(`${baseUrl}${path}`, { headers })).json();
}

export const accountOf = async (place: Place) =>
  z.record(z.string(), z.string()).parse(await apiOf(place, '/v1/account'));

/** A page of the local network. */
export const pageOf = async ({ devnet }: Place, path: string): Promise<unknown> =>
  (await fetch(`http://127.0.0.1:${devnet}${path}`)).json();

export const chainOf = async (place: Place) =>
  chainDocumentSchema.parse(await pageOf(place, '/chain'));

export async function chat(place: Place, apiKey?: string): Promise<number> {
  const demo = await demoOf(place);
  const response = await fetch(`${demo.baseUrl}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      authorization: `Bearer ${apiKey ?? demo.apiKey}`,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      model: 'llama-3.3-70b-instruct',
      messages: [{ role: 'user', content: 'Hello' }],
    }),
  });
  await response.text();
  return response.status;
}

/** All processes below the given one. */
export async function descendantsOf(pid: number): Promise<readonly number[]> {
  const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']);
  const rows = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const found: number[] = [];
  for (let parents = [pid]; parents.length > 0; ) {
    const children = rows
      .filter(([, parent = 0]) => parents.includes(parent))
      .map(([child = 0]) => child);
    found.push(...children);
    parents = children;
  }
  return found;
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

export async function setPace(place: Place, pace: object): Promise<void> {
  const plain = z
    .object({ nodes: z.array(z.object({ id: z.string() })) })
    .parse(await pageOf(place, '/network'));
  for (const { id } of [...plain.nodes, ...(await chainOf(place)).nodes]) {
    const response = await fetch(`http://127.0.0.1:${place.devnet}/nodes/${id}/pace`, {
      method: 'PUT',
      body: JSON.stringify(pace),
    });
    expect(response.status).toBe(200);
  }
}

export const stopAll = () => Promise.all([...instances.keys()].map(stop));

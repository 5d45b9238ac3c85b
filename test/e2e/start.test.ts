import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { freePorts, isFree } from '../../launch/ports.ts';
import { testEnv } from '../tools.ts';
import { sendChat, tokensIn } from './chat-request.ts';
import { until } from './gateway.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const readyMsMax = 60_000;
const stopMsMax = 10_000;

const demoSchema = z.strictObject({
  baseUrl: z.string(),
  apiKey: z.string(),
  accountId: z.string(),
  envoyAdmin: z.string(),
});

type Place = {
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

let places: readonly [Place, Place];
const instances = new Map<Place, Instance>();

beforeAll(async () => {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0] = await freePorts(6);
  const folder = () => mkdtemp(join(tmpdir(), 'atoma-start-'));
  places = [
    { dataDir: await folder(), listen: a, admin: b, devnet: c },
    { dataDir: await folder(), listen: d, admin: e, devnet: f },
  ];
  await Promise.all(places.map(start));
});

afterAll(async () => {
  await Promise.all([...instances.keys()].map(stop));
  await Promise.all((places ?? []).map(({ dataDir }) => rm(dataDir, { recursive: true })));
});

/** Runs `npm start`, and waits for its last word. */
async function start(place: Place): Promise<void> {
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

const instanceAt = (place: Place): Instance => {
  const instance = instances.get(place);
  if (!instance) throw new Error('nothing runs there');
  return instance;
};

/** Sends SIGTERM; tells how it ended and after how long. */
async function stop(place: Place): Promise<{ code: number | null; ms: number }> {
  const { child, exited } = instanceAt(place);
  instances.delete(place);
  const startMs = performance.now();
  child.kill('SIGTERM');
  const code = await exited;
  return { code, ms: performance.now() - startMs };
}

const demoOf = async ({ dataDir }: Place) =>
  demoSchema.parse(JSON.parse(await readFile(join(dataDir, 'demo.json'), 'utf8')));

/** What the demo key is told about its account. */
async function accountOf(place: Place) {
  const { baseUrl, apiKey } = await demoOf(place);
  const headers = { authorization: `Bearer ${apiKey}` };
  const response = await fetch(`${baseUrl}/v1/account`, { headers });
  return z.record(z.string(), z.string()).parse(await response.json());
}

async function chat(place: Place, apiKey?: string): Promise<number> {
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
async function descendantsOf(pid: number): Promise<readonly number[]> {
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

const curlIn = (output: string): string => {
  const command = /^curl (?:.*\\\n)*.*$/m.exec(output)?.[0];
  if (command === undefined) throw new Error(`no curl in: ${output}`);
  return command;
};

describe('npm start', () => {
  it('says ready last, and writes how to reach it', async () => {
    for (const place of places) {
      expect(instanceAt(place).output().trimEnd().endsWith('\nready')).toBe(true);
      expect(await demoOf(place)).toEqual({
        baseUrl: `http://127.0.0.1:${place.listen}`,
        apiKey: expect.stringMatching(/^sk-atoma-/),
        accountId: expect.stringMatching(/^acc_/),
        envoyAdmin: `127.0.0.1:${place.admin}`,
      });
    }
  });

  it('prints a command that works in a shell', async () => {
    for (const place of places) {
      const { stdout } = await run('sh', ['-c', curlIn(instanceAt(place).output())]);
      expect(JSON.parse(stdout)).toMatchObject({
        object: 'chat.completion',
        choices: [{ message: { role: 'assistant', content: expect.any(String) } }],
      });
    }
  });

  it('keeps instances side by side apart', async () => {
    const [first, second] = places;
    const before = await accountOf(second);
    expect(await chat(first)).toBe(200);
    expect(await accountOf(second)).toEqual(before);
    const { apiKey } = await demoOf(first);
    expect(await chat(second, apiKey)).toBe(401);
  });

  it('refuses to run twice on one data folder', async () => {
    const [first, second] = places;
    const twin = { ...first, listen: second.listen };
    await expect(start(twin)).rejects.toThrow(/runs on .* already/);
    instances.delete(twin);
    expect(await chat(first)).toBe(200);
  });
});

describe('SIGTERM', () => {
  it('ends everything within ten seconds, and the next start finds money and keys as they were', async () => {
    const [first, second] = places;
    const demo = await demoOf(first);
    await until(async () => (await accountOf(first)).reserved_usd === '0');
    const account = await accountOf(first);
    const pids = await descendantsOf(instanceAt(first).child.pid ?? 0);
    // The launcher, Redis, control plane, ext-authz, ext-proc, Envoy and the local network.
    expect(pids.length).toBeGreaterThanOrEqual(7);

    const { code, ms } = await stop(first);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(stopMsMax);
    expect(pids.filter(isAlive)).toEqual([]);
    for (const port of [first.listen, first.admin]) {
      expect(await isFree({ host: '127.0.0.1', port })).toBe(true);
    }
    expect(await chat(second)).toBe(200);

    await start(first);
    expect(await demoOf(first)).toEqual(demo);
    expect(await accountOf(first)).toEqual(account);
    expect(await chat(first)).toBe(200);
  });

  it('amid the start ends what has started by then', async () => {
    const [listen = 0, admin = 0, devnet = 0] = await freePorts(3);
    const dataDir = await mkdtemp(join(tmpdir(), 'atoma-start-'));
    const place = { dataDir, listen, admin, devnet };
    const starting = start(place).catch((cause: unknown) => cause);
    let pids: readonly number[] = [];
    await until(async () => {
      const child = instances.get(place)?.child.pid;
      pids = child === undefined ? [] : await descendantsOf(child);
      return pids.length >= 4;
    });
    const { ms } = await stop(place);
    expect(ms).toBeLessThan(stopMsMax);
    expect(await starting).toBeInstanceOf(Error);
    // A child that nobody waits for is gone a moment later.
    await until(() => !pids.some(isAlive), 2000);
    await rm(dataDir, { recursive: true });
  });

  it('ends a running stream visibly, and what was delivered is paid after the next start', async () => {
    const [, second] = places;
    await setPace(second, { tokensPerSecond: 20, replyTokens: 2000 });
    const before = await accountOf(second);
    const { baseUrl, apiKey } = await demoOf(second);
    const stream = sendChat(
      { baseUrl, apiKey },
      {
        model: 'llama-3.3-70b-instruct',
        messages: [{ role: 'user', content: 'Hello' }],
        max_tokens: 2000,
        stream: true,
      },
    );
    await until(() => tokensIn(stream.text()) > 10);
    const { code, ms } = await stop(second);
    expect(code).toBe(0);
    expect(ms).toBeLessThan(stopMsMax);
    const { text, ending } = await stream.answer;
    expect(text).not.toContain('[DONE]');
    expect(ending).toBe('reset');

    await start(second);
    const after = await accountOf(second);
    expect(after.reserved_usd).toBe('0');
    const outputUsd = 0.3e-6;
    const spent = Number(after.spent_usd) - Number(before.spent_usd);
    expect(spent).toBeGreaterThan(tokensIn(text) * outputUsd);
    expect(spent).toBeLessThan(tokensIn(text) * outputUsd + 0.0001);
  });
});

async function setPace({ devnet }: Place, pace: object): Promise<void> {
  const url = `http://127.0.0.1:${devnet}`;
  const { nodes } = z
    .object({ nodes: z.array(z.object({ id: z.string() })) })
    .parse(await (await fetch(`${url}/network`)).json());
  for (const { id } of nodes) {
    const response = await fetch(`${url}/nodes/${id}/pace`, {
      method: 'PUT',
      body: JSON.stringify(pace),
    });
    expect(response.status).toBe(200);
  }
}

import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { sealedFetch } from '../../confidential/client/sealed-fetch.ts';
import { formatUsd, parseUsd } from '../../domain/money.ts';
import { freePorts, isFree } from '../../launch/ports.ts';
import { testEnv } from '../tools.ts';
import { sendChat, tokensIn } from './chat-request.ts';
import { until } from './gateway.ts';
import {
  accountOf,
  apiOf,
  chainOf,
  chat,
  demoOf,
  descendantsOf,
  instanceAt,
  instances,
  isAlive,
  type Place,
  pageOf,
  setPace,
  start,
  stop,
  stopAll,
} from './instances.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '..', '..');
const stopMsMax = 10_000;

let places: readonly [Place, Place];

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
  await stopAll();
  await Promise.all((places ?? []).map(({ dataDir }) => rm(dataDir, { recursive: true })));
});

function plusDeposit(usd = ''): string {
  const amount = parseUsd(usd);
  const deposit = parseUsd('5');
  if (amount === undefined || deposit === undefined) throw new Error(`not an amount: ${usd}`);
  return formatUsd(amount + deposit);
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

  it('finds Atoma nodes on the chain alone, and sends requests on stacks that it bought', async () => {
    const [first] = places;
    const chain = await chainOf(first);
    const listed = await pageOf(first, '/network');
    const { nodes } = z
      .object({ nodes: z.array(z.object({ protocol: z.string() })) })
      .parse(listed);
    expect(new Set(nodes.map(({ protocol }) => protocol))).toEqual(new Set(['openai']));
    const names = chain.nodes.map(({ small_id }) => `sui-${small_id}`);
    await until(async () => {
      expect(await chat(first)).toBe(200);
      const { data } = z
        .object({ data: z.array(z.object({ node: z.string() })) })
        .parse(await apiOf(first, '/v1/account/usage'));
      return data.some(({ node }) => names.includes(node));
    });
    const output = instanceAt(first).output();
    for (const { id } of chain.nodes) expect(output).toMatch(new RegExp(`^found .*${id}`, 'm'));
    expect(output).toMatch(/^bought 1000000 units of llama-3.3-70b-instruct from (oslo|lima) for/m);
  });

  it('answers requests that only a node of the chain can open', async () => {
    const [first] = places;
    const { baseUrl, apiKey } = await demoOf(first);
    const client = new OpenAI({
      baseURL: `${baseUrl}/v1`,
      apiKey,
      fetch: sealedFetch({ trust: { kind: 'lock' } }),
    });
    const messages = [{ role: 'user' as const, content: 'Hello' }];
    const order = { model: 'llama-3.3-70b-instruct', messages };
    const { choices } = await client.chat.completions.create(order);
    expect(choices[0]?.message.content).toMatch(/\w/);
  });

  it('shows that a deposit on the chain became balance', async () => {
    for (const place of places) {
      expect(instanceAt(place).output()).toContain(
        'a deposit of 5 USDC became balance: 100 → 105 USD',
      );
      expect(await apiOf(place, '/v1/deposits')).toMatchObject({
        data: [{ amount_usd: '5', status: 'credited' }],
      });
      expect((await accountOf(place)).deposited_usd).toBe('105');
      // The gift of the faucet to the treasury is no deposit of anybody.
      const env = { ...testEnv, ATOMA_DATA_DIR: place.dataDir };
      const { stdout } = await run('npm', ['run', '-s', 'admin', '--', 'audit', '--json'], {
        cwd: root,
        env,
      });
      expect(JSON.parse(stdout)).toMatchObject({ ok: true, deposits_waiting_usd: '0' });
    }
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
    // Each start shows a deposit on its new chain, and nothing else is different.
    const { balance_usd, deposited_usd, ...rest } = account;
    expect(await accountOf(first)).toEqual({
      ...rest,
      balance_usd: plusDeposit(balance_usd),
      deposited_usd: plusDeposit(deposited_usd),
    });
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

/** The operator's command as an operator runs it: a process of its own, beside a gateway that serves. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { toText } from '../../launch/ports.ts';
import { writeRunFile } from '../../launch/run-file.ts';
import { accountKeys } from '../../storage/keys.ts';
import { plainModel } from './fleet.ts';
import { startTestGateway, type TestGateway, until, untilSettled } from './gateway.ts';

const root = join(import.meta.dirname, '../..');
let gateway: TestGateway;
let dataDir: string;
let accountId: string;
beforeAll(async () => {
  gateway = await startTestGateway();
  dataDir = await mkdtemp(join(tmpdir(), 'atoma-admin-'));
  const { redisUrl, envoyAdmin, baseUrl } = gateway.gateway;
  await writeRunFile(dataDir, { redisUrl, envoyAdmin: toText(envoyAdmin), baseUrl });
  accountId = id.parse(await json('account', 'create', '--name', 'Team A')).id;
});
afterAll(async () => {
  await gateway?.close();
  await rm(dataDir, { recursive: true, force: true });
});

/** What else could name an instance. */
const unset = { REDIS_URL: '', ATOMA_ENVOY_ADMIN: '' };

type Run = { readonly code: number; readonly stdout: string; readonly stderr: string };

/** `npm run -s admin -- …`, which finds the instance by its data folder unless told otherwise. */
function admin(args: readonly string[], env: Record<string, string> = {}): Promise<Run> {
  return new Promise((resolve) => {
    const options = {
      cwd: root,
      env: { ...gateway.env, ...unset, ATOMA_DATA_DIR: dataDir, ...env },
    };
    const command = ['run', '-s', 'admin', '--', ...args];
    execFile('npm', command, options, (error, stdout, stderr) => {
      const code = error ? Number(error.code ?? -1) : 0;
      resolve({ code, stdout, stderr });
    });
  });
}

/** What a command that works prints with `--json`. */
async function json(...args: string[]): Promise<unknown> {
  const run = await admin([...args, '--json']);
  expect(run).toMatchObject({ code: 0, stderr: '' });
  return JSON.parse(run.stdout);
}

const id = z.strictObject({ id: z.string().regex(/^acc_[0-9a-f]{24}$/) });
const issuedKey = z.strictObject({
  id: z.string().regex(/^key_[0-9a-f]{24}$/),
  key: z.string().regex(/^sk-atoma-/),
});

const get = async (path: string, apiKey: string) => {
  const headers = { authorization: `Bearer ${apiKey}` };
  const response = await fetch(`${gateway.baseUrl}${path}`, { headers });
  return { status: response.status, headers: response.headers, body: await response.json() };
};
const statusFor = async (apiKey: string) => (await get('/v1/models', apiKey)).status;

describe('account', () => {
  const credit = (usd: string, reference: string) => [
    ...['account', 'credit', accountId, '--usd', usd, '--reference', reference],
  ];

  it('credit moves money once per reference', async () => {
    const shown = { id: accountId, name: 'Team A', deposited_usd: '25.5', balance_usd: '25.5' };
    expect(await json(...credit('25.5', 'invoice-1'))).toMatchObject({ ...shown, credited: true });
    expect(await json(...credit('25.5', 'invoice-1'))).toMatchObject({ ...shown, credited: false });
    const other = await admin([...credit('26', 'invoice-1'), '--json']);
    expect(other).toMatchObject({ code: 1, stdout: '' });
    expect(other.stderr).toContain('25.5');
    expect((await gateway.storage.ledger.balance(accountId)).deposited).toBe(25_500_000_000_000n);
  });

  it('list shows what the account itself is shown', async () => {
    const { apiKey } = await gateway.openAccount({ usd: '3' });
    await gateway.clientFor(apiKey).completions.create({ model: plainModel, prompt: 'Once' });
    const { key } = issuedKey.parse(await json('key', 'create', '--account', accountId));
    const list = z
      .array(
        z.strictObject({
          id: z.string(),
          name: z.string(),
          balance_usd: z.string(),
          reserved_usd: z.string(),
          spent_usd: z.string(),
          deposited_usd: z.string(),
        }),
      )
      .parse(await json('account', 'list'));
    for (const one of [apiKey, key]) {
      const { body } = await get('/v1/account', one);
      expect(list).toContainEqual(body);
    }
    expect(list.length).toBeGreaterThanOrEqual(3);
  });

  it.each([
    ['account credit acc_0 --usd 1 --reference x', 1],
    ['account show acc_0', 1],
    ['account credit acc_0 --usd -1 --reference x', 2],
    ['account credit acc_0 --usd 1e3 --reference x', 2],
    ['account credit acc_0 --usd 1', 2],
    ['account destroy', 2],
    ['key create --account acc_0', 1],
    ['key create', 2],
    ['key revoke key_0', 1],
    ['model price m', 2],
    ['nonsense', 2],
  ])('%s ends with %i and prints no result', async (line, code) => {
    const run = await admin(line.split(' '));
    expect(run).toMatchObject({ code, stdout: '' });
    expect(run.stderr).not.toBe('');
    expect(run.stderr).not.toContain('    at ');
  });
});

describe('key', () => {
  const create = async (...options: string[]) =>
    issuedKey.parse(await json('key', 'create', '--account', accountId, ...options));

  it('create gives a key with the limits that were asked for', async () => {
    const options = ['--models', plainModel, '--requests-per-minute', '600', '--name', 'ci'];
    const issued = await create(...options);
    const answer = await gateway
      .clientFor(issued.key)
      .completions.create({ model: plainModel, prompt: 'Once', max_tokens: 2 })
      .asResponse();
    expect(answer.headers.get('x-ratelimit-limit-requests')).toBe('600');
    const { body } = await get('/v1/models', issued.key);
    expect(body).toMatchObject({ data: [{ id: plainModel }] });
    const run = await admin(['key', 'list', '--account', accountId, '--json']);
    expect(JSON.parse(run.stdout)).toContainEqual(
      expect.objectContaining({ id: issued.id, name: 'ci' }),
    );
    expect(run.stdout).not.toContain(issued.key);
  });

  it('rotate replaces the secret, at once or after a grace', async () => {
    const first = await create();
    const second = issuedKey.parse(
      await json('key', 'rotate', first.id, '--grace-seconds', '3600'),
    );
    expect(second.id).toBe(first.id);
    expect([await statusFor(first.key), await statusFor(second.key)]).toEqual([200, 200]);
    const third = issuedKey.parse(await json('key', 'rotate', first.id));
    await until(async () => (await statusFor(second.key)) === 401);
    expect(await statusFor(third.key)).toBe(200);
  });

  it('revoke ends every secret of the key', async () => {
    const first = await create();
    const second = issuedKey.parse(await json('key', 'rotate', first.id, '--grace-seconds', '60'));
    await json('key', 'revoke', first.id);
    for (const { key } of [first, second]) await until(async () => (await statusFor(key)) === 401);
    expect((await admin(['key', 'rotate', first.id])).code).toBe(1);
  });
});

describe('model', () => {
  const pricing = async () => {
    const { body } = await get(`/v1/models/${plainModel}`, gateway.apiKey);
    return z.object({ pricing: z.object({ prompt: z.string() }) }).parse(body).pricing.prompt;
  };

  it('price takes effect for callers and bills, until it is removed', async () => {
    await json('model', 'price', plainModel, '--input', '3', '--output', '7');
    await until(async () => (await pricing()) === '0.000003');
    const { accountId: payer, apiKey } = await gateway.openAccount({ usd: '1' });
    // ext-authz learns of a price on its own; whichever price it is, the bill names the one that held.
    await until(async () => {
      const { settled } = await gateway.storage.ledger.balance(payer);
      const { usage } = await gateway.clientFor(apiKey).chat.completions.create({
        model: plainModel,
        messages: [{ role: 'user', content: 'hi' }],
      });
      await untilSettled(gateway, payer);
      const cost = (await gateway.storage.ledger.balance(payer)).settled - settled;
      const { prompt_tokens: input = 0, completion_tokens: output = 0 } = usage ?? {};
      return cost === BigInt(input) * 3_000_000n + BigInt(output) * 7_000_000n;
    });
    await json('model', 'unprice', plainModel);
    await until(async () => (await pricing()) === '0.0000005');
    expect((await admin(['model', 'unprice', plainModel])).code).toBe(1);
  });

  it('list shows each model and whether it can be called', async () => {
    expect(await json('model', 'list')).toContainEqual(
      expect.objectContaining({ id: plainModel, state: 'callable', endpoints: expect.any(Array) }),
    );
  });
});

it('node list shows the nodes that Envoy uses', async () => {
  const listed = z
    .array(
      z.object({ model: z.string(), node: z.string(), address: z.string(), health: z.string() }),
    )
    .parse(await json('node', 'list'));
  const expected = gateway.devnet.nodes.map((node) => [node.id, new URL(node.url).host].join(' '));
  expect(listed.map(({ node, address }) => `${node} ${address}`).sort()).toEqual(expected.sort());
});

describe('audit', () => {
  const report = z.object({
    ok: z.boolean(),
    accounts: z.number(),
    difference_usd: z.string(),
    problems: z.array(z.string()).optional(),
  });
  async function audit(): Promise<z.infer<typeof report> & { code: number }> {
    const { code, stdout } = await admin(['audit', '--json']);
    return { ...report.parse(JSON.parse(stdout)), code };
  }
  async function change(field: string, amount: string): Promise<void> {
    const redis = createClient({ url: gateway.gateway.redisUrl });
    await redis.connect();
    await redis.sendCommand(['HINCRBY', accountKeys(accountId).balance, field, amount]);
    redis.destroy();
  }

  it('ends with 0 while every balance adds up', async () => {
    const accounts = (await gateway.storage.accounts.list()).length;
    expect(await audit()).toEqual({ code: 0, ok: true, accounts, difference_usd: '0' });
  });

  it.each(['available', 'settled', 'deposited', 'reserved', 'withdrawn'])(
    'ends with 1 where somebody has touched what is %s',
    async (field) => {
      await change(field, '5');
      const { code, ok, difference_usd, problems } = await audit();
      expect([code, ok]).toEqual([1, false]);
      expect(Number(difference_usd)).toBeGreaterThan(0);
      expect(problems?.join()).toContain(accountId);
      await change(field, '-5');
      expect((await audit()).code).toBe(0);
    },
  );
});

describe('the command', () => {
  it('prints a table for people', async () => {
    const { code, stdout } = await admin(['account', 'show', accountId]);
    expect(code).toBe(0);
    expect(stdout).toContain('balance_usd');
    expect(stdout).toContain('Team A');
  });

  it('acts on REDIS_URL where that is set, and says so where nothing runs', async () => {
    const nowhere = { ATOMA_DATA_DIR: join(dataDir, 'nothing') };
    const lost = await admin(['account', 'list'], nowhere);
    expect(lost).toMatchObject({ code: 1, stdout: '' });
    expect(lost.stderr).toContain('npm start');
    const env = { ...nowhere, REDIS_URL: gateway.gateway.redisUrl };
    const found = await admin(['account', 'show', accountId, '--json'], env);
    expect(JSON.parse(found.stdout)).toMatchObject({ id: accountId });
  });
});

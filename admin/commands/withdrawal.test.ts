import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { parseUsd, picoUsd } from '../../domain/money.ts';
import type { Storage } from '../../storage/storage.ts';
import { openStorage } from '../../storage/testing.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { runProgram } from '../program.ts';

const address = (digit: string) => `0x${digit.repeat(64)}`;
const treasury = address('1');
const stackOwner = address('2');
const recipient = address('c');

let server: TestRedis;
let storage: Storage;
let accountId: string;
beforeAll(async () => {
  server = await startRedis();
  storage = await openStorage(server.url);
  accountId = (await storage.accounts.create({ name: 'Team A' })).id;
  const amount = parseUsd('20') ?? picoUsd(0n);
  await storage.accounts.credit({ accountId, amount, reference: 'start' });
}, 30_000);
afterAll(async () => {
  storage.close();
  await server.stop();
});

const settings = { suiChainId: 'chain', treasuryAddress: treasury, stackOwnerAddress: stackOwner };

/** Runs one command, in an environment that may lack something. */
async function admin(args: readonly string[], env: Partial<typeof settings> = settings) {
  const printed: string[] = [];
  const errors: string[] = [];
  const code = await runProgram(args, {
    storage: async () => storage,
    envoyAdmin: () => undefined,
    suiDatabase: () => undefined,
    suiChainId: () => env.suiChainId,
    treasuryAddress: () => env.treasuryAddress,
    stackOwnerAddress: () => env.stackOwnerAddress,
    keyPassphrase: async () => undefined,
    readInput: async () => undefined,
    print: (text) => void printed.push(text),
    printError: (text) => void errors.push(text),
    nowMs: () => 0,
  });
  return { code, printed: printed.join('\n'), errors: errors.join('\n') };
}

const withdraw = (options: { reference?: string; to?: string; usd?: string; account?: string }) => {
  const { reference = 'one', to = recipient, usd = '12.5', account = accountId } = options;
  return [
    ...['treasury', 'withdraw', '--account', account, '--to', to],
    ...['--usd', usd, '--reference', reference],
  ];
};

async function json(...args: string[]): Promise<unknown> {
  const { code, printed, errors } = await admin([...args, '--json']);
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return JSON.parse(printed);
}

const audit = z.object({ ok: z.boolean() }).catchall(z.unknown());

describe('treasury', () => {
  it('withdraw takes the money once per reference, and shows how it stands', async () => {
    const shown = {
      reference: 'one',
      account: accountId,
      to: recipient,
      usd: '12.5',
      state: 'queued',
      digest: '',
      ordered: expect.stringMatching(/^20/),
    };
    expect(await json(...withdraw({}))).toEqual(shown);
    expect(await json(...withdraw({}))).toEqual(shown);
    expect(await json('treasury', 'withdrawals')).toEqual([shown]);
    const account = await json('account', 'show', accountId);
    expect(account).toMatchObject({ balance_usd: '7.5', withdrawn_usd: '12.5' });
    expect(audit.parse(await json('audit'))).toMatchObject({
      ok: true,
      withdrawn_usd: '12.5',
      withdrawals_paid_usd: '0',
      withdrawals_open_usd: '12.5',
    });
  });

  it.each([
    ['another amount under the same reference', { usd: '1' }, 1],
    ['more than is available', { reference: 'two', usd: '7.500001' }, 1],
    ['an account that is not there', { reference: 'two', account: 'acc_0' }, 1],
    ['the treasury itself', { reference: 'two', to: treasury }, 1],
    ['the stack owner', { reference: 'two', to: stackOwner }, 1],
    ['an address that is short', { reference: 'two', to: '0x1' }, 2],
    ['an address that is in capitals', { reference: 'two', to: address('C') }, 2],
    ['nothing', { reference: 'two', usd: '0' }, 2],
    ['less than a micro-dollar', { reference: 'two', usd: '0.0000001' }, 2],
    ['a part of a micro-dollar', { reference: 'two', usd: '1.0000001' }, 2],
    ['a negative amount', { reference: 'two', usd: '-1' }, 2],
    ['no reference', { reference: '' }, 2],
  ])('withdraw refuses %s, and moves nothing', async (_what, options, code) => {
    const run = await admin(withdraw(options));
    expect(run).toMatchObject({ code, printed: '' });
    expect(run.errors).not.toBe('');
    const balance = await storage.ledger.balance(accountId);
    expect(balance.withdrawn).toBe(parseUsd('12.5'));
  });

  it.each(['suiChainId', 'treasuryAddress', 'stackOwnerAddress'] as const)(
    'withdraw asks for %s',
    async (name) => {
      const { [name]: _left, ...env } = settings;
      const run = await admin(withdraw({ reference: 'three' }), env);
      expect(run).toMatchObject({ code: 2, printed: '' });
      expect(run.errors).toContain('Set ATOMA_');
    },
  );

  it('withdraw asks for a chain id that is one', async () => {
    const env = { ...settings, suiChainId: 'sui:testnet' };
    expect(await admin(withdraw({ reference: 'three' }), env)).toMatchObject({ code: 2 });
  });

  it('cancel gives the money back, once', async () => {
    const cancel = ['treasury', 'cancel', '--reference', 'one'];
    expect(await json(...cancel)).toMatchObject({ reference: 'one', state: 'cancelled' });
    expect(await json(...cancel)).toMatchObject({ state: 'cancelled' });
    expect(await json(...withdraw({}))).toMatchObject({ state: 'cancelled' });
    expect((await storage.ledger.balance(accountId)).withdrawn).toBe(0n);
    const unknown = await admin(['treasury', 'cancel', '--reference', 'none']);
    expect(unknown).toMatchObject({ code: 1, printed: '' });
    expect(await json('audit')).toEqual({ ok: true, accounts: 1, difference_usd: '0' });
  });
});

/** `key create|list|revoke|rotate`. */
import type { Command } from 'commander';
import { type ApiKey, type KeyLimits, type Scope, scopes } from '../../domain/api-key.ts';
import { formatUsd, type PicoUsd, parseUsd } from '../../domain/money.ts';
import {
  answer,
  type CommandContext,
  CommandError,
  type Output,
  timeText,
  usageError,
} from '../command.ts';

const view = (key: ApiKey) => ({
  id: key.id,
  account_id: key.accountId,
  name: key.name,
  hint: key.hint,
  created: timeText(key.createdMs),
  expires: timeText(key.expiresMs) || null,
  revoked: timeText(key.revokedMs) || null,
  scopes: key.scopes,
  models: key.models ?? null,
  limits: viewLimits(key.limits),
});

const maybeUsd = (amount: PicoUsd | undefined) => (amount === undefined ? null : formatUsd(amount));

const viewLimits = (limits: KeyLimits) => ({
  requests_per_minute: limits.requestsPerMinuteMax ?? null,
  tokens_per_minute: limits.tokensPerMinuteMax ?? null,
  parallel_requests: limits.parallelRequestsMax ?? null,
  budget_day_usd: maybeUsd(limits.budgetPerDay),
  budget_month_usd: maybeUsd(limits.budgetPerMonth),
  budget_total_usd: maybeUsd(limits.budgetTotal),
});

const row = (key: ApiKey) => {
  const limits = Object.entries(viewLimits(key.limits)).filter(([, value]) => value !== null);
  return {
    id: key.id,
    account: key.accountId,
    name: key.name,
    hint: key.hint,
    state: key.revokedMs === undefined ? 'active' : 'revoked',
    expires: timeText(key.expiresMs),
    scopes: key.scopes.length === scopes.length ? 'all' : key.scopes.join(' '),
    models: key.models?.join(' ') ?? 'all',
    limits: limits.map(([name, value]) => `${name}=${value}`).join(' '),
  };
};

type CreateOptions = Output & {
  account?: string;
  name?: string;
  scopes?: string;
  models?: string;
  expires?: string;
  requestsPerMinute?: string;
  tokensPerMinute?: string;
  parallel?: string;
  budgetDay?: string;
  budgetMonth?: string;
  budgetTotal?: string;
};

export function addKeyCommands(program: Command, context: CommandContext): void {
  const key = program.command('key').description('API keys');

  key
    .command('create [account]')
    .description('make a key for an account; it is shown once')
    .option('--account <id>', 'the account that pays')
    .option('--name <name>', 'what people call it')
    .option('--scopes <list>', `of ${scopes.join(',')}`)
    .option('--models <list>', 'the only models that it may use')
    .option('--expires <time>', 'such as 2027-01-31 or 2027-01-31T12:00:00Z')
    .option('--requests-per-minute <n>')
    .option('--tokens-per-minute <n>')
    .option('--parallel <n>', 'requests in flight')
    .option('--budget-day <usd>')
    .option('--budget-month <usd>')
    .option('--budget-total <usd>')
    .option('--json', 'print JSON')
    .action((account: string | undefined, options: CreateOptions) =>
      create(context, options.account ?? account, options),
    );

  key
    .command('list [account]')
    .description('the keys of one account, or of all')
    .option('--account <id>')
    .option('--json', 'print JSON')
    .action(async (account: string | undefined, options: Output & { account?: string }) => {
      const storage = await context.storage();
      const only = options.account ?? account;
      const ids = only === undefined ? (await storage.accounts.list()).map(({ id }) => id) : [only];
      const keys = (await Promise.all(ids.map((id) => storage.apiKeys.list(id)))).flat();
      const note = keys.length ? {} : { note: 'no keys' };
      answer(context, options, { value: keys.map(view), rows: keys.map(row), ...note });
    });

  key
    .command('revoke <id>')
    .description('end a key: within a second nobody accepts it')
    .option('--json', 'print JSON')
    .action(async (id: string, options: Output) => {
      const revoked = await (await context.storage()).apiKeys.revoke(id);
      if (!revoked) throw new CommandError(`There is no key ${id}.`);
      answer(context, options, { value: view(revoked), rows: [row(revoked)] });
    });

  key
    .command('rotate <id>')
    .description('give a key a new secret')
    .option('--grace-seconds <n>', 'how long the old secret stays good', '0')
    .option('--json', 'print JSON')
    .action(async (id: string, options: Output & { graceSeconds: string }) => {
      const graceMs = (wholeNumber(options.graceSeconds, '--grace-seconds') ?? 0) * 1000;
      const issued = await (await context.storage()).apiKeys.rotate({ keyId: id, graceMs });
      if (!issued) throw new CommandError(`There is no active key ${id}.`);
      answer(context, options, {
        value: { id, key: issued.text },
        rows: [{ id, key: issued.text }],
        note: 'The key is shown this once.',
      });
    });
}

async function create(
  context: CommandContext,
  accountId: string | undefined,
  options: CreateOptions,
): Promise<void> {
  if (accountId === undefined) throw usageError('Name the account: --account acc_…');
  const order = {
    accountId,
    name: options.name ?? '',
    expiresMs: parseTime(options.expires, context.nowMs()),
    scopes: parseScopes(options.scopes),
    models: parseList(options.models),
    limits: parseLimits(options),
  };
  const storage = await context.storage();
  if (!(await storage.accounts.get(accountId))) {
    throw new CommandError(`There is no account ${accountId}.`);
  }
  const { key, text } = await storage.apiKeys.create(order);
  answer(context, options, {
    value: { id: key.id, key: text },
    rows: [{ id: key.id, key: text }],
    note: 'The key is shown this once.',
  });
}

const parseLimits = (options: CreateOptions): KeyLimits => ({
  requestsPerMinuteMax: positive(options.requestsPerMinute, '--requests-per-minute'),
  tokensPerMinuteMax: positive(options.tokensPerMinute, '--tokens-per-minute'),
  parallelRequestsMax: positive(options.parallel, '--parallel'),
  budgetPerDay: budget(options.budgetDay, '--budget-day'),
  budgetPerMonth: budget(options.budgetMonth, '--budget-month'),
  budgetTotal: budget(options.budgetTotal, '--budget-total'),
});

const limitMax = 1_000_000_000;

function wholeNumber(text: string | undefined, option: string): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,10}$/.test(text) && Number(text) <= limitMax) return Number(text);
  throw usageError(`${option} takes a whole number up to ${limitMax}, not "${text}".`);
}

function positive(text: string | undefined, option: string): number | undefined {
  const value = wholeNumber(text, option);
  if (value === 0) throw usageError(`${option} must be at least 1.`);
  return value;
}

function budget(text: string | undefined, option: string): PicoUsd | undefined {
  if (text === undefined) return undefined;
  const amount = parseUsd(text);
  if (amount === undefined)
    throw usageError(`${option} takes dollars such as 12.5, not "${text}".`);
  return amount;
}

const parseList = (text: string | undefined): readonly string[] | undefined =>
  text
    ?.split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');

function parseScopes(text: string | undefined): readonly Scope[] {
  const names = parseList(text);
  if (names === undefined) return scopes;
  const known = scopes.filter((scope) => names.includes(scope));
  if (known.length === names.length && known.length > 0) return known;
  throw usageError(`--scopes takes a list of ${scopes.join(', ')}.`);
}

function parseTime(text: string | undefined, nowMs: number): number | undefined {
  if (text === undefined) return undefined;
  const timeMs = Date.parse(text);
  if (timeMs > nowMs) return timeMs;
  throw usageError(`--expires takes a time to come, such as 2027-01-31, not "${text}".`);
}

/** `account create|list|show|credit`. */
import type { Command } from 'commander';
import { formatUsd, parseUsd } from '../../domain/money.ts';
import type { Account, Crediting } from '../../storage/accounts.ts';
import { answer, type CommandContext, CommandError, type Output, usageError } from '../command.ts';

const view = ({ id, name, balance }: Account) => ({
  id,
  name,
  balance_usd: formatUsd(balance.available),
  reserved_usd: formatUsd(balance.reserved),
  spent_usd: formatUsd(balance.settled),
  deposited_usd: formatUsd(balance.deposited),
  ...(balance.withdrawn > 0n ? { withdrawn_usd: formatUsd(balance.withdrawn) } : {}),
});

export function addAccountCommands(program: Command, context: CommandContext): void {
  const account = program.command('account').description('accounts and their deposits');

  account
    .command('create [name]')
    .description('open an account')
    .option('--name <name>', 'what people call it')
    .option('--json', 'print JSON')
    .action(async (given: string | undefined, options: Output & { name?: string }) => {
      const storage = await context.storage();
      const { id, name } = await storage.accounts.create({ name: options.name ?? given ?? '' });
      answer(context, options, { value: { id }, rows: [{ id, name }] });
    });

  account
    .command('list')
    .description('all accounts, oldest first')
    .option('--json', 'print JSON')
    .action(async (options: Output) => {
      const storage = await context.storage();
      const value = (await storage.accounts.list()).map(view);
      answer(context, options, {
        value,
        rows: value,
        ...(value.length ? {} : { note: 'no accounts' }),
      });
    });

  account
    .command('show <id>')
    .description('one account')
    .option('--json', 'print JSON')
    .action(async (id: string, options: Output) => {
      const storage = await context.storage();
      const found = await storage.accounts.get(id);
      if (!found) throw new CommandError(`There is no account ${id}.`);
      answer(context, options, { value: view(found), rows: [view(found)] });
    });

  account
    .command('credit <id> [usd]')
    .description('add a deposit, once per reference')
    .option('--usd <amount>', 'dollars as a decimal such as 12.5')
    .option('--amount <amount>', 'the same as --usd')
    .requiredOption('--reference <text>', 'names the deposit: repeating it changes nothing')
    .option('--json', 'print JSON')
    .action((id: string, given: string | undefined, options: CreditOptions) =>
      credit(context, { id, given, options }),
    );
}

type CreditOptions = Output & { usd?: string; amount?: string; reference: string };

async function credit(
  context: CommandContext,
  order: { id: string; given: string | undefined; options: CreditOptions },
): Promise<void> {
  const { id, options } = order;
  const text = options.usd ?? options.amount ?? order.given ?? '';
  const amount = parseUsd(text);
  if (amount === undefined || amount === 0n) {
    throw usageError(`"${text}" is not an amount of dollars such as 12.5.`);
  }
  const storage = await context.storage();
  const { reference } = options;
  const crediting = await storage.accounts.credit({ accountId: id, amount, reference });
  const refusal = refusalOf(crediting, id);
  if (refusal !== undefined) throw new CommandError(refusal);
  const account = await storage.accounts.get(id);
  if (!account) throw new CommandError(`There is no account ${id}.`);
  const repeated = crediting.kind === 'repeated';
  answer(context, options, {
    value: { ...view(account), credited: !repeated },
    rows: [view(account)],
    ...(repeated ? { note: 'This deposit was made before; nothing has moved now.' } : {}),
  });
}

function refusalOf(crediting: Crediting, id: string): string | undefined {
  switch (crediting.kind) {
    case 'credited':
    case 'repeated':
      return undefined;
    case 'reference-used':
      return `The reference belongs to a deposit of ${formatUsd(crediting.amount)} USD.`;
    case 'deposits-exceeded':
      return 'An account cannot hold that much.';
    case 'account-unknown':
      return `There is no account ${id}.`;
  }
}

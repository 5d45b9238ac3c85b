/** `treasury withdraw|withdrawals|cancel`: pays an account's money in USDC, by way of the keeper. */
import type { Command } from 'commander';
import { parseSuiAddress, type SuiAddress } from '../../domain/chain-ids.ts';
import { type MicroUsdc, usdcWorth, worthOf } from '../../domain/deposit.ts';
import { formatUsd, parseUsd } from '../../domain/money.ts';
import type { WithdrawalState } from '../../domain/withdrawal.ts';
import type { BookedWithdrawal, Ordering, WithdrawalBook } from '../../storage/withdrawal-book.ts';
import {
  answer,
  type CommandContext,
  CommandError,
  type Output,
  timeText,
  usageError,
} from '../command.ts';

/** The digest of the genesis checkpoint, by which a chain is known. */
const base58 = /^[1-9A-HJ-NP-Za-km-z]+$/;

const view = ({ withdrawal, state, orderedMs }: BookedWithdrawal) => ({
  reference: withdrawal.reference,
  account: withdrawal.accountId,
  to: withdrawal.recipient,
  usd: formatUsd(worthOf(withdrawal.amount)),
  state: state.kind,
  digest: state.kind === 'paid' ? state.digest : '',
  ordered: timeText(orderedMs),
});

type WithdrawOptions = Output & { account: string; to: string; usd: string; reference: string };

export function addWithdrawalCommands(treasury: Command, context: CommandContext): void {
  treasury
    .command('withdraw')
    .description('take money from an account and send it as USDC, once per reference')
    .requiredOption('--account <id>', 'whose money')
    .requiredOption('--to <address>', 'the address on Sui that gets it: 0x and 64 hex digits')
    .requiredOption('--usd <amount>', 'dollars as a decimal such as 12.5, at least 0.000001')
    .requiredOption('--reference <text>', 'names the withdrawal: repeating it shows how it stands')
    .option('--json', 'print JSON')
    .action((options: WithdrawOptions) => withdraw(context, options));

  treasury
    .command('withdrawals')
    .description('all withdrawals and how they stand, oldest first')
    .option('--json', 'print JSON')
    .action(async (options: Output) => {
      const { book } = await openBook(context);
      const value = (await book.list()).map(view);
      const note = value.length > 0 ? {} : { note: 'no withdrawals' };
      answer(context, options, { value, rows: value, ...note });
    });

  treasury
    .command('cancel')
    .description('give the money of a withdrawal back, unless it is paid or may be')
    .requiredOption('--reference <text>', 'names the withdrawal')
    .option('--json', 'print JSON')
    .action((options: Output & { reference: string }) => cancel(context, options));
}

async function withdraw(context: CommandContext, options: WithdrawOptions): Promise<void> {
  const { account: accountId, reference } = options;
  const amount = amountFrom(options.usd);
  if (reference === '') throw usageError('A reference cannot be empty.');
  const { book, address } = await openBook(context);
  const recipient = recipientFrom(options.to, {
    own: [address, addressFrom(context.stackOwnerAddress(), 'ATOMA_STACK_OWNER_ADDRESS')],
  });
  const ordering = await book.order({ reference, accountId, recipient, amount });
  show(context, { output: options, booked: bookedBy(ordering, accountId) });
}

async function cancel(
  context: CommandContext,
  options: Output & { reference: string },
): Promise<void> {
  const { book } = await openBook(context);
  const booked = await book.cancel(options.reference);
  if (!booked) throw new CommandError(`There is no withdrawal ${options.reference}.`);
  const obstacle = obstacleOf(booked.state);
  if (obstacle !== undefined) throw new CommandError(obstacle);
  show(context, { output: options, booked });
}

function show(
  context: CommandContext,
  { output, booked }: { output: Output; booked: BookedWithdrawal },
): void {
  answer(context, output, { value: view(booked), rows: [view(booked)] });
}

/** Throws where it is refused. */
function bookedBy(ordering: Ordering, accountId: string): BookedWithdrawal {
  switch (ordering.kind) {
    case 'ordered':
      if (ordering.booked.state.kind !== 'refused') return ordering.booked;
      throw new CommandError('The account did not have that much any more. Use another reference.');
    case 'reference-used': {
      const { usd, account, to } = view(ordering.booked);
      throw new CommandError(
        `The reference belongs to a withdrawal of ${usd} USD of ${account} to ${to}.`,
      );
    }
    case 'balance-too-low':
      throw new CommandError(`The account has ${formatUsd(ordering.available)} USD available.`);
    case 'account-unknown':
      throw new CommandError(`There is no account ${accountId}.`);
  }
}

/** Why it is not cancelled, if it is not. */
function obstacleOf({ kind }: WithdrawalState): string | undefined {
  switch (kind) {
    case 'paid':
      return 'It is paid.';
    case 'paying':
      return 'A transaction that pays it may still land. Try again once that is known.';
    case 'refused':
      return 'It was refused: nothing was taken from the account.';
    case 'proposed':
    case 'queued':
    case 'cancelling':
    case 'cancelled':
      return undefined;
  }
}

function amountFrom(text: string): MicroUsdc {
  const usd = parseUsd(text);
  const amount = usd === undefined ? undefined : usdcWorth(usd);
  if (amount === undefined) {
    throw usageError(`"${text}" is not an amount of USDC such as 12.5, of at most six decimals.`);
  }
  return amount;
}

function recipientFrom(text: string, { own }: { own: readonly SuiAddress[] }): SuiAddress {
  const recipient = parseSuiAddress(text);
  if (!recipient) throw usageError(`"${text}" is not an address: 0x and 64 lower-case hex digits.`);
  if (own.includes(recipient)) throw new CommandError(`${text} is the gateway's own address.`);
  return recipient;
}

async function openBook(
  context: CommandContext,
): Promise<{ book: WithdrawalBook; address: SuiAddress }> {
  const chainId = context.suiChainId() ?? '';
  if (!base58.test(chainId)) throw usageError('Set ATOMA_SUI_CHAIN_ID to the id of the chain.');
  const address = addressFrom(context.treasuryAddress(), 'ATOMA_TREASURY_ADDRESS');
  const storage = await context.storage();
  return { book: storage.withdrawals({ chainId, address }), address };
}

function addressFrom(text: string | undefined, name: string): SuiAddress {
  const address = parseSuiAddress(text ?? '');
  if (!address) throw usageError(`Set ${name} to an address on Sui.`);
  return address;
}

/** The operator's command: its subcommands, and how mistakes end. */
import { Command, CommanderError } from 'commander';
import { type CommandContext, CommandError, usageExitCode } from './command.ts';
import { addAccountCommands } from './commands/account.ts';
import { addAuditCommand } from './commands/audit.ts';
import { addChainCommands } from './commands/chain.ts';
import { addKeyCommands } from './commands/key.ts';
import { addKeyFileCommands } from './commands/keyfile.ts';
import { addModelCommands } from './commands/model.ts';
import { addNodeCommands } from './commands/node.ts';
import { addTreasuryStatus } from './commands/treasury.ts';
import { addWithdrawalCommands } from './commands/withdrawal.ts';

export type ProgramContext = CommandContext & { readonly printError: (text: string) => void };

/** Runs one command and returns the exit code: 0 done, 1 refused or failed, 2 wrongly called. */
export async function runProgram(
  args: readonly string[],
  context: ProgramContext,
): Promise<number> {
  const program = new Command('admin')
    .description('Accounts, keys, key files, prices, nodes, the chain and the audit of a gateway.')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.print(text.trimEnd()),
      writeErr: (text) => context.printError(text.trimEnd()),
    });
  addAccountCommands(program, context);
  addKeyCommands(program, context);
  addKeyFileCommands(program, context);
  addModelCommands(program, context);
  addNodeCommands(program, context);
  addChainCommands(program, context);
  const treasury = program.command('treasury').description('the gateway’s money on the chain');
  addTreasuryStatus(treasury, context);
  addWithdrawalCommands(treasury, context);
  addAuditCommand(program, context);
  inheritSettings(program);

  try {
    await program.parseAsync([...args], { from: 'user' });
    return 0;
  } catch (cause) {
    return exitCodeOf(cause, context);
  }
}

/** Subcommands report and end as the program does. */
function inheritSettings(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command);
    inheritSettings(child);
  }
}

function exitCodeOf(cause: unknown, context: ProgramContext): number {
  // Commander has already said what is wrong, or has printed the help that was asked for.
  if (cause instanceof CommanderError) return cause.exitCode === 0 ? 0 : usageExitCode;
  if (cause instanceof CommandError) {
    context.printError(cause.message);
    return cause.exitCode;
  }
  context.printError(`It failed: ${cause instanceof Error ? cause.message : String(cause)}`);
  return 1;
}

/** What the commands share: the storage that they act on, and how they answer people and programs. */
import Table from 'cli-table3';
import type { Storage } from '../storage/storage.ts';

export type CommandContext = {
  /** Connects at the first call. */
  readonly storage: () => Promise<Storage>;
  /** Where Envoy's admin address is; nothing where no instance is known. */
  readonly envoyAdmin: () => string | undefined;
  /** The id of the contract's database; nothing where it is not set. */
  readonly suiDatabase: () => string | undefined;
  /** What encrypts key files and opens them; nothing where it is not set. */
  readonly keyPassphrase: () => Promise<string | undefined>;
  /** All of standard input; nothing where a person sits there, whose screen would show it. */
  readonly readInput: () => Promise<Buffer | undefined>;
  /** Which treasury the command is about: the chain, its address there, and that of the stack owner. */
  readonly suiChainId: () => string | undefined;
  readonly treasuryAddress: () => string | undefined;
  readonly stackOwnerAddress: () => string | undefined;
  readonly print: (text: string) => void;
  readonly nowMs: () => number;
};

export type Output = { readonly json?: boolean | undefined };

/** A mistake of the person at the keyboard or a thing that is not there: one line, no stack trace. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

export const usageExitCode = 2;

export const usageError = (message: string) => new CommandError(message, usageExitCode);

/** Prints the value as JSON, or the rows as a table. */
export function answer(
  context: CommandContext,
  output: Output,
  result: { value: unknown; rows: readonly Readonly<Record<string, string>>[]; note?: string },
): void {
  if (output.json) {
    context.print(JSON.stringify(result.value));
    return;
  }
  const [first] = result.rows;
  if (first) {
    const table = new Table({ head: Object.keys(first), style: { head: [], border: [] } });
    table.push(...result.rows.map((row) => Object.values(row)));
    context.print(table.toString());
  }
  if (result.note !== undefined) context.print(result.note);
}

export const timeText = (timeMs: number | undefined): string =>
  timeMs === undefined ? '' : new Date(timeMs).toISOString();

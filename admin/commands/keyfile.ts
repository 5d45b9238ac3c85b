/** `keyfile create|show|encrypt|decrypt|import`: the gateway's own signing keys, in files. Needs no running gateway. */
import { randomBytes } from 'node:crypto';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { sealKey } from '../../chain/key-container.ts';
import { describeKeyFile, readKeyFile } from '../../chain/key-file.ts';
import { importKey } from '../../chain/key-import.ts';
import { keyOfSeed, type SigningKey, seedOf, toKeystoreEntry } from '../../chain/keystore.ts';
import { readPassphraseFile } from '../../runtime/key-passphrase.ts';
import { readPrivateFile, writePrivateFile } from '../../runtime/private-file.ts';
import { answer, type CommandContext, CommandError, type Output, usageError } from '../command.ts';

/** What people think of as a password would be guessed from a stolen file. */
const passphraseLengthMin = 12;

type Writing = Output & { readonly out: string; readonly plain?: boolean };
type Encrypting = Output & { readonly out: string; readonly newPassphraseFile?: string };

export function addKeyFileCommands(program: Command, context: CommandContext): void {
  const keyFile = program.command('keyfile').description('signing keys of the gateway, in files');
  keyFile
    .command('create')
    .description('make a key')
    .requiredOption('--out <file>', 'a file that does not exist yet')
    .option('--plain', 'as it stands, without a passphrase')
    .option('--json', 'print JSON')
    .action(async (options: Writing) => create(context, options));
  keyFile
    .command('show <file>')
    .description('the address of a key, and whether it is encrypted')
    .option('--check', 'prove that the passphrase opens it')
    .option('--json', 'print JSON')
    .action(async (file: string, options: Output & { check?: boolean }) => {
      if (options.check) await readKeyFile(file, { passphrase: await context.keyPassphrase() });
      tell(context, options, { file, ...(await describeKeyFile(file)) });
    });
  keyFile
    .command('encrypt <file>')
    .description('write a key anew, under a passphrase')
    .requiredOption('--out <file>', 'a file that does not exist yet')
    .option('--new-passphrase-file <file>', 'another passphrase than the one that opens it')
    .option('--json', 'print JSON')
    .action(async (file: string, options: Encrypting) => encrypt(context, file, options));
  keyFile
    .command('decrypt <file>')
    .description('write a key as it stands, for another tool that is to sign with it')
    .requiredOption('--out <file>', 'a file that does not exist yet')
    .option('--json', 'print JSON')
    .action(async (file: string, options: Writing) => {
      const key = await readKeyFile(file, { passphrase: await context.keyPassphrase() });
      await write(context, options, { key, passphrase: undefined });
    });
  keyFile
    .command('import [file]')
    .description('take a keystore entry or suiprivkey1… from standard input, or from a file')
    .requiredOption('--out <file>', 'a file that does not exist yet')
    .option('--plain', 'as it stands, without a passphrase')
    .option('--json', 'print JSON')
    .action(async (file: string | undefined, options: Writing) => {
      const passphrase = await passphraseFor(context, options);
      await write(context, options, { key: await readForeign(context, file), passphrase });
    });
}

async function create(context: CommandContext, options: Writing): Promise<void> {
  const passphrase = await passphraseFor(context, options);
  const seed = randomBytes(32);
  const key = keyOfSeed(seed);
  seed.fill(0);
  await write(context, options, { key, passphrase });
}

async function encrypt(context: CommandContext, file: string, options: Encrypting): Promise<void> {
  const { newPassphraseFile } = options;
  const current = await context.keyPassphrase();
  const next = newPassphraseFile ? await readPassphraseFile(newPassphraseFile) : current;
  const passphrase = assertStrong(next);
  await write(context, options, {
    key: await readKeyFile(file, { passphrase: current }),
    passphrase,
  });
}

/** Nothing where the key is to be written as it stands. */
async function passphraseFor(
  context: CommandContext,
  options: Writing,
): Promise<string | undefined> {
  return options.plain ? undefined : assertStrong(await context.keyPassphrase());
}

function assertStrong(passphrase: string | undefined): string {
  if (passphrase === undefined) {
    throw usageError(
      'Set ATOMA_KEY_PASSPHRASE_FILE or ATOMA_KEY_PASSPHRASE, under which the key is encrypted.',
    );
  }
  if (passphrase.length >= passphraseLengthMin) return passphrase;
  throw new CommandError(`The passphrase needs ${passphraseLengthMin} characters or more.`);
}

async function readForeign(context: CommandContext, file: string | undefined): Promise<SigningKey> {
  const input = file === undefined ? await context.readInput() : await readPrivateFile(file);
  if (input === undefined) {
    throw usageError('Name the file that holds the key, or lead it to standard input.');
  }
  const imported = importKey(input.toString('utf8'));
  input.fill(0);
  if (imported.kind === 'key') return imported.key;
  throw new CommandError(`${file ?? 'The input'} ${imported.reason}.`);
}

async function write(
  context: CommandContext,
  options: Writing,
  { key, passphrase }: { key: SigningKey; passphrase: string | undefined },
): Promise<void> {
  const text = passphrase === undefined ? `${entryOf(key)}\n` : await sealKey(key, { passphrase });
  await writePrivateFile(options.out, text);
  // Before anybody sends coins to the address.
  const { address } = await readKeyFile(options.out, { passphrase });
  if (address !== key.address) throw new Error(`${options.out} does not hold what was written`);
  tell(context, options, { file: options.out, address, isEncrypted: passphrase !== undefined });
}

function entryOf(key: SigningKey): string {
  const seed = seedOf(key);
  const entry = toKeystoreEntry(seed);
  seed.fill(0);
  return entry;
}

function tell(
  context: CommandContext,
  output: Output,
  told: { file: string; address: string; isEncrypted: boolean },
): void {
  const { address, isEncrypted } = told;
  const file = resolve(told.file);
  answer(context, output, {
    value: { file, address, encrypted: isEncrypted },
    rows: [{ file, address, encrypted: isEncrypted ? 'yes' : 'no' }],
  });
}

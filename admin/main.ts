/** `npm run admin -- …`: acts on the Redis of REDIS_URL, else on that of the instance in the data folder. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import type { z } from 'zod';
import { runFile } from '../launch/run-file.ts';
import { readKeyPassphrase } from '../runtime/key-passphrase.ts';
import { createLogger } from '../runtime/log.ts';
import { createStorage, type Storage } from '../storage/storage.ts';
import { CommandError } from './command.ts';
import { runProgram } from './program.ts';

const running = runFile.omit({ pid: true, baseUrl: true });

const runPath = join(process.env.ATOMA_DATA_DIR || 'data', 'run.json');

/** Where the instance of the data folder can be reached; nothing while none runs. */
function readRunFile(): z.infer<typeof running> | undefined {
  try {
    return running.parse(JSON.parse(readFileSync(runPath, 'utf8')));
  } catch {
    return undefined;
  }
}

let storage: Promise<Storage> | undefined;

async function connect(): Promise<Storage> {
  const redisUrl = process.env.REDIS_URL || readRunFile()?.redisUrl;
  if (redisUrl === undefined) {
    throw new CommandError(
      `No running instance was found (${runPath}). Start one with "npm start", or set REDIS_URL.`,
    );
  }
  const opened = await createStorage({
    redisUrl,
    log: createLogger({ name: 'admin', level: 'silent' }),
  });
  await opened.ping().catch((cause: unknown) => {
    opened.close();
    throw new CommandError(`Redis does not answer: ${String(cause)}`);
  });
  return opened;
}

const exitCode = await runProgram(process.argv.slice(2), {
  storage() {
    storage ??= connect();
    return storage;
  },
  envoyAdmin: () => process.env.ATOMA_ENVOY_ADMIN || readRunFile()?.envoyAdmin,
  suiDatabase: () => process.env.ATOMA_SUI_DATABASE || readRunFile()?.suiDatabase,
  keyPassphrase: () =>
    readKeyPassphrase({
      ATOMA_KEY_PASSPHRASE: process.env.ATOMA_KEY_PASSPHRASE || undefined,
      ATOMA_KEY_PASSPHRASE_FILE: process.env.ATOMA_KEY_PASSPHRASE_FILE || undefined,
    }),
  readInput: async () => (process.stdin.isTTY ? undefined : buffer(process.stdin)),
  suiChainId: () => process.env.ATOMA_SUI_CHAIN_ID || readRunFile()?.suiChainId,
  treasuryAddress: () => process.env.ATOMA_TREASURY_ADDRESS || readRunFile()?.treasury,
  stackOwnerAddress: () => process.env.ATOMA_STACK_OWNER_ADDRESS || readRunFile()?.stackOwner,
  print: (text) => void process.stdout.write(`${text}\n`),
  printError: (text) => void process.stderr.write(`${text}\n`),
  nowMs: () => Date.now(),
});
await storage?.then(
  (opened) => opened.close(),
  () => undefined,
);
process.exitCode = exitCode;

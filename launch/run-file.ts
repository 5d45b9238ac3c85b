/** `run.json` in the data folder: who runs there and how to reach it. Two instances on one folder would share a ledger file. */
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** What stands in the file once the instance is reachable; before that it is the process alone. */
export const runFile = z.object({
  pid: z.int(),
  redisUrl: z.string(),
  envoyAdmin: z.string(),
  baseUrl: z.string(),
  /** The chain, the contract on it that the gateway follows, and who the gateway is there. */
  suiChainId: z.string().optional(),
  suiDatabase: z.string().optional(),
  treasury: z.string().optional(),
  stackOwner: z.string().optional(),
});

export type RunFile = z.infer<typeof runFile>;

const pathOf = (dataDir: string) => join(dataDir, 'run.json');

/** The process that runs on this folder, if one does. */
export async function findRunning(dataDir: string): Promise<number | undefined> {
  try {
    const { pid } = z
      .object({ pid: z.int() })
      .parse(JSON.parse(await readFile(pathOf(dataDir), 'utf8')));
    return (await isGateway(pid)) ? pid : undefined;
  } catch {
    return undefined;
  }
}

/** A number may belong to another program by now; Linux tells the command. */
async function isGateway(pid: number): Promise<boolean> {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return readFile(`/proc/${pid}/cmdline`, 'utf8').then(
    (command) => command.includes('launch/main'),
    () => true,
  );
}

export async function writeRunFile(dataDir: string, content: Partial<RunFile>): Promise<void> {
  await writeFile(pathOf(dataDir), `${JSON.stringify({ pid: process.pid, ...content })}\n`);
}

export const removeRunFile = (dataDir: string): Promise<void> =>
  rm(pathOf(dataDir), { force: true });

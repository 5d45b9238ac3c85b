/** The demo account, credited once, with a key that stays the same across restarts; and the proof that the gateway answers. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Catalogue } from '../domain/model.ts';
import { type PicoUsd, parseUsd, picoUsd } from '../domain/money.ts';
import { sha256Hex } from '../storage/api-keys.ts';
import type { Storage } from '../storage/storage.ts';
import { openAccount } from './open-account.ts';

const demoFile = z.object({
  baseUrl: z.string(),
  apiKey: z.string(),
  accountId: z.string(),
  envoyAdmin: z.string(),
});

export type Demo = z.infer<typeof demoFile>;

const credentialsFile = demoFile.pick({ apiKey: true, accountId: true });

export type Credentials = z.infer<typeof credentialsFile>;

const demoCredit = parseUsd('100') ?? picoUsd(0n);
const checkCredit = parseUsd('1') ?? picoUsd(0n);
const pollMs = 50;

const pathOf = (dataDir: string) => join(dataDir, 'demo.json');

/** The demo account's: those of the last start where they are still good, else new ones with a first deposit. */
export const demoCredentials = (storage: Storage, dataDir: string): Promise<Credentials> =>
  ensureCredentials(storage, { file: pathOf(dataDir), name: 'demo', credit: demoCredit });

/** Those of the account that pays for the completion of each start, so that no other balance changes by a restart. */
export async function checkCredentials(storage: Storage, dataDir: string): Promise<Credentials> {
  const file = join(dataDir, 'start-check.json');
  const options = { file, name: 'start-check', credit: checkCredit };
  const credentials = await ensureCredentials(storage, options);
  await writePrivate(file, credentials);
  return credentials;
}

async function ensureCredentials(
  storage: Storage,
  options: { file: string; name: string; credit: PicoUsd },
): Promise<Credentials> {
  const { file, name, credit } = options;
  const known = await readCredentials(file);
  if (known) {
    const key = await storage.apiKeys.find(sha256Hex(known.apiKey));
    if (key?.accountId === known.accountId && key.revokedMs === undefined) return known;
  }
  const { apiKey, accountId } = await openAccount(storage, { name, credit });
  return { apiKey, accountId };
}

async function readCredentials(file: string): Promise<Credentials | undefined> {
  try {
    return credentialsFile.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch {
    return undefined;
  }
}

export const writeDemo = (dataDir: string, demo: Demo): Promise<void> =>
  writePrivate(pathOf(dataDir), demo);

/** Readable by the owner only: it holds a key. */
const writePrivate = (file: string, content: object): Promise<void> =>
  writeFile(file, `${JSON.stringify(content, undefined, 2)}\n`, { mode: 0o600 });

/** The first model for chats that can be called; nothing where none appears in time. */
export async function findChatModel(
  storage: Storage,
  timeoutMs: number,
): Promise<string | undefined> {
  const endMs = performance.now() + timeoutMs;
  do {
    const model = chatModelOf(await storage.catalogue.read());
    if (model !== undefined) return model;
    await delay(pollMs);
  } while (performance.now() < endMs);
  return undefined;
}

const chatModelOf = ({ models }: Catalogue): string | undefined =>
  models.find(
    ({ endpoints, protocols, price }) =>
      endpoints.includes('chat') && protocols.length > 0 && price !== undefined,
  )?.id;

export const chatBody = (model: string): string =>
  JSON.stringify({ model, messages: [{ role: 'user', content: 'Hello' }] });

/** Sends chats until one is answered. @throws with the last answer where none is in time. */
export async function completeOnce(
  options: Credentials & { baseUrl: string; model: string; timeoutMs: number },
): Promise<void> {
  const endMs = performance.now() + options.timeoutMs;
  let last = '';
  while (performance.now() < endMs) {
    const response = await fetch(`${options.baseUrl}/v1/chat/completions`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${options.apiKey}`,
        'content-type': 'application/json',
      },
      body: chatBody(options.model),
    });
    const text = await response.text();
    if (response.ok) return;
    last = `${response.status} ${text}`;
    await delay(pollMs);
  }
  throw new Error(`The first completion did not succeed: ${last}`);
}

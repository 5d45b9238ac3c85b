/** The demo account: credited once, with a key that stays the same across restarts, proven by a real completion. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { noLimits, scopes } from '../domain/api-key.ts';
import type { Catalogue } from '../domain/model.ts';
import { parseUsd, picoUsd } from '../domain/money.ts';
import { sha256Hex } from '../storage/api-keys.ts';
import type { Storage } from '../storage/storage.ts';

const demoFile = z.object({
  baseUrl: z.string(),
  apiKey: z.string(),
  accountId: z.string(),
  envoyAdmin: z.string(),
});

export type Demo = z.infer<typeof demoFile>;

export type Credentials = Pick<Demo, 'apiKey' | 'accountId'>;

const credit = parseUsd('100') ?? picoUsd(0n);
const pollMs = 50;

const pathOf = (dataDir: string) => join(dataDir, 'demo.json');

/** The credentials of the last start where they are still good, else new ones with a first deposit. */
export async function demoCredentials(storage: Storage, dataDir: string): Promise<Credentials> {
  const known = await readDemo(dataDir);
  if (known) {
    const key = await storage.apiKeys.find(sha256Hex(known.apiKey));
    if (key?.accountId === known.accountId && key.revokedMs === undefined) return known;
  }
  const account = await storage.accounts.create({ name: 'demo' });
  await storage.accounts.credit({ accountId: account.id, amount: credit, reference: 'demo' });
  const { text } = await storage.apiKeys.create({
    accountId: account.id,
    name: 'demo',
    expiresMs: undefined,
    scopes,
    models: undefined,
    limits: noLimits,
  });
  return { apiKey: text, accountId: account.id };
}

async function readDemo(dataDir: string): Promise<Demo | undefined> {
  try {
    return demoFile.parse(JSON.parse(await readFile(pathOf(dataDir), 'utf8')));
  } catch {
    return undefined;
  }
}

/** Readable by the owner only: it holds a key. */
export async function writeDemo(dataDir: string, demo: Demo): Promise<void> {
  await writeFile(pathOf(dataDir), `${JSON.stringify(demo, undefined, 2)}\n`, { mode: 0o600 });
}

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

/** After a run: nothing is held, the ledger adds up, and each account paid what its usage costs. */
import { setTimeout as delay } from 'node:timers/promises';
import { formatUsd } from '../domain/money.ts';
import { costOf, type Price } from '../domain/price.ts';
import type { Storage } from '../storage/storage.ts';
import type { UsageLine } from '../storage/usage-list.ts';

/** What an account was billed while it was followed. */
export type Billed = {
  requests: number;
  /** The sum over all usage of tokens times price. */
  cost: bigint;
  inputTokens: number;
  cachedInputTokens: number;
  outputTokens: number;
  /** Requests by how they ended. */
  readonly endings: Record<string, number>;
};

export type Following = {
  /** Waits until nothing is held, then compares. @throws where spend and usage differ. */
  finish(): Promise<Billed>;
};

const settledMs = 30_000;
const pollMs = 100;
const followMs = 250;
const pageLines = 100;

/** @throws where money is still held some time after the run, or the ledger does not add up. */
export async function assertLedgerClean(storage: Storage): Promise<string> {
  const held = async () => sumOf(await storage.accounts.list(), ({ balance }) => balance.reserved);
  await untilZero(held);
  const report = await storage.audit();
  if (!report.ok) {
    throw new Error(`The ledger does not add up: ${report.problems.slice(0, 5).join('; ')}`);
  }
  return `the ledger of ${report.accounts} accounts adds up, nothing is held`;
}

/**
 * Reads an account's usage while a run goes on: the list keeps the newest some thousand lines only, so that a look at the
 * end would miss the first ones.
 */
export async function followUsage(storage: Storage, accountId: string): Promise<Following> {
  const prices = await pricesIn(storage);
  const billed = noBill();
  let newest: string | undefined;
  let stopped = false;

  async function readNew(): Promise<void> {
    const lines = await linesAfter(newest, { storage, accountId });
    for (const line of lines) addTo(billed, line, prices);
    newest = lines[0]?.cursor ?? newest;
  }

  async function follow(): Promise<void> {
    while (!stopped) {
      await readNew();
      await delay(followMs);
    }
  }

  const following = follow();
  // Reported by `finish`; until then it must not end the process.
  following.catch(() => undefined);
  return {
    async finish() {
      await untilZero(async () => (await storage.ledger.balance(accountId)).reserved);
      stopped = true;
      await following;
      await readNew();
      const { settled } = await storage.ledger.balance(accountId);
      if (settled === billed.cost) return billed;
      throw new Error(
        `The account has spent ${formatUsd(settled)} USD; its usage costs ${formatUsd(billed.cost)}.`,
      );
    },
  };
}

/** What is wrong with a bill of so many requests that all went well. */
export function billProblems({ endings }: Billed, requests: number): string[] {
  const isRight = endings.completed === requests && Object.keys(endings).length === 1;
  if (isRight) return [];
  return [`of ${requests} requests, these are billed: ${JSON.stringify(endings)}`];
}

export const noBill = (): Billed => ({
  requests: 0,
  cost: 0n,
  inputTokens: 0,
  cachedInputTokens: 0,
  outputTokens: 0,
  endings: {},
});

/** By model and version. */
export type Prices = ReadonlyMap<string, Price>;

const priceName = (model: string, version: string) => `${model} ${version}`;

async function pricesIn(storage: Storage): Promise<Prices> {
  const { models } = await storage.catalogue.read();
  return new Map(
    models.flatMap(({ id, price }) => (price ? [[priceName(id, price.version), price]] : [])),
  );
}

/** Adds one line. @throws where its price is not known or its charge is not its usage times its price. */
export function addTo(billed: Billed, { record, charged }: UsageLine, prices: Prices): void {
  const { usage, requestId, ending } = record;
  const price = prices.get(priceName(record.model, record.priceVersion));
  if (!price) throw new Error(`${requestId} has a price that is on no list`);
  const cost = costOf(price, usage);
  if (cost !== charged) {
    throw new Error(`${requestId} costs ${formatUsd(cost)} USD, charged are ${formatUsd(charged)}`);
  }
  billed.requests += 1;
  billed.cost += cost;
  billed.inputTokens += usage.inputTokens;
  billed.cachedInputTokens += usage.cachedInputTokens;
  billed.outputTokens += usage.outputTokens;
  billed.endings[ending] = (billed.endings[ending] ?? 0) + 1;
}

/** The lines newer than the cursor, newest first; all that there are without one. */
async function linesAfter(
  cursor: string | undefined,
  options: { storage: Storage; accountId: string },
): Promise<UsageLine[]> {
  const { storage, accountId } = options;
  const found: UsageLine[] = [];
  let before: string | undefined;
  do {
    const page = await storage.usage.page({ accountId, before, limit: pageLines });
    for (const line of page?.lines ?? []) {
      if (line.cursor === cursor) return found;
      found.push(line);
    }
    before = page?.next;
  } while (before !== undefined);
  return found;
}

async function untilZero(read: () => Promise<bigint>): Promise<void> {
  const endMs = performance.now() + settledMs;
  let held = await read();
  while (held > 0n && performance.now() < endMs) {
    await delay(pollMs);
    held = await read();
  }
  if (held > 0n) throw new Error(`${formatUsd(held)} USD are still held after the run.`);
}

const sumOf = <Item>(items: readonly Item[], amount: (item: Item) => bigint): bigint =>
  items.reduce((sum, item) => sum + amount(item), 0n);

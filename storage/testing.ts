/** Shared by the tests of this folder: storage over a test's Redis, and orders with sensible defaults. */
import { noLimits } from '../domain/api-key.ts';
import type { Evidence } from '../domain/evidence.ts';
import { picoUsd } from '../domain/money.ts';
import type { ReserveOrder, SettleOrder, UsageRecord } from '../domain/reservation.ts';
import { noUsage } from '../domain/usage.ts';
import { silentLog } from '../runtime/silent-log.ts';
import { connectRedis, type Redis } from './redis.ts';
import { createStorage, type Storage } from './storage.ts';

const connectMsMax = 5000;

type RunningRedis = { readonly url: string; stop(): Promise<void> };

export type OwnRedis<Server = RunningRedis> = {
  readonly server: Server;
  readonly redis: Redis;
  close(): Promise<void>;
};

/** Connects to a Redis of the test's own, and ends both together. */
export async function openRedis<Server extends RunningRedis>(
  server: Server,
): Promise<OwnRedis<Server>> {
  const redis = connectRedis({ redisUrl: server.url, log: silentLog });
  await redis.waitUntilReady(connectMsMax);
  return {
    server,
    redis,
    async close() {
      redis.close();
      await server.stop();
    },
  };
}

export const openStorage = (redisUrl: string): Promise<Storage> =>
  createStorage({ redisUrl, log: silentLog });

/** An account with that much money. */
export async function fundedAccount(storage: Storage, amount: bigint): Promise<string> {
  const { id } = await storage.accounts.create({ name: 'test' });
  if (amount > 0n) {
    await storage.accounts.credit({ accountId: id, amount: picoUsd(amount), reference: 'start' });
  }
  return id;
}

export function reserveOrder(
  order: Partial<ReserveOrder> & { accountId: string; requestId: string },
): ReserveOrder {
  return {
    keyId: 'key_1',
    limits: noLimits,
    model: 'small',
    endpoint: 'chat',
    amount: picoUsd(10n),
    tokens: 10,
    leaseMs: 60_000,
    ...order,
  };
}

export function settleOrder(options: {
  accountId: string;
  requestId: string;
  cost?: bigint;
  tokens?: number;
  record?: Partial<UsageRecord>;
  evidence?: Evidence;
}): SettleOrder {
  const { accountId, requestId, cost = 0n, tokens = 0 } = options;
  const record: UsageRecord = {
    timeMs: 1,
    requestId,
    keyId: 'key_1',
    model: 'small',
    endpoint: 'chat',
    nodeId: 'node-1',
    priceVersion: 'v1',
    usage: { ...noUsage, outputTokens: tokens },
    estimated: false,
    status: 200,
    ending: 'completed',
    ...options.record,
  };
  return { accountId, requestId, cost: picoUsd(cost), record, evidence: options.evidence };
}

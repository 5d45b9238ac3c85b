/** What an account has used, newest first. */
import type { PicoUsd } from '../domain/money.ts';
import type { UsageRecord } from '../domain/reservation.ts';
import { amountFrom, usageRecordFromJson } from './codecs.ts';
import { accountKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { streamEntriesFrom } from './reply.ts';

export type UsageLine = {
  /** The cursor that continues after this line. */
  readonly cursor: string;
  readonly charged: PicoUsd;
  readonly record: UsageRecord;
};

export type UsagePage = {
  readonly lines: readonly UsageLine[];
  /** Nothing on the last page. */
  readonly next: string | undefined;
};

export type UsageList = {
  /** `before` is the cursor of an earlier page; nothing where it has not the form of one. */
  page(options: {
    accountId: string;
    before: string | undefined;
    limit: number;
  }): Promise<UsagePage | undefined>;
};

export const usagePageMax = 100;

export function createUsageList(redis: Redis): UsageList {
  return {
    async page({ accountId, before, limit }) {
      if (before !== undefined && !/^\d{1,15}-\d{1,15}$/.test(before)) return undefined;
      const count = Math.min(Math.max(Math.trunc(limit), 1), usagePageMax);
      const key = accountKeys(accountId).usage;
      const end = before === undefined ? '+' : `(${before}`;
      // One more than asked for tells whether a page follows.
      const command = ['XREVRANGE', key, end, '-', 'COUNT', String(count + 1)];
      const entries = streamEntriesFrom(await redis.send(key, command));
      const lines = entries.slice(0, count).map(({ id, fields }) => ({
        cursor: id,
        charged: amountFrom(fields.get('charged') ?? ''),
        record: usageRecordFromJson(fields.get('record') ?? ''),
      }));
      return { lines, next: entries.length > count ? lines.at(-1)?.cursor : undefined };
    },
  };
}

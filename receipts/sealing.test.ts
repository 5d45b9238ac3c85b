import { describe, expect, it } from 'vitest';
import { silentLog } from '../runtime/silent-log.ts';
import { openRedis } from '../storage/deposit-testing.ts';
import { key, partsOver, reserveAndSettle } from '../storage/receipt-testing.ts';
import { fundedAccount, openStorage } from '../storage/testing.ts';
import { startRedis } from '../test/redis.ts';
import { until } from '../test/until.ts';
import { startSealing, treeSizeMax } from './sealing.ts';
import { publishedOf } from './testing.ts';
import { verifyChain } from './verification.ts';

describe('sealing', () => {
  it('runs in several processes, and fills trees to their size', async () => {
    const server = await startRedis();
    const redis = await openRedis(server.url);
    const storage = await openStorage(server.url);
    const accountId = await fundedAccount(storage, 10n ** 15n);
    const parts = partsOver(redis);
    const count = treeSizeMax + 10;
    await Promise.all(Array.from({ length: count }, () => reserveAndSettle(parts, { accountId })));
    const common = {
      signer: async () => key,
      nowMs: () => Date.now(),
      intervalMs: 20,
      log: silentLog,
    };
    const seen: number[] = [];
    const running = [1, 2].map(() =>
      startSealing({ ...common, store: parts.store, onRoot: ({ size }) => seen.push(size) }),
    );
    try {
      await until('all are sealed', () => seen.reduce((sum, size) => sum + size, 0) === count);
      const roots = await parts.book.roots({ after: 0, limit: 100 });
      expect(roots.map(({ size }) => size)).toEqual(seen);
      expect(verifyChain(roots, { keys: [publishedOf(key)] })).toEqual({ kind: 'valid' });
    } finally {
      for (const one of running) await one.close();
      storage.close();
      redis.close();
      await server.stop();
    }
  }, 30_000);
});

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../runtime/silent-log.ts';
import type { Storage } from '../../storage/storage.ts';
import { openStorage } from '../../storage/testing.ts';
import { ann, bob, type Payments, startPayments } from '../../test/payments.ts';
import { startRedis, type TestRedis } from '../../test/redis.ts';
import { lookUpDeposit } from './lookup.ts';
import { connectDeposits } from './testing.ts';

const signal = new AbortController().signal;

let redis: TestRedis;
let storage: Storage;
let world: Payments;
beforeAll(async () => {
  redis = await startRedis();
  storage = await openStorage(redis.url);
}, 30_000);
afterAll(async () => {
  storage.close();
  await redis.stop();
});
beforeEach(async () => {
  world = await startPayments(storage);
});
afterEach(async () => {
  await world.close();
  const { problems, deposits } = await storage.audit();
  expect(problems).toEqual([]);
  expect(deposits.onChain).toBe(deposits.credited + deposits.waiting);
});

describe('looking a deposit up', () => {
  const lookUp = (digest: string) => {
    const fullNode = connectDeposits({ host: world.node.address, chainId: world.chainId });
    const options = {
      fullNode,
      store: world.book,
      treasury: world.gateway,
      digest,
      log: silentLog,
      signal,
    };
    return lookUpDeposit(options).finally(() => fullNode.close());
  };

  it('credits one digest once, for fifty callers at once beside the follower', async () => {
    const accountId = await world.accountWith(ann);
    const digest = await world.pay(ann, { amount: 7n });
    world.node.seal();
    world.start();
    const found = await Promise.all(Array.from({ length: 50 }, () => lookUp(digest)));
    expect(found.every(({ kind }) => kind === 'deposit')).toBe(true);
    await world.caughtUp();
    expect(await world.deposited(accountId)).toBe(7_000_000n);
  });

  it('waits for the checkpoint', async () => {
    await world.close();
    world = await startPayments(storage, { checkpointMs: 0 });
    const digest = await world.pay(ann, { amount: 7n });
    expect(await lookUp(digest)).toEqual({ kind: 'not-final' });
    world.node.seal();
    expect(await lookUp(digest)).toMatchObject({ kind: 'deposit', deposit: { amount: 7n } });
  });

  it('finds nothing in what pays others, or does not exist', async () => {
    const digest = await world.pay(ann, { amount: 7n, to: bob.toSuiAddress() });
    world.node.seal();
    expect(await lookUp(digest)).toEqual({ kind: 'no-deposit' });
    expect(await lookUp('4btiuiMPvEENsttpZC7CZ53DruC3MAgfznDbASZ7DR6S')).toEqual({
      kind: 'unknown',
    });
  });
});

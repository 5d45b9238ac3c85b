/** Ends what nobody else ended: reservations and unit holds past their lease. Any number of sweepers may run at once. */
import { setTimeout as sleep } from 'node:timers/promises';
import { accountIds } from './accounts.ts';
import { accountKeys, globalKeys, poolKeys } from './keys.ts';
import { usageRecordsMax } from './ledger.ts';
import type { Redis } from './redis.ts';
import { textsFrom } from './reply.ts';
import { scripts } from './script.ts';

type Sweep = {
  readonly accounts: number;
  readonly expiredReservations: number;
  readonly expiredHolds: number;
};

export type Sweeper = {
  /** Visits every account and pool once; ends early where the signal aborts. */
  sweep(signal: AbortSignal): Promise<Sweep>;
};

/** 10,000 accounts are 50 slices: with the pauses at most about 3 seconds. */
const sliceSize = 200;
const slicePauseMs = 20;
/** What one call may end, so that no script holds up Redis for long. */
const expiredPerCallMax = 100;

export function createSweeper(redis: Redis): Sweeper {
  return {
    async sweep(signal) {
      let accounts = 0;
      let expiredReservations = 0;
      for (let first = 0; !signal.aborted; first += sliceSize) {
        const ids = await accountIds(redis, { first, last: first + sliceSize - 1 });
        const expired = await Promise.all(ids.map((id) => sweepAccount(redis, id)));
        accounts += ids.length;
        expiredReservations += sum(expired);
        if (ids.length < sliceSize) break;
        await sleep(slicePauseMs);
      }
      const models = signal.aborted ? [] : await pooledModels(redis);
      const holds = await Promise.all(models.map((model) => sweepPool(redis, model)));
      return { accounts, expiredReservations, expiredHolds: sum(holds) };
    },
  };
}

const sum = (numbers: readonly number[]) => numbers.reduce((total, number) => total + number, 0);

async function pooledModels(redis: Redis): Promise<readonly string[]> {
  const key = globalKeys.pooledModels;
  return textsFrom(await redis.send(key, ['SMEMBERS', key]));
}

function sweepAccount(redis: Redis, accountId: string): Promise<number> {
  const { balance, leases, entries, usage, openPrefix, limitsPrefix } = accountKeys(accountId);
  const limits = [String(expiredPerCallMax), String(usageRecordsMax)];
  const call = {
    keys: [balance, leases, entries, usage],
    args: [openPrefix, limitsPrefix, ...limits],
  };
  return repeatWhileFull(() => scripts.expire(redis, call));
}

function sweepPool(redis: Redis, model: string): Promise<number> {
  const { pool, holds, leases } = poolKeys(model);
  const call = { keys: [pool, holds, leases], args: [String(expiredPerCallMax)] };
  return repeatWhileFull(() => scripts.unitExpire(redis, call));
}

async function repeatWhileFull(expire: () => Promise<unknown>): Promise<number> {
  let total = 0;
  let count = expiredPerCallMax;
  while (count === expiredPerCallMax) {
    count = Number(await expire());
    total += count;
  }
  return total;
}

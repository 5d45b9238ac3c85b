/** The compute units of a model's stacks over Redis. Units are plain integers, far below 2^53. */
import type { Stack } from '../domain/fleet.ts';
import type { UnitPool } from '../domain/reservation.ts';
import { globalKeys, poolKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { fieldsFrom } from './reply.ts';
import { scripts } from './script.ts';

type StackState = {
  readonly id: string;
  readonly units: number;
  readonly used: number;
  readonly free: number;
  /** False where the control plane does not find it any more. */
  readonly live: boolean;
};

type PoolState = {
  /** What the live stacks have left, held units included. */
  readonly free: number;
  readonly held: number;
  readonly stacks: readonly StackState[];
};

export type StackKeeper = {
  /** Makes these the live stacks of the model; the use of each stack is kept. */
  syncStacks(model: string, stacks: readonly Stack[]): Promise<void>;
  state(model: string): Promise<PoolState>;
};

const heldRetryMs = 1000;

export function createUnitPool(redis: Redis): UnitPool & StackKeeper {
  return {
    async reserve({ requestId, model, units, leaseMs }) {
      const reply = await scripts.unitReserve(redis, {
        keys: keysOf(model),
        args: [requestId, String(units), String(leaseMs)],
      });
      return reply === 1 ? 'reserved' : { kind: 'units-exhausted', retryAfterMs: heldRetryMs };
    },

    async settle({ requestId, model, stackId, units }) {
      const args = [requestId, stackId ?? '', String(units)];
      return (await scripts.unitSettle(redis, { keys: keysOf(model), args })) === 1;
    },

    async renew({ requestId, model, leaseMs }) {
      const keys = [poolKeys(model).leases];
      return (await scripts.renew(redis, { keys, args: [requestId, String(leaseMs)] })) === 1;
    },

    async syncStacks(model, stacks) {
      const models = globalKeys.pooledModels;
      await redis.send(models, ['SADD', models, model]);
      const args = stacks.flatMap(({ id, units }) => [id, String(units)]);
      await scripts.unitSync(redis, { keys: [poolKeys(model).pool], args });
    },

    async state(model) {
      const key = poolKeys(model).pool;
      return stateFrom(fieldsFrom(await redis.send(key, ['HGETALL', key])));
    },
  };
}

function keysOf(model: string): string[] {
  const { pool, holds, leases } = poolKeys(model);
  return [pool, holds, leases];
}

function stateFrom(fields: ReadonlyMap<string, string>): PoolState {
  const numberAt = (field: string) => Number(fields.get(field) ?? 0);
  const ids = new Set(
    [...fields.keys()].flatMap((field) => /^(?:units|used|live):(.+)$/s.exec(field)?.[1] ?? []),
  );
  const stacks = [...ids].sort().map((id) => {
    const units = numberAt(`units:${id}`);
    const used = numberAt(`used:${id}`);
    return { id, units, used, free: Math.max(0, units - used), live: numberAt(`live:${id}`) === 1 };
  });
  return { free: numberAt('free'), held: numberAt('held'), stacks };
}

/** The compute units of a model's stacks over Redis. Units are plain integers, far below 2^53. */
import type { Stack } from '../domain/fleet.ts';
import type { UnitPool } from '../domain/reservation.ts';
import { channels, globalKeys, poolKeys } from './keys.ts';
import type { Redis } from './redis.ts';
import { fieldsFrom, textsFrom } from './reply.ts';
import { scripts } from './script.ts';

/** What its node makes of a stack: `closed` for good, `resting` for a while. */
type Refused = 'no' | 'resting' | 'closed';

export type StackState = {
  readonly id: string;
  readonly units: number;
  readonly used: number;
  readonly free: number;
  /** False where it is refused, or the control plane does not choose it any more. */
  readonly live: boolean;
  readonly refused: Refused;
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
  /** Called with each stack that has come to be refused, by any process, and after each new connection. */
  onRefusal(listener: () => void): () => void;
};

export type StackRefusals = {
  /**
   * Takes the stack out of the pool; false where it is out already, or was never in. Its use is not touched. A stack that
   * was too small for a request stays where that is so by our own count too, or where the request is over.
   */
  refuse(order: {
    model: string;
    stackId: string;
    as: Exclude<Refused, 'no'>;
    tooSmallFor?: string | undefined;
  }): Promise<boolean>;
};

const heldRetryMs = 1000;
/** A node lets go of what it holds for requests in flight within seconds. */
const restMsMin = 2000;
const restMsMax = 300_000;

export function createUnitPool(redis: Redis): UnitPool & StackKeeper & StackRefusals {
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
      // The clock of the scripts, so that a rest ends for everybody at once.
      const [fields, time] = await Promise.all([
        redis.send(key, ['HGETALL', key]),
        redis.send(key, ['TIME']),
      ]);
      const [seconds, micros] = textsFrom(time).map(Number);
      return stateFrom(fieldsFrom(fields), (seconds ?? 0) * 1000 + (micros ?? 0) / 1000);
    },

    async refuse({ model, stackId, as, tooSmallFor = '' }) {
      const args = [stackId, as, tooSmallFor, String(restMsMin), String(restMsMax)];
      const { pool, holds } = poolKeys(model);
      const keys = [pool, holds];
      if ((await scripts.unitRefuse(redis, { keys, args })) !== 1) return false;
      await redis.send(undefined, ['PUBLISH', channels.stacks, model]);
      return true;
    },

    onRefusal: (listener) => redis.subscriber.listen(channels.stacks, () => listener()),
  };
}

function keysOf(model: string): string[] {
  const { pool, holds, leases } = poolKeys(model);
  return [pool, holds, leases];
}

function stateFrom(fields: ReadonlyMap<string, string>, nowMs: number): PoolState {
  const numberAt = (field: string) => Number(fields.get(field) ?? 0);
  const ids = new Set(
    [...fields.keys()].flatMap((field) => /^(?:units|used|live):(.+)$/s.exec(field)?.[1] ?? []),
  );
  const stacks = [...ids].sort().map((id) => {
    const units = numberAt(`units:${id}`);
    const used = numberAt(`used:${id}`);
    const live = numberAt(`live:${id}`) === 1;
    const refused = refusedFrom(fields.get(`out:${id}`), nowMs);
    return { id, units, used, free: Math.max(0, units - used), live, refused };
  });
  return { free: numberAt('free'), held: numberAt('held'), stacks };
}

function refusedFrom(out: string | undefined, nowMs: number): Refused {
  if (out === 'closed') return 'closed';
  return Number(out ?? 0) > nowMs ? 'resting' : 'no';
}

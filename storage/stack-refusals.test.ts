import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { redisKinds } from '../test/redis.ts';
import { until } from '../test/until.ts';
import type { Storage } from './storage.ts';
import { openStorage } from './testing.ts';

const ids = ['1', '2', '3'] as const;
const stack = fc.constantFrom(...ids);
const step = fc.oneof(
  fc.record({ kind: fc.constant('sync' as const), stacks: fc.subarray([...ids]) }),
  fc.record({ kind: fc.constant('use' as const), stack, units: fc.nat(60) }),
  fc.record({
    kind: fc.constant('refuse' as const),
    stack,
    as: fc.constantFrom('resting' as const, 'closed' as const),
  }),
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
const units = 100;

describe.each(redisKinds)('a refused stack over $name', ({ start }) => {
  let server: { url: string; stop(): Promise<void> };
  let storage: Storage;
  let replica: Storage;
  beforeAll(async () => {
    server = await start();
    storage = await openStorage(server.url);
    replica = await openStorage(server.url);
  }, 30_000);
  afterAll(async () => {
    storage.close();
    replica.close();
    await server.stop();
  });

  const pooled = async (...stackIds: readonly string[]) => {
    const model = randomUUID();
    await storage.unitPool.syncStacks(
      model,
      stackIds.map((id) => ({ id, units })),
    );
    return model;
  };
  const stateOf = async (model: string, id: string) =>
    (await storage.unitPool.state(model)).stacks.find((one) => one.id === id);

  async function use(model: string, stackId: string, used: number): Promise<void> {
    const order = { requestId: randomUUID(), model };
    await storage.unitPool.reserve({ ...order, units: 0, leaseMs: 60_000 });
    await storage.unitPool.settle({ ...order, stackId, units: used });
  }

  it('leaves the pool at once, its use as it was', async () => {
    const model = await pooled('1', '2');
    await use(model, '1', 30);
    expect(await storage.unitPool.refuse({ model, stackId: '1', as: 'closed' })).toBe(true);
    expect(await storage.unitPool.state(model)).toMatchObject({
      free: 100,
      stacks: [
        { id: '1', used: 30, free: 70, live: false, refused: 'closed' },
        { id: '2', live: true, refused: 'no' },
      ],
    });
    const order = { requestId: 'a', model, units: 101, leaseMs: 60_000 };
    expect(await storage.unitPool.reserve(order)).toMatchObject({ kind: 'units-exhausted' });
  });

  it('pays all the same for what was in flight', async () => {
    const model = await pooled('1', '2');
    const order = { requestId: 'a', model };
    await storage.unitPool.reserve({ ...order, units: 50, leaseMs: 60_000 });
    await storage.unitPool.refuse({ model, stackId: '1', as: 'closed' });
    expect(await storage.unitPool.settle({ ...order, stackId: '1', units: 40 })).toBe(true);
    expect(await storage.unitPool.state(model)).toMatchObject({
      free: 100,
      held: 0,
      stacks: [{ id: '1', used: 40 }, { id: '2' }],
    });
  });

  it('stays out for good where it is closed, whoever finds it again', async () => {
    const model = await pooled('1');
    await storage.unitPool.refuse({ model, stackId: '1', as: 'closed' });
    await storage.unitPool.syncStacks(model, [{ id: '1', units }]);
    expect(await storage.unitPool.state(model)).toMatchObject({
      free: 0,
      stacks: [{ live: false, refused: 'closed' }],
    });
  });

  it('rests for two seconds, then for twice as long, and for two again once it has paid', async () => {
    const model = await pooled('1');
    const refuse = () => storage.unitPool.refuse({ model, stackId: '1', as: 'resting' });
    const restMs = async () => {
      const startedMs = performance.now();
      await until('the rest is over', async () => (await stateOf(model, '1'))?.refused === 'no');
      return performance.now() - startedMs;
    };
    expect(await refuse()).toBe(true);
    expect(await refuse()).toBe(false);
    await storage.unitPool.syncStacks(model, [{ id: '1', units }]);
    expect(await stateOf(model, '1')).toMatchObject({ live: false, refused: 'resting' });
    expect(await restMs()).toBeLessThan(2600);
    await storage.unitPool.syncStacks(model, [{ id: '1', units }]);
    expect(await storage.unitPool.state(model)).toMatchObject({
      free: 100,
      stacks: [{ live: true }],
    });

    await refuse();
    await sleep(2500);
    expect(await stateOf(model, '1')).toMatchObject({ refused: 'resting' });
    expect(await restMs()).toBeGreaterThan(1000);
    await use(model, '1', 1);
    await refuse();
    expect(await restMs()).toBeLessThan(2600);
  }, 20_000);

  it.each([
    ['fits by our own count', 70, true],
    ['does not', 71, false],
  ])('rests where it was too small for a request that %s', async (_name, asked, expected) => {
    const model = await pooled('1', '2');
    await use(model, '1', 30);
    const order = { requestId: 'a', model };
    await storage.unitPool.reserve({ ...order, units: asked, leaseMs: 60_000 });
    const refusal = { model, stackId: '1', as: 'resting', tooSmallFor: 'a' } as const;
    expect(await storage.unitPool.refuse(refusal)).toBe(expected);
    expect(await stateOf(model, '1')).toMatchObject({ live: !expected, used: 30 });
    await storage.unitPool.settle({ ...order, stackId: '2', units: 1 });
    expect(await storage.unitPool.refuse(refusal)).toBe(false);
    expect(await storage.unitPool.state(model)).toMatchObject({ free: expected ? 99 : 169 });
  });

  it('is not recorded where no such stack was ever in the pool', async () => {
    const model = await pooled('1');
    expect(await storage.unitPool.refuse({ model, stackId: '9', as: 'closed' })).toBe(false);
    expect((await storage.unitPool.state(model)).stacks).toHaveLength(1);
  });

  it('is told to the other processes', async () => {
    const model = await pooled('1');
    let told = 0;
    const stop = replica.unitPool.onRefusal(() => {
      told += 1;
    });
    await until('the first connection is told', () => told > 0);
    const before = told;
    await storage.unitPool.refuse({ model, stackId: '1', as: 'resting' });
    await until('the refusal is told', () => told > before);
    stop();
  });

  it('never counts, and neither makes nor loses units of others', async () => {
    const take = async (model: string, one: Step) => {
      if (one.kind === 'use') return use(model, one.stack, one.units);
      if (one.kind === 'sync') {
        const stacks = one.stacks.map((id) => ({ id, units }));
        return storage.unitPool.syncStacks(model, stacks);
      }
      await storage.unitPool.refuse({ model, stackId: one.stack, as: one.as });
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const model = randomUUID();
        const used = new Map<string, number>();
        for (const one of steps) {
          await take(model, one);
          if (one.kind === 'use') used.set(one.stack, (used.get(one.stack) ?? 0) + one.units);
        }
        const state = await storage.unitPool.state(model);
        const live = state.stacks.filter((one) => one.live);
        expect(state.free).toBe(live.reduce((sum, { free }) => sum + free, 0));
        expect(live.filter(({ refused }) => refused !== 'no')).toEqual([]);
        for (const one of state.stacks) expect(one.used).toBe(used.get(one.id) ?? 0);
      }),
      { numRuns: 40 },
    );
  });
});

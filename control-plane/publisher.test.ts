import { afterEach, describe, expect, it } from 'vitest';
import { emptyFleet, type Fleet, type Stack } from '../domain/fleet.ts';
import type { Catalogue } from '../domain/model.ts';
import { silentLog } from '../runtime/silent-log.ts';
import type { Prices } from './catalogue.ts';
import { leavingGraceMs, Publisher } from './publisher.ts';
import type { StackUse } from './stacks.ts';
import { testFleet, testOffer, testPrice } from './testing.ts';

type Refused = 'no' | 'resting' | 'closed';

const publishers: Publisher[] = [];
afterEach(async () => {
  for (const publisher of publishers.splice(0)) await publisher.close();
});

/** A publisher that writes down what it does, in order. */
function createRecorded() {
  const events: string[] = [];
  const stacksKnown = new Map<string, { used: number; live: boolean; refused: Refused }>();
  const world = {
    events,
    stacksKnown,
    away: new Set<string>(),
    prices: new Map() as Prices,
    configured: emptyFleet as Fleet,
    catalogue: undefined as Catalogue | undefined,
    pools: new Map<string, readonly Stack[]>(),
    keys: [] as readonly string[],
  };
  const reach = () => {
    if (world.away.has('store')) throw new Error('away');
  };
  const publisher = new Publisher({
    configure(fleet) {
      world.configured = fleet;
      events.push(`envoy ${fleet.models.map(({ id }) => id).join()}`);
    },
    untilAccepted: async () => void events.push('accepted'),
    async publish(catalogue) {
      reach();
      world.catalogue = catalogue;
      events.push(`catalogue ${catalogue.models.map(({ id }) => id).join()}`);
    },
    async publishedVersion() {
      reach();
      return world.catalogue?.version ?? '';
    },
    async listPrices() {
      reach();
      return world.prices;
    },
    async stackUse(): Promise<StackUse> {
      reach();
      return new Map(stacksKnown);
    },
    async syncStacks(model, stacks) {
      reach();
      world.pools.set(model, stacks);
      for (const one of stacksKnown.values()) one.live = false;
      for (const { id } of stacks) {
        const { used = 0, refused = 'no' } = stacksKnown.get(id) ?? {};
        stacksKnown.set(id, { used, refused, live: refused === 'no' });
      }
    },
    async publishSealingKeys(keys) {
      reach();
      world.keys = keys;
    },
    observe: () => undefined,
    nowMs: () => performance.now(),
    log: silentLog,
  });
  publishers.push(publisher);
  const set = (id: string, change: { used?: number; refused?: Refused }) =>
    Object.assign(stacksKnown.get(id) ?? {}, change);
  return { ...world, world, set, publisher };
}

const fleetOf = (...models: string[]) =>
  testFleet({ models: models.map((id) => testOffer(id, 1n)), nodes: { a: models } });

const atoma = (stacks: readonly Stack[]): Fleet => ({
  ...fleetOf('m'),
  nodes: fleetOf('m').nodes.map((node) => ({
    ...node,
    protocol: 'atoma',
    models: [{ model: 'm', stacks }],
  })),
});

describe('the publisher', () => {
  it('publishes the keys in use, also of a node whose stacks are used up', async () => {
    const { publisher, world } = createRecorded();
    const sealing = (sealingKey: string): Fleet => ({
      ...atoma([]),
      nodes: atoma([]).nodes.map((node) => ({ ...node, sealingKey })),
    });
    publisher.setFleet(sealing('one='));
    await expect.poll(() => world.keys).toEqual(['one=']);
    publisher.setFleet(sealing('two='));
    await expect.poll(() => world.keys).toEqual(['two=']);
    publisher.setFleet(sealing(''));
    await expect.poll(() => world.keys).toEqual([]);
  });

  it('tells Envoy of a new model, waits, and only then the services', async () => {
    const { publisher, events } = createRecorded();
    publisher.setFleet(fleetOf('a'));
    await expect.poll(() => events).toEqual(['envoy a', 'accepted', 'catalogue a']);
  });

  it('withdraws a model from the catalogue first, and from Envoy after the grace', async () => {
    const { publisher, events, world } = createRecorded();
    publisher.setFleet(fleetOf('a', 'b'));
    await expect.poll(() => events).toContain('catalogue a,b');
    events.length = 0;
    publisher.setFleet(fleetOf('a'));
    await expect.poll(() => events).toEqual(['catalogue a']);
    const startedMs = performance.now();
    expect(world.configured.nodes[0]?.models.map(({ model }) => model)).toEqual(['a', 'b']);
    await expect.poll(() => events, { timeout: 5000 }).toEqual(['catalogue a', 'envoy a']);
    expect(performance.now() - startedMs).toBeGreaterThan(leavingGraceMs - 200);
  });

  it('tells Envoy at once of a node that leaves or weighs less', async () => {
    const { publisher, world } = createRecorded();
    publisher.setFleet(testFleet({ models: [testOffer('a', 1n)], nodes: { x: ['a'], y: ['a'] } }));
    await expect.poll(() => world.configured.nodes.length).toBe(2);
    publisher.setFleet(testFleet({ models: [testOffer('a', 1n)], nodes: { x: ['a'] } }));
    await expect.poll(() => world.configured.nodes.map(({ id }) => id)).toEqual(['x']);
  });

  it('does nothing where nothing has changed', async () => {
    const { publisher, events } = createRecorded();
    publisher.setFleet(fleetOf('a'));
    await expect.poll(() => events.length).toBe(3);
    publisher.setFleet(fleetOf('a'));
    publisher.refresh();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(events).toHaveLength(3);
  });

  it('publishes a new price without a word to Envoy', async () => {
    const { publisher, events, world } = createRecorded();
    publisher.setFleet(fleetOf('a'));
    await expect.poll(() => events.length).toBe(3);
    world.prices = new Map([['a', testPrice('v2', 7n)]]);
    publisher.refresh();
    await expect.poll(() => world.catalogue?.models[0]?.price?.version).toBe('v2');
    expect(events.slice(3)).toEqual(['catalogue a']);
  });

  it('configures Envoy while the storage is away, and publishes once it is back', async () => {
    const { publisher, events, world } = createRecorded();
    world.away.add('store');
    publisher.setFleet(fleetOf('a'));
    await expect.poll(() => events).toEqual(['envoy a', 'accepted']);
    world.away.clear();
    await expect.poll(() => events, { timeout: 3000 }).toContain('catalogue a');
  });

  it('publishes nothing before it knows of a fleet', async () => {
    const { publisher, events } = createRecorded();
    publisher.refresh();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(events).toEqual([]);
  });

  it('moves to the next stack as the first is used up, and drops a node without any', async () => {
    const { publisher, world, set } = createRecorded();
    publisher.setFleet(
      atoma([
        { id: '1', units: 1000 },
        { id: '2', units: 1000 },
      ]),
    );
    const active = () => world.configured.nodes[0]?.models[0]?.stacks[0]?.id;
    await expect.poll(() => world.pools.get('m')?.length).toBe(2);
    expect(active()).toBe('1');
    set('1', { used: 990 });
    await expect.poll(active, { timeout: 2000 }).toBe('2');
    await expect.poll(() => world.pools.get('m')?.map(({ id }) => id)).toEqual(['2']);
    set('1', { used: 1000 });
    set('2', { used: 1000 });
    await expect.poll(() => world.configured.nodes, { timeout: 2000 }).toEqual([]);
    await expect.poll(() => world.pools.get('m')).toEqual([]);
    expect(world.catalogue?.models[0]?.protocols).toEqual([]);
    publisher.setFleet(atoma([{ id: '3', units: 1000 }]));
    await expect.poll(active, { timeout: 2000 }).toBe('3');
  });

  it('leaves a refused stack as soon as it hears of it, and takes it in again after its rest', async () => {
    const { publisher, world, set } = createRecorded();
    publisher.setFleet(
      atoma([
        { id: '1', units: 1000 },
        { id: '2', units: 1000 },
      ]),
    );
    const active = () => world.configured.nodes[0]?.models[0]?.stacks.map(({ id }) => id);
    const pool = () => world.pools.get('m')?.map(({ id }) => id);
    await expect.poll(pool).toEqual(['1', '2']);
    set('1', { refused: 'resting' });
    publisher.refresh();
    await expect.poll(pool).toEqual(['2']);
    expect(active()).toEqual(['2']);
    set('1', { refused: 'no' });
    await expect.poll(pool).toEqual(['1', '2']);
    expect(active()).toEqual(['1', '2']);
  });

  it('puts back into the pool what left it unseen', async () => {
    const { publisher, world, stacksKnown } = createRecorded();
    publisher.setFleet(atoma([{ id: '1', units: 1000 }]));
    await expect.poll(() => stacksKnown.get('1')?.live).toBe(true);
    Object.assign(stacksKnown.get('1') ?? {}, { live: false });
    await expect.poll(() => stacksKnown.get('1')?.live).toBe(true);
    expect(world.pools.get('m')).toHaveLength(1);
  });
});

import { describe, expect, it } from 'vitest';
import type { Fleet } from '../domain/fleet.ts';
import { picoUsd } from '../domain/money.ts';
import { buildCatalogue, stateOf } from './catalogue.ts';
import { testFleet, testOffer, testPrice } from './testing.ts';

const fleet: Fleet = testFleet({
  models: [testOffer('priced', 5n), testOffer('bare')],
  nodes: { a: ['priced'], b: ['priced', 'bare'] },
});

describe('buildCatalogue', () => {
  it('takes the offered price where the operator has none, under a version of its own', () => {
    const [priced, bare] = buildCatalogue(fleet, new Map()).models;
    expect(priced?.price).toMatchObject({
      inputToken: 5n,
      version: expect.stringMatching(/^[0-9a-f]+$/),
    });
    expect(bare?.price).toBeUndefined();
  });

  it("puts the operator's price before the offered one", () => {
    const operator = testPrice('v7', 9n);
    const { models } = buildCatalogue(fleet, new Map([['priced', operator]]));
    expect(models[0]?.price).toEqual(operator);
  });

  it('ignores prices of models that nobody offers', () => {
    const { models } = buildCatalogue(fleet, new Map([['other', testPrice('v1', 1n)]]));
    expect(models.map(({ id }) => id)).toEqual(['priced', 'bare']);
  });

  it('names the protocols of the nodes that serve a model', () => {
    const atoma = fleet.nodes.slice(1).map((node) => ({ ...node, protocol: 'atoma' as const }));
    const mixed: Fleet = { ...fleet, nodes: [...fleet.nodes, ...atoma] };
    expect(buildCatalogue(mixed, new Map()).models[0]?.protocols).toEqual(['atoma', 'openai']);
    expect(buildCatalogue({ ...fleet, nodes: [] }, new Map()).models[0]?.protocols).toEqual([]);
  });

  it('has one version for equal content, and another for any other', () => {
    const version = (prices = new Map()) => buildCatalogue(fleet, prices).version;
    expect(version()).toBe(version());
    expect(version(new Map([['priced', testPrice('v7', 9n)]]))).not.toBe(version());
    expect(buildCatalogue({ models: [], nodes: [] }, new Map()).version).not.toBe('');
  });

  it('tells callable, unserved and unpriced models apart', () => {
    const states = (given: Fleet) => buildCatalogue(given, new Map()).models.map(stateOf);
    expect(states(fleet)).toEqual(['callable', 'unpriced']);
    expect(states({ ...fleet, nodes: [] })).toEqual(['unserved', 'unpriced']);
  });

  it('gives equal prices one version', () => {
    const same = [testOffer('x', 5n), testOffer('y', 5n), testOffer('z', 6n)];
    const { models } = buildCatalogue({ models: same, nodes: [] }, new Map());
    const [x, y, z] = models.map(({ price }) => price?.version);
    expect([x === y, x === z]).toEqual([true, false]);
    expect(models[0]?.price?.cachedInputToken).toBe(picoUsd(5n));
  });
});

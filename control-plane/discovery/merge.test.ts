import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Fleet, FleetNode, ModelOffer } from '../../domain/fleet.ts';
import { picoUsd } from '../../domain/money.ts';
import { mergeFleets } from './merge.ts';

const offer = (id: string, input: bigint): ModelOffer => ({
  id,
  createdSeconds: 0,
  ownedBy: 'test',
  endpoints: ['chat'],
  contextTokensMax: 100,
  outputTokensMax: 10,
  mediaTokensMax: 0,
  price: {
    inputToken: picoUsd(input),
    cachedInputToken: picoUsd(0n),
    outputToken: picoUsd(0n),
    image: picoUsd(0n),
    imagePixel: picoUsd(0n),
  },
});

const node = (id: string, models: readonly string[], weight = 100): FleetNode => ({
  id,
  host: 'h',
  ip: '192.0.2.1',
  port: 80,
  tls: false,
  protocol: 'openai',
  weight,
  signerAddress: '',
  sealingKey: '',
  models: models.map((model) => ({ model, stacks: [] })),
});

const merge = (...fleets: Fleet[]) =>
  mergeFleets(fleets.map((fleet, at) => ({ source: `source-${at}`, fleet })));

const id = fc.constantFrom('a', 'b', 'c', 'd');
const fleet: fc.Arbitrary<Fleet> = fc.record({
  models: fc.uniqueArray(
    fc.tuple(id, fc.bigInt(0n, 2n)).map(([name, input]) => offer(name, input)),
    { selector: (model) => model.id },
  ),
  nodes: fc.uniqueArray(
    fc
      .tuple(id, fc.uniqueArray(id), fc.integer({ min: 1, max: 100 }))
      .map(([name, models, weight]) => node(name, models, weight)),
    { selector: (entry) => entry.id },
  ),
});

describe('mergeFleets', () => {
  it('lets nodes of every source serve a shared model', () => {
    const first = { models: [offer('m', 1n)], nodes: [node('a', ['m'])] };
    const second = { models: [offer('m', 1n)], nodes: [node('b', ['m'])] };
    const { fleet: merged, conflicts } = merge(first, second);
    expect(merged.nodes.map((entry) => entry.id)).toEqual(['a', 'b']);
    expect(conflicts).toEqual([]);
  });

  it('keeps the first price and says so', () => {
    const { fleet: merged, conflicts } = merge(
      { models: [offer('m', 1n)], nodes: [] },
      { models: [offer('m', 2n)], nodes: [] },
    );
    expect(merged.models).toEqual([offer('m', 1n)]);
    expect(conflicts).toEqual([
      { kind: 'model-differs', id: 'm', kept: 'source-0', left: 'source-1' },
    ]);
  });

  it('keeps the first of two nodes with one id and says so', () => {
    const { fleet: merged, conflicts } = merge(
      { models: [offer('m', 1n)], nodes: [node('a', ['m'], 1)] },
      { models: [], nodes: [node('a', ['m'], 2)] },
    );
    expect(merged.nodes.map(({ weight }) => weight)).toEqual([1]);
    expect(conflicts).toEqual([
      { kind: 'node-repeated', id: 'a', kept: 'source-0', left: 'source-1' },
    ]);
  });

  it('serves no model that no source declares', () => {
    const { fleet: merged, conflicts } = merge({ models: [], nodes: [node('a', ['m'])] });
    expect(merged.nodes).toEqual([]);
    expect(conflicts).toEqual([{ kind: 'model-unknown', id: 'm', node: 'a', left: 'source-0' }]);
  });

  it('gives each id once, in order, and only known models, whatever the sources say', () => {
    fc.assert(
      fc.property(fc.array(fleet, { maxLength: 4 }), (fleets) => {
        const { fleet: merged } = merge(...fleets);
        const ids = merged.models.map((model) => model.id);
        const nodeIds = merged.nodes.map((entry) => entry.id);
        expect(ids).toEqual(
          [...new Set(fleets.flatMap(({ models }) => models.map((m) => m.id)))].sort(),
        );
        expect(nodeIds).toEqual([...new Set(nodeIds)].sort());
        for (const served of merged.nodes.flatMap((entry) => entry.models)) {
          expect(ids).toContain(served.model);
        }
      }),
    );
  });

  it('merges a fleet with itself into itself', () => {
    fc.assert(
      fc.property(fleet, (one) => {
        expect(merge(one, one).fleet).toEqual(merge(one).fleet);
        expect(merge(merge(one).fleet).fleet).toEqual(merge(one).fleet);
      }),
    );
  });
});

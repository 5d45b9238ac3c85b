import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Exchange } from './exchange.ts';
import { chargeFor, type Observed } from './metering.ts';
import { endpoints } from './model.ts';
import { picoUsd } from './money.ts';
import { parseNodeUsage } from './node-usage.ts';
import { costBoundOf } from './price.ts';
import { endings } from './reservation.ts';
import { noUsage } from './usage.ts';

const price = {
  version: '1',
  inputToken: picoUsd(10n),
  cachedInputToken: picoUsd(5n),
  outputToken: picoUsd(30n),
  image: picoUsd(1000n),
  imagePixel: picoUsd(2n),
};

function exchangeWith(changes: Partial<Exchange>): Exchange {
  const bound = { ...noUsage, inputTokens: 100, outputTokens: 50 };
  return {
    requestId: 'r',
    accountId: 'a',
    keyId: 'k',
    model: 'm',
    endpoint: 'chat',
    stream: true,
    usageWanted: false,
    price,
    reserved: costBoundOf(price, bound),
    bound,
    estimatedInputTokens: 20,
    units: 0,
    startedMs: 0,
    edits: [],
    sealed: undefined,
    ...changes,
  };
}

const seen: Observed = {
  ending: 'completed',
  delivered: true,
  reported: { ...noUsage, inputTokens: 12, cachedInputTokens: 4, outputTokens: 7 },
  outputTokens: 9,
  images: 0,
  exceeded: false,
};

describe('a charge', () => {
  it('is exactly what the node counted where it completed', () => {
    const charge = chargeFor(exchangeWith({}), seen);
    expect(charge.cost).toBe(8n * 10n + 4n * 5n + 7n * 30n);
    expect(charge.estimated).toBe(false);
  });

  it('follows the own count where the node told nothing to believe', () => {
    const charge = chargeFor(exchangeWith({}), { ...seen, reported: 'implausible' });
    expect(charge.usage).toEqual({ ...noUsage, inputTokens: 20, outputTokens: 9 });
    expect(charge.estimated).toBe(true);
  });

  it('is all that is held where a sealed request used more, though nothing was delivered', () => {
    const observed = { ...seen, delivered: false, exceeded: true, ending: 'refused' } as const;
    const exchange = exchangeWith({});
    expect(chargeFor(exchange, observed)).toMatchObject({
      kind: 'settle',
      cost: exchange.reserved,
    });
  });

  it('is prompt and delivered tokens where the caller left', () => {
    const charge = chargeFor(exchangeWith({}), {
      ...seen,
      ending: 'client-aborted',
      reported: 'absent',
    });
    expect(charge.cost).toBe(20n * 10n + 9n * 30n);
  });

  it('is no more than what arrived where the node broke off', () => {
    const charge = chargeFor(exchangeWith({}), { ...seen, ending: 'node-truncated' });
    expect(charge.usage).toEqual({
      ...noUsage,
      inputTokens: 12,
      cachedInputTokens: 4,
      outputTokens: 7,
    });
  });

  it('is nothing where nothing was delivered', () => {
    const charge = chargeFor(exchangeWith({}), { ...seen, delivered: false });
    expect(charge).toMatchObject({ kind: 'release', cost: 0n, usage: noUsage });
  });

  it('is nothing for JSON that broke, and what was delivered where its caller left', () => {
    const json = exchangeWith({ stream: false });
    const broken = chargeFor(json, { ...seen, ending: 'node-truncated' });
    expect(broken).toMatchObject({ kind: 'release', cost: 0n });
    expect(chargeFor(json, { ...seen, ending: 'client-aborted' }).cost > 0n).toBe(true);
  });

  it('counts pictures and takes their size from the request', () => {
    const bound = { ...noUsage, images: 2, imagePixels: 200 };
    const exchange = exchangeWith({
      endpoint: 'images',
      bound,
      reserved: costBoundOf(price, bound),
    });
    const charge = chargeFor(exchange, { ...seen, images: 1 });
    expect(charge.usage).toEqual({ ...noUsage, images: 1, imagePixels: 100 });
    expect(chargeFor(exchange, { ...seen, images: 3 })).toMatchObject({
      cost: exchange.reserved,
      estimated: true,
    });
  });

  it('is never negative and never above what is held', () => {
    const count = fc.integer({ min: 0, max: 1_000_000 });
    const rate = fc.bigInt({ min: 0n, max: 1_000_000n }).map(picoUsd);
    const usages = fc.record({
      inputTokens: count,
      cachedInputTokens: fc.constant(0),
      outputTokens: count,
      images: fc.integer({ min: 0, max: 10 }),
      imagePixels: count,
    });
    const prices = fc.record({
      version: fc.constant('1'),
      inputToken: rate,
      cachedInputToken: rate,
      outputToken: rate,
      image: rate,
      imagePixel: rate,
    });
    const scenes = fc.record({
      bound: usages,
      price: prices,
      endpoint: fc.constantFrom(...endpoints),
      ending: fc.constantFrom(...endings),
      delivered: fc.boolean(),
      claimed: fc.record({ prompt_tokens: count, completion_tokens: count }),
      outputTokens: count,
      images: fc.integer({ min: 0, max: 20 }),
      estimatedInputTokens: count,
    });
    fc.assert(
      fc.property(scenes, fc.boolean(), (drawn, exceeded) => {
        const { claimed, ending, delivered, outputTokens, images, ...scene } = drawn;
        const reserved = costBoundOf(scene.price, scene.bound);
        const reported = parseNodeUsage(claimed, scene.bound);
        const observed = { ending, delivered, outputTokens, images, reported, exceeded };
        const { cost } = chargeFor(exchangeWith({ ...scene, reserved }), observed);
        expect(cost >= 0n && cost <= reserved).toBe(true);
      }),
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Exchange } from './exchange.ts';
import { exchangeFromJson, exchangeToJson } from './exchange-json.ts';
import { endpoints } from './model.ts';
import { picoUsd } from './money.ts';

const amount = fc.bigInt(0n, 1n << 90n).map(picoUsd);
const count = fc.maxSafeNat();
const exchange: fc.Arbitrary<Exchange> = fc.record({
  requestId: fc.string(),
  accountId: fc.string(),
  keyId: fc.string(),
  model: fc.string(),
  endpoint: fc.constantFrom(...endpoints),
  stream: fc.boolean(),
  usageWanted: fc.boolean(),
  price: fc.record({
    version: fc.string(),
    inputToken: amount,
    cachedInputToken: amount,
    outputToken: amount,
    image: amount,
    imagePixel: amount,
  }),
  reserved: amount,
  bound: fc.record({
    inputTokens: count,
    cachedInputTokens: count,
    outputTokens: count,
    images: count,
    imagePixels: count,
  }),
  estimatedInputTokens: count,
  units: count,
  startedMs: count,
  edits: fc.array(fc.record({ offset: count, length: count, text: fc.string() })),
  sealed: fc.option(fc.record({ nodeId: fc.string(), stackId: fc.string(), nonce: fc.string() }), {
    nil: undefined,
  }),
});

describe('an exchange as JSON', () => {
  it('comes back as it went in', () => {
    fc.assert(
      fc.property(exchange, (original) => {
        expect(exchangeFromJson(exchangeToJson(original))).toEqual(original);
      }),
    );
  });

  it('is refused where any part is missing', () => {
    fc.assert(
      fc.property(exchange, fc.nat(13), (original, index) => {
        const json: Record<string, unknown> = JSON.parse(exchangeToJson(original));
        const name = Object.keys(json)[index] ?? '';
        const { [name]: _dropped, ...rest } = json;
        expect(exchangeFromJson(JSON.stringify(rest))).toBeUndefined();
      }),
    );
  });

  it.each(['', 'null', '[]', '{"reserved":"-1"}', '{}'])('is refused where it is %s', (text) => {
    expect(exchangeFromJson(text)).toBeUndefined();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { countTokens, seedOf } from './tokens.ts';

describe('countTokens', () => {
  it('counts like the tokenizer of the published estimates', () => {
    expect(countTokens('Hello from the other side of Mars')).toBe(8);
    expect(countTokens('')).toBe(1);
  });

  it('never counts more than the UTF-8 bytes plus one', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(countTokens(text)).toBeLessThanOrEqual(Buffer.byteLength(text) + 1);
      }),
    );
  });
});

describe('seedOf', () => {
  it('tells texts apart', () => {
    expect(seedOf('a')).not.toBe(seedOf('b'));
    expect(seedOf('a')).toBe(seedOf('a'));
  });
});

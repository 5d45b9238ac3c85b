import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseNodeUsage } from './node-usage.ts';
import { noUsage } from './usage.ts';

const bound = { ...noUsage, inputTokens: 100, outputTokens: 50 };

describe('a node usage', () => {
  it('is believed within the bound, zero included', () => {
    expect(parseNodeUsage({ prompt_tokens: 100, completion_tokens: 0 }, bound)).toEqual({
      ...noUsage,
      inputTokens: 100,
    });
    expect(
      parseNodeUsage(
        {
          prompt_tokens: 9,
          completion_tokens: 50,
          prompt_tokens_details: { cached_tokens: 9 },
        },
        bound,
      ),
    ).toEqual({ ...noUsage, inputTokens: 9, cachedInputTokens: 9, outputTokens: 50 });
  });

  it('needs no output tokens, as for embeddings', () => {
    expect(parseNodeUsage({ prompt_tokens: 3, total_tokens: 3 }, bound)).toEqual({
      ...noUsage,
      inputTokens: 3,
    });
  });

  it('is absent where the node says nothing or null', () => {
    expect(parseNodeUsage(undefined, bound)).toBe('absent');
    expect(parseNodeUsage(null, bound)).toBe('absent');
  });

  it.each([
    [{}],
    [[]],
    ['9'],
    [{ prompt_tokens: -1 }],
    [{ prompt_tokens: 1.5 }],
    [{ prompt_tokens: '1' }],
    [{ prompt_tokens: 101 }],
    [{ prompt_tokens: 1, completion_tokens: 51 }],
    [{ prompt_tokens: 1e300 }],
    [{ prompt_tokens: 1, prompt_tokens_details: { cached_tokens: 2 } }],
    [{ prompt_tokens: 1, prompt_tokens_details: { cached_tokens: -1 } }],
    [{ prompt_tokens: 1, prompt_tokens_details: 'x' }],
  ])('is implausible as %j', (value) => {
    expect(parseNodeUsage(value, bound)).toBe('implausible');
  });

  it('never passes the bound, whatever a node sends', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), fc.anything(), (input, output, cached) => {
        const usage = parseNodeUsage(
          {
            prompt_tokens: input,
            completion_tokens: output,
            prompt_tokens_details: { cached_tokens: cached },
          },
          bound,
        );
        if (typeof usage === 'string') return;
        expect(usage.inputTokens).toBeLessThanOrEqual(bound.inputTokens);
        expect(usage.outputTokens).toBeLessThanOrEqual(bound.outputTokens);
        expect(usage.cachedInputTokens).toBeLessThanOrEqual(usage.inputTokens);
      }),
    );
  });
});

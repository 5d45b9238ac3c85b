import { describe, expect, it } from 'vitest';
import { expectChunk, expectUsage, expectWhole } from './content.ts';
import type { SealedEndpoint } from './route.ts';

const asked = (endpoint: SealedEndpoint) =>
  ({
    endpoint,
    request: {
      kind: 'plain',
      model: 'm',
      isStream: false,
      usageWanted: false,
      outputTokensMax: undefined,
      bytes: new Uint8Array(),
    },
  }) as const;

const text = (object: string | undefined, model: string | undefined) =>
  JSON.stringify({ object, model });

describe('an answer', () => {
  it.each([
    ['chat', 'chat.completion', 'chat.completion.chunk'],
    ['completions', 'text_completion', 'text_completion'],
    ['embeddings', 'list', 'list'],
  ] as const)('to %s is of its kind and model', (endpoint, whole, chunk) => {
    expect(expectWhole(text(whole, 'm'), asked(endpoint))).toBeDefined();
    expect(expectChunk(text(chunk, 'm'), asked(endpoint))).toBeDefined();
    for (const wrong of [text('other', 'm'), text(whole, 'n'), text(whole, undefined), '[]', '{']) {
      expect(() => expectWhole(wrong, asked(endpoint))).toThrow('the answer');
    }
  });

  it('with pictures names neither', () => {
    expect(expectWhole('{"data":[]}', asked('images'))).toEqual({ data: [] });
  });
});

describe('usage', () => {
  const counts = { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 };

  it('is the same inside and outside, but for the count of nothing', () => {
    expectUsage(counts, { ...counts });
    const { completion_tokens: _, ...input } = { ...counts, total_tokens: 3 };
    expectUsage(input, { ...input, completion_tokens: 0 });
  });

  it.each([
    [counts, { ...counts, completion_tokens: 1 }],
    [counts, { ...counts, prompt_tokens_details: { cached_tokens: 3 } }],
    [counts, undefined],
    [undefined, counts],
    [
      { ...counts, total_tokens: -5 },
      { ...counts, total_tokens: -5 },
    ],
    [
      { ...counts, total_tokens: 0.5 },
      { ...counts, total_tokens: 0.5 },
    ],
  ])('is not %o beside %o', (inside, outside) => {
    expect(() => expectUsage(inside, outside)).toThrow();
  });
});

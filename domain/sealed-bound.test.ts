import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { boundOf } from './bound.ts';
import type { Model } from './model.ts';
import { parseRequest } from './request.ts';
import { sealedBoundOf, sealedUnitsOf } from './sealed-bound.ts';

const model: Model = {
  id: 'm',
  createdSeconds: 0,
  ownedBy: 'test',
  endpoints: ['chat'],
  protocols: ['atoma'],
  contextTokensMax: 100_000,
  outputTokensMax: 1000,
  mediaTokensMax: 500,
  price: undefined,
};
const boundWith = (unitsAsked: bigint | undefined, endpoint: 'chat' | 'embeddings' | 'images') =>
  sealedBoundOf({ endpoint, plaintextBytes: 100, unitsAsked }, model);

describe('the bound of a sealed request', () => {
  it('is never below that of the same chat in clear', () => {
    const part = fc.oneof(
      fc.string().map((text) => ({ type: 'text', text })),
      fc.constant({ type: 'image_url', image_url: { url: 'https://a.b/c' } }),
    );
    const message = fc.record(
      {
        role: fc.constantFrom('user', 'system', 'assistant'),
        content: fc.oneof(fc.string(), fc.array(part, { maxLength: 5 })),
        tool_calls: fc.array(
          fc.record({ function: fc.record({ name: fc.string(), arguments: fc.json() }) }),
        ),
      },
      { requiredKeys: ['role', 'content'] },
    );
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 50 }), (messages) => {
        const body = Buffer.from(JSON.stringify({ model: 'm', messages }));
        const request = parseRequest('chat', body);
        if ('kind' in request) throw new Error(request.kind);
        const inClear = boundOf(request, model);
        if ('kind' in inClear) throw new Error(inClear.kind);
        const size = {
          endpoint: 'chat',
          plaintextBytes: body.length,
          unitsAsked: undefined,
        } as const;
        const sealed = sealedBoundOf(size, model);
        expect(sealed.inputTokens).toBeGreaterThanOrEqual(inClear.inputTokens);
        expect(sealed.outputTokens).toBeGreaterThanOrEqual(inClear.outputTokens);
      }),
    );
  });

  it('is raised by what the envelope asks for, never lowered, and at most the context', () => {
    expect(boundWith(undefined, 'chat').outputTokens).toBe(1000);
    expect(boundWith(1n, 'chat').outputTokens).toBe(1000);
    expect(boundWith(5000n, 'chat').outputTokens).toBe(5000);
    expect(boundWith(2n ** 64n - 1n, 'chat').outputTokens).toBe(100_000);
  });

  it('takes units of a stack for text alone', () => {
    const chat = boundWith(undefined, 'chat');
    expect(sealedUnitsOf(chat, 'chat')).toBe(chat.inputTokens + 1000);
    for (const endpoint of ['embeddings', 'images'] as const) {
      const bound = boundWith(9n, endpoint);
      expect([bound.outputTokens, sealedUnitsOf(bound, endpoint)]).toEqual([0, 0]);
    }
    expect(boundWith(undefined, 'images')).toMatchObject({ images: 1, imagePixels: 1_048_576 });
  });
});

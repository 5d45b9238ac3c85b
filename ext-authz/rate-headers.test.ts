import { describe, expect, it } from 'vitest';
import { toDuration, toRateHeaders, toRefusedRateHeaders } from './rate-headers.ts';

describe('rate headers', () => {
  it.each([
    [-1, '0ms'],
    [0, '0ms'],
    [11.2, '12ms'],
    [999, '999ms'],
    [1000, '1s'],
    [1500, '1.5s'],
    [59_999, '59.999s'],
    [60_000, '1m0s'],
    [360_000, '6m0s'],
    [90_500, '1m30.5s'],
  ])('write %d ms as %s', (durationMs, text) => {
    expect(toDuration(durationMs)).toBe(text);
  });

  it('name only the limits that exist', () => {
    const requests = { limit: 10, remaining: 9, resetMs: 6000 };
    expect(toRateHeaders({ requests, tokens: undefined })).toEqual([
      ['x-ratelimit-limit-requests', '10'],
      ['x-ratelimit-remaining-requests', '9'],
      ['x-ratelimit-reset-requests', '6s'],
    ]);
    expect(toRateHeaders({ requests: undefined, tokens: undefined })).toEqual([]);
  });

  it('say that a refused caller has nothing left', () => {
    expect(
      toRefusedRateHeaders({ kind: 'tokens-exceeded', limit: 100, retryAfterMs: 250 }),
    ).toEqual([
      ['x-ratelimit-limit-tokens', '100'],
      ['x-ratelimit-remaining-tokens', '0'],
      ['x-ratelimit-reset-tokens', '250ms'],
    ]);
    expect(toRefusedRateHeaders({ kind: 'key-missing' })).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { backoffMs, isRetryable } from './retry.ts';

describe('a failed call', () => {
  it.each(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'ABORTED'])(
    'is made again a few times after %s',
    (code) => {
      const attempts = [1, 2, 3, 4, 5].map((attempt) => isRetryable({ code, attempt }));
      expect(attempts).toEqual([true, true, true, true, false]);
    },
  );

  it('is made again once after INTERNAL', () => {
    const attempts = [1, 2].map((attempt) => isRetryable({ code: 'INTERNAL', attempt }));
    expect(attempts).toEqual([true, false]);
  });

  it.each(['UNIMPLEMENTED', 'NOT_FOUND', 'INVALID_ARGUMENT', 'CANCELLED', 'UNKNOWN', ''])(
    'is final after %s',
    (code) => {
      expect(isRetryable({ code, attempt: 1 })).toBe(false);
    },
  );
});

describe('the pause', () => {
  it('doubles up to half a minute, with jitter', () => {
    const pauses = [1, 2, 3, 8, 50].map((attempt) => backoffMs({ attempt, random: 0 }));
    expect(pauses).toEqual([250, 500, 1000, 30_000, 30_000]);
    expect(backoffMs({ attempt: 1, random: 1 })).toBe(750);
  });
});

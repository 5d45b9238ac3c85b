import { describe, expect, it } from 'vitest';
import { windowsOf } from './steady.ts';

describe('the windows of a steady run', () => {
  it('leave the warm-up out', () => {
    const samples = Array.from({ length: 100 }, (_, index) => ({ envoy: index }));
    expect(windowsOf(samples)).toEqual({
      start: { envoy: 24.5 },
      middle: { envoy: 54.5 },
      end: { envoy: 94.5 },
      highest: { envoy: 99 },
    });
  });
});

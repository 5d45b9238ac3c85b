import { describe, expect, it } from 'vitest';
import { freePorts } from './ports.ts';

describe('free ports', () => {
  it('are given once, also to those who ask at the same moment and listen later', async () => {
    const asked = await Promise.all(Array.from({ length: 400 }, () => freePorts(10)));
    const ports = asked.flat();
    expect(ports).toHaveLength(4000);
    expect(new Set(ports).size).toBe(4000);
  });
});

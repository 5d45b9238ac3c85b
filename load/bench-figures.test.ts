import { describe, expect, it } from 'vitest';
import { compare, measuredFrom, type Round, sharesFor, tableFor } from './bench-figures.ts';

const bare = { cpu_ms: { envoy: 1 }, p50_ms: 10, p99_ms: 20, per_second: 100, first_token_ms: 2 };
const round = (number: number, cpu: number): Round => ({
  mode: 'json',
  round: number,
  gateway: {
    cpu_ms: { envoy: cpu, redis: 1 },
    p50_ms: 20,
    p99_ms: 80,
    per_second: 50,
    first_token_ms: 5,
  },
  bare,
});
const rounds = [round(1, 2), round(2, 3), round(3, 9)];

describe('the benchmark', () => {
  it('counts processor time for each request', () => {
    const answer = { latenciesMs: [1, 2, 3, 4], firstBytesMs: [1], seconds: 2, failures: {} };
    expect(measuredFrom(answer, { envoy: 0.1 })).toEqual({
      cpu_ms: { envoy: 25 },
      p50_ms: 2.5,
      p99_ms: 4,
      per_second: 2,
      first_token_ms: 1,
    });
  });

  it('compares inside each round and takes the median', () => {
    expect(compare(rounds)).toEqual({
      cpu_ratio: 4,
      cpu_ratio_without_redis: 3,
      cpu_ratio_lowest: 3,
      cpu_ratio_highest: 10,
      p50_ratio: 2,
      p99_ratio: 4,
      throughput_ratio: 0.5,
      first_token_added_ms: 3,
    });
  });

  it('prints both sides and the ratio', () => {
    expect(tableFor(rounds)[1]).toMatch(/^CPU ms per request +4\.00 +1\.00 +4\.00 ×$/);
    expect(sharesFor(rounds)).toBe('CPU ms per request: envoy 3.00, redis 1.00');
  });
});

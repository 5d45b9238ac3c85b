import { describe, expect, it } from 'vitest';
import { tableOf } from './report.ts';

describe('a table', () => {
  it('has columns of equal width, numbers to the right', () => {
    expect(
      tableOf([
        ['', 'p50', 'p99'],
        ['gateway', '1', '10'],
      ]),
    ).toEqual(['         p50  p99', 'gateway    1   10']);
  });
});

import { describe, expect, it } from 'vitest';
import { growth, growthProblems, peak, typical } from './memory.ts';

const mebibyte = 1024 ** 2;
const samples = [
  { a: 1, b: 30 },
  { a: 3, b: 10 },
  { a: 2, b: 20 },
];

describe('memory', () => {
  it('has a typical and a highest value for each process', () => {
    expect(typical(samples)).toEqual({ a: 2, b: 20 });
    expect(peak(samples)).toEqual({ a: 3, b: 30 });
    expect(growth({ a: 1, b: 30 }, { a: 4, b: 10 })).toEqual({ a: 3, b: -20 });
  });

  it('may grow up to the bound of each process', () => {
    const grown = { a: 2 * mebibyte, b: 2 * mebibyte };
    const boundOf = (name: string) => (name === 'a' ? 1 : 2) * mebibyte;
    expect(growthProblems(grown, boundOf)).toEqual(['a grew by 2 MiB, at most 1 MiB are allowed']);
  });
});

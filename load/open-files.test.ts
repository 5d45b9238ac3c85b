import { describe, expect, it } from 'vitest';
import { assertOpenFiles, openFilesIn } from './open-files.ts';

const limits = (value: string) =>
  `Limit                     Soft Limit           Hard Limit           Units
Max processes             94000                94000                processes
Max open files            ${value}                20000                files
`;

describe('the limit of open files', () => {
  it('is the soft one', () => {
    expect(openFilesIn(limits('1024'))).toBe(1024);
    expect(openFilesIn(limits('unlimited'))).toBe(Number.POSITIVE_INFINITY);
    expect(() => openFilesIn('')).toThrow('no limit');
  });

  it('is named, with what to do, where it is too low', () => {
    expect(() => assertOpenFiles(0)).not.toThrow();
    expect(() => assertOpenFiles(1e12)).toThrow(/ulimit -n 1000000000512/);
  });
});

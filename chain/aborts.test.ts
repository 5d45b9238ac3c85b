import { describe, expect, it } from 'vitest';
import { readAbort } from './aborts.ts';

const base = 312_012_000n;
const responseOf = (code: bigint) => readAbort({ module: 'db', code: base + code });

describe('an abort of the contract', () => {
  it.each([
    ['refresh-prices', [21n, 22n]],
    ['fund', [40n]],
    ['drop-task', [15n, 17n, 20n, 34n]],
    ['own-bug', [37n, 39n]],
    ['node-key-fault', [48n, 49n, 50n]],
    ['not-our-call', [23n, 33n, 54n]],
    ['distrust-node', [25n, 51n, 52n, 53n]],
    ['freeze-stack', [24n, 31n, 32n, 46n]],
    ['log', [26n, 28n, 29n, 30n, 41n, 42n, 47n]],
    ['operator-error', [0n, 12n, 13n, 16n, 18n, 35n, 36n, 38n, 43n, 44n, 45n]],
  ])('leads to: %s', (response, codes) => {
    expect(codes.map(responseOf)).toEqual(
      codes.map(() => expect.objectContaining({ kind: 'known', response })),
    );
  });

  it('has a name of its own for each code', () => {
    const names = Array.from({ length: 55 }, (_, code) => responseOf(BigInt(code))).flatMap(
      (abort) => (abort.kind === 'known' ? [abort.name] : []),
    );
    expect(new Set(names).size).toBe(names.length);
    expect(names).toHaveLength(41);
  });

  it('of a table means an unknown id', () => {
    expect(readAbort({ module: 'dynamic_field', code: 1n })).toMatchObject({ name: 'id-unknown' });
  });

  it('is unknown where the code or the module is another', () => {
    expect(responseOf(14n)).toEqual({ kind: 'unknown', module: 'db', code: base + 14n });
    expect(readAbort({ module: 'gate', code: base + 21n })).toMatchObject({ kind: 'unknown' });
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import vectors from '../chain/vectors.json' with { type: 'json' };
import { canonicalJson } from './canonical-json.ts';
import { nodeNumber, safeNumber } from './canonical-number.ts';

const { numbers, strings, objects, rejected, other } = vectors.canonical_json;

describe('canonicalJson', () => {
  it.each(numbers)('prints $input as $node', (number) => {
    expect(canonicalJson(number.input)).toBe(number.node);
  });

  it.each([...strings, ...other])('prints $input as a node does', ({ input, node }) => {
    expect(canonicalJson(input)).toBe(node);
  });

  it('keeps the first place and the last value of a repeated key', () => {
    expect(canonicalJson(objects[0]?.input ?? '')).toBe(objects[0]?.node);
  });

  it.each(vectors.request_signatures.filter(({ id }) => !id.includes('arbitrary')))(
    'prints the published body $id',
    ({ raw_body: body, canonical_body: canonical }) => {
      expect(canonicalJson(body)).toBe(canonical);
    },
  );

  it.each([...rejected, '{', '[1,]', '1 2', '{"a"}', 'nul', '1e400'])('refuses %s', (text) => {
    expect(() => canonicalJson(text)).toThrow();
  });

  it('means what it meant, and prints itself unchanged, where numbers have at most 15 digits', () => {
    const number = fc.oneof(
      fc.integer(),
      fc.integer({ min: -999_999, max: 999_999 }).map((value) => value / 1000),
    );
    const leaf = fc.oneof(number, fc.string({ unit: 'binary' }), fc.boolean(), fc.constant(null));
    const tree = fc.letrec((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('value')),
        fc.dictionary(fc.string(), tie('value')),
      ),
    })).value;
    fc.assert(
      fc.property(tree, (value) => {
        const text = JSON.stringify(value, null, 1);
        const printed = canonicalJson(text);
        expect(JSON.parse(printed)).toEqual(JSON.parse(text));
        expect(canonicalJson(printed)).toBe(printed);
      }),
    );
  });
});

describe('safeNumber', () => {
  it('makes a text that every node reads and prints alike', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const safe = safeNumber(String(value));
        if (safe === undefined) return;
        expect(nodeNumber(safe)).toBe(safe);
        // Fifteen digits are kept; integers of 64 bits keep all of theirs.
        expect(Math.abs(Number(safe) - value)).toBeLessThanOrEqual(Math.abs(value) * 1e-14);
      }),
    );
  });

  it.each([
    ['9007199254740993', '9007199254740993'],
    ['0.70', '0.7'],
    ['-0', '0'],
    ['1E-5', '0.00001'],
    ['0.9073038322028689', '0.907303832202869'],
    ['1e300', undefined],
  ])('turns %s into %s', (text, safe) => {
    expect(safeNumber(text)).toBe(safe);
  });
});

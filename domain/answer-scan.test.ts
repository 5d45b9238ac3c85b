import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAnswerScan } from './answer-scan.ts';

const encoder = new TextEncoder();

/** Scans the text in pieces of the given sizes, again and again. */
function scan(text: string, sizes: readonly number[] = [text.length]) {
  const bytes = encoder.encode(text);
  const reader = createAnswerScan();
  let end: number | undefined;
  for (let at = 0, index = 0; at < bytes.length; index += 1) {
    const size = Math.max(1, sizes[index % sizes.length] ?? 1);
    const found = reader.push(bytes.subarray(at, at + size));
    if (found !== undefined) end = at + found;
    at += size;
  }
  return { ...reader.summary(), end };
}

describe('createAnswerScan', () => {
  it('finds the usage, counts the list and sees the end', () => {
    const text = '{"data":[{"a":{}},{"b":[{}]}], "usage" : {"prompt_tokens": 3},"x":{"usage":1}}\n';
    expect(scan(text)).toEqual({
      isWhole: true,
      usageText: ' {"prompt_tokens": 3}',
      items: 2,
      bytes: text.length,
      end: text.length - 2,
    });
  });

  it.each([
    ['{"usage":1', false],
    ['{"usage":1} x', false],
    ['{"usage":1}}', false],
    ['', false],
    ['{}', true],
    ['{"a":"}"}', true],
    ['{"a":"\\"}', false],
  ])('takes %s for whole: %s', (text, isWhole) => {
    expect(scan(text).isWhole).toBe(isWhole);
    expect(scan(text, [1]).isWhole).toBe(isWhole);
  });

  it('gives up a usage that is too long', () => {
    expect(scan(`{"usage":"${'x'.repeat(20_000)}"}`).usageText).toBeUndefined();
  });

  it('takes the last of two, as parsers do', () => {
    expect(scan('{"usage":1,"usage":2}').usageText).toBe('2');
  });

  it('agrees with JSON.parse on any object, however it is cut', () => {
    const value = fc.jsonValue({ maxDepth: 4, stringUnit: 'binary' });
    const answer = fc.record(
      {
        id: value,
        data: fc.oneof(fc.array(fc.dictionary(fc.string(), value)), value),
        usage: value,
        'da"ta': value,
        '\\usage': value,
      },
      { requiredKeys: [] },
    );
    const sizes = fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1 });
    fc.assert(
      fc.property(answer, sizes, fc.nat(2), (object, cuts, indent) => {
        const text = JSON.stringify(object, null, indent);
        const { isWhole, usageText, items, end } = scan(text, cuts);
        expect([isWhole, end]).toEqual([true, encoder.encode(text).length - 1]);
        expect(usageText === undefined ? undefined : JSON.stringify(JSON.parse(usageText))).toBe(
          JSON.stringify(object.usage),
        );
        const isObject = (item: unknown) =>
          typeof item === 'object' && item !== null && !Array.isArray(item);
        const list: readonly unknown[] = Array.isArray(object.data) ? object.data : [];
        if (object.data === undefined || Array.isArray(object.data)) {
          expect(items).toBe(list.filter(isObject).length);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

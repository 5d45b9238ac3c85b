import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKeyText, keyHint, keyTextFrom } from './key-text.ts';

const randomBytes = fc.uint8Array({ minLength: 32, maxLength: 32 });

describe('the text of a key', () => {
  it('has a known form', () => {
    const text = keyTextFrom(new Uint8Array(32));
    expect(text).toMatch(/^sk-atoma-0{43}[0-9A-Za-z]{6}$/);
    expect(keyTextFrom(new Uint8Array(32).fill(255))).toHaveLength(text.length);
    expect(keyHint(text)).toBe('sk-atoma-000000…');
  });

  it('passes its own checksum', () => {
    fc.assert(fc.property(randomBytes, (bytes) => isKeyText(keyTextFrom(bytes))));
  });

  it('differs for different bytes', () => {
    fc.assert(
      fc.property(randomBytes, randomBytes, (left, right) => {
        const equal = left.every((byte, index) => byte === right[index]);
        expect(keyTextFrom(left) === keyTextFrom(right)).toBe(equal);
      }),
    );
  });

  it('fails the checksum where one character is wrong', () => {
    fc.assert(
      fc.property(randomBytes, fc.nat(48), (bytes, place) => {
        const text = keyTextFrom(bytes);
        const index = 'sk-atoma-'.length + place;
        const other = text[index] === 'x' ? 'y' : 'x';
        const wrong = text.slice(0, index) + other + text.slice(index + 1);
        expect(isKeyText(wrong)).toBe(false);
      }),
    );
  });

  it.each(['', 'sk-atoma-', 'sk-other', `${keyTextFrom(new Uint8Array(32))}0`])(
    'is not "%s"',
    (text) => {
      expect(isKeyText(text)).toBe(false);
    },
  );

  it('refuses too few random bytes', () => {
    expect(() => keyTextFrom(new Uint8Array(31))).toThrow(RangeError);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createAddressRule, parseRange } from './public-address.ts';

const isPublic = createAddressRule([]);

function rangesOf(...texts: readonly string[]) {
  return texts.map((text) => {
    const range = parseRange(text);
    if (!range) throw new Error(`no range: ${text}`);
    return range;
  });
}

describe('an address', () => {
  it.each(['1.1.1.1', '9.9.9.9', '172.15.0.1', '172.32.0.1', '223.255.255.255', '2606:4700::1111'])(
    '%s is public',
    (ip) => expect(isPublic(ip)).toBe(true),
  );

  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '169.254.170.2',
    '168.63.129.16',
    '100.100.100.200',
    '0.0.0.0',
    '192.0.2.1',
    '198.19.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:9.9.9.9',
    '64:ff9b::a9fe:a9fe',
    '2002:7f00:1::',
    '2001:0:a9fe:a9fe::1',
    'fe80::1',
    'fd00:ec2::254',
    'ff02::1',
    '2001:db8::1',
    'localhost',
    '',
  ])('%s is not', (ip) => expect(isPublic(ip)).toBe(false));

  it('is allowed where the operator says so, and only there', () => {
    const isAllowed = createAddressRule(rangesOf('10.7.0.0/16', 'fd00::/8'));
    expect(isAllowed('10.7.1.1')).toBe(true);
    expect(isAllowed('fd12::1')).toBe(true);
    expect(isAllowed('10.8.0.1')).toBe(false);
    expect(isAllowed('127.0.0.1')).toBe(false);
    expect(isAllowed('9.9.9.9')).toBe(true);
  });

  it('in a private range is never public', () => {
    const byte = fc.nat(255);
    const privates = fc.oneof(
      fc.tuple(fc.constant(10), byte, byte, byte),
      fc.tuple(fc.constant(127), byte, byte, byte),
      fc.tuple(fc.constant(172), fc.integer({ min: 16, max: 31 }), byte, byte),
      fc.tuple(fc.constant(192), fc.constant(168), byte, byte),
      fc.tuple(fc.constant(169), fc.constant(254), byte, byte),
      fc.tuple(fc.integer({ min: 224, max: 255 }), byte, byte, byte),
    );
    fc.assert(
      fc.property(privates, (parts) => {
        const ip = parts.join('.');
        expect(isPublic(ip)).toBe(false);
        expect(isPublic(`::ffff:${ip}`)).toBe(false);
      }),
    );
  });
});

describe('a range', () => {
  it.each(['10.0.0.0', '10.0.0.0/33', 'fd00::/129', 'a/8', '10.0.0/8', '1.2.3.4/-1', ''])(
    '%j is none',
    (text) => expect(parseRange(text)).toBeUndefined(),
  );
});

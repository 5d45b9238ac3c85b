import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stackSmallId } from '../domain/chain-ids.ts';
import { createKeyPair, deriveExchangeKey, eraseKeyPair, isCanonicalKey } from './keys.ts';
import { sealRequest } from './request.ts';
import { fixedBytes, hex, nodePair, seededBytes } from './testing/samples.ts';

// All points of low order that have one form below the prime (RFC 7748, section 6.1; curve25519 reference, "contributory").
const lowOrder = [
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  '5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
];
const salt = new Uint8Array(16);

describe('a key pair', () => {
  it('gives both sides the same key', () => {
    const client = createKeyPair(randomBytes);
    const node = createKeyPair(randomBytes);
    const ours = deriveExchangeKey({ ...client, peerPublicKey: node.publicKey, salt });
    const theirs = deriveExchangeKey({ ...node, peerPublicKey: client.publicKey, salt });
    expect(ours).toEqual(theirs);
    expect(ours).toHaveLength(32);
  });

  it('gives another key under another salt', () => {
    const peerPublicKey = nodePair.publicKey;
    const pair = createKeyPair(seededBytes('pair'));
    const other = deriveExchangeKey({ ...pair, peerPublicKey, salt: salt.with(15, 1) });
    expect(deriveExchangeKey({ ...pair, peerPublicKey, salt })).not.toEqual(other);
  });

  it('loses its secret when erased, but not the caller’s randomness', () => {
    const secret = seededBytes('secret')(32);
    const pair = createKeyPair(fixedBytes(secret));
    eraseKeyPair(pair);
    expect(pair.secretKey).toEqual(new Uint8Array(32));
    expect(secret).not.toEqual(new Uint8Array(32));
  });
});

describe('a public key', () => {
  it.each(lowOrder)('of low order gives no key: %s', (text) => {
    const peerPublicKey = hex(text);
    expect(deriveExchangeKey({ ...nodePair, peerPublicKey, salt })).toBeUndefined();
  });

  it('of a node is refused by the client where it is weak', () => {
    const request = {
      plaintext: salt,
      stackSmallId: stackSmallId(1n),
      modelName: 'm',
      stream: false,
      numComputeUnits: undefined,
    };
    const twice = nodePair.publicKey.with(31, (nodePair.publicKey[31] ?? 0) | 0x80);
    for (const nodePublicKey of [...lowOrder.map(hex), twice]) {
      const sealed = sealRequest({ ...request, nodePublicKey }, seededBytes('weak'));
      expect(sealed).toEqual({ kind: 'key-weak' });
    }
  });

  it('has one form, below the prime', () => {
    const prime = 2n ** 255n - 19n;
    const bytesOf = (value: bigint) => hex(value.toString(16).padStart(64, '0')).toReversed();
    const near = fc.bigInt(-40n, 40n).map((distance) => prime + distance);
    const any = fc.bigInt(0n, 2n ** 256n - 1n);
    fc.assert(
      fc.property(fc.oneof(near, any), (value) => {
        expect(isCanonicalKey(bytesOf(value))).toBe(value < prime);
      }),
      { numRuns: 400 },
    );
  });
});

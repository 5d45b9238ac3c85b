import { randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { blake2b256 } from '../../chain/blake2b.ts';
import { keyOfSeed } from '../../chain/keystore.ts';
import { signHash } from '../../chain/request-signature.ts';
import { parseBase64 } from '../base64.ts';
import { createDeferredSigner } from './deferred-signer.ts';

const key = keyOfSeed(blake2b256('node'));
const hash = blake2b256('text');
const signed = () => parseBase64(signHash(key, hash)) ?? new Uint8Array();

afterEach(() => vi.unstubAllGlobals());

describe.each(['the platform', 'JavaScript'])('a signature, checked by %s', (by) => {
  const signerFor = () => {
    if (by === 'JavaScript') vi.stubGlobal('crypto', { subtle: undefined });
    return createDeferredSigner();
  };

  it('is proven by its address, each time anew', async () => {
    const signer = signerFor();
    for (let times = 0; times < 2; times += 1) {
      expect(signer.signerOf(hash, signed())).toBe(key.address);
      expect(await signer.isProven()).toBe(true);
    }
  });

  it.each([
    ['another hash', (bytes: Uint8Array) => bytes, blake2b256('other')],
    ['a changed signature', (bytes: Uint8Array) => bytes.with(9, (bytes[9] ?? 0) ^ 1), hash],
    ['another key', (bytes: Uint8Array) => bytes.with(70, (bytes[70] ?? 0) ^ 1), hash],
    ['no point', (bytes: Uint8Array) => bytes.fill(0xff, 65), hash],
  ])('is not proven with %s', async (_, change, over) => {
    const signer = signerFor();
    signer.signerOf(over, change(signed()));
    expect(await signer.isProven()).toBe(false);
  });

  it('of the wrong length is none at once', () => {
    expect(signerFor().signerOf(hash, randomBytes(40))).toBeUndefined();
  });
});

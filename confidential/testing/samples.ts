/** Inputs for the tests: keys and randomness that are known, and bytes changed in one place. */
import { createHash } from 'node:crypto';
import { parseKeystoreEntry, type SigningKey, toKeystoreEntry } from '../../chain/keystore.ts';
import { stackSmallId } from '../../domain/chain-ids.ts';
import { createKeyPair, type RandomBytes } from '../keys.ts';
import { type SealedRequest, sealRequest } from '../request.ts';

export const hex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'));

/** Gives the parts one after the other, and nothing else. */
export function fixedBytes(...parts: readonly Uint8Array[]): RandomBytes {
  const left = [...parts];
  return (length) => {
    const part = left.shift();
    if (part?.length !== length) throw new Error(`no ${length} bytes are left`);
    return part;
  };
}

/** Bytes that follow from a seed. */
export function seededBytes(seed: string): RandomBytes {
  let count = 0;
  return (length) => {
    count += 1;
    return new Uint8Array(
      createHash('shake256', { outputLength: length }).update(`${seed} ${count}`).digest(),
    );
  };
}

/** The signing key of a seed of 32 bytes. */
export function signingKey(seed: Uint8Array): SigningKey {
  const key = parseKeystoreEntry(toKeystoreEntry(seed));
  if (!key) throw new Error('not a seed');
  return key;
}

export const nodeSeed = new Uint8Array(32).fill(2);
export const nodeSigner = signingKey(nodeSeed);
export const nodePair = createKeyPair(seededBytes('node'));

/** Seals a request to the node of these tests. */
export function sealSample(
  plaintext: Uint8Array,
  options: { nodePublicKey?: Uint8Array; seed?: string } = {},
): SealedRequest {
  const { nodePublicKey = nodePair.publicKey, seed = 'client' } = options;
  const request = {
    plaintext,
    nodePublicKey,
    stackSmallId: stackSmallId(7n),
    modelName: 'm',
    stream: false,
    numComputeUnits: undefined,
  };
  const sealed = sealRequest(request, seededBytes(seed));
  if (sealed.kind !== 'sealed') throw new Error(sealed.kind);
  return sealed;
}

/** A copy with one bit the other way. */
export function flipBit<Bytes extends Uint8Array>(bytes: Bytes, bit: number): Uint8Array {
  const flipped = Uint8Array.from(bytes);
  flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return flipped;
}

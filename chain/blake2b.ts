/** BLAKE2b with a 32-byte output, the hash of the Atoma network and of Sui addresses. */
import { blake2b } from '@noble/hashes/blake2.js';
import { utf8ToBytes } from '@noble/hashes/utils.js';

const lengthBytes = 32;

/** Hashes bytes, or the UTF-8 of a text. */
export function blake2b256(data: Uint8Array | string): Uint8Array {
  return blake2b(typeof data === 'string' ? utf8ToBytes(data) : data, { dkLen: lengthBytes });
}

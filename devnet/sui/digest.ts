/** Hashes and ids of the ledger, computed as Sui computes them, so that the SDK's own checks agree. */
import { fromBase58, toBase58, toHex } from '@mysten/sui/utils';
import { blake2b256 } from '../../chain/blake2b.ts';

const utf8 = new TextEncoder();
const objectIdScope = 0xf1;

/** The digest of a signable value: its Rust name, two colons and its BCS. */
export function digestOf(name: string, bytes: Uint8Array): string {
  return toBase58(blake2b256(Buffer.concat([utf8.encode(`${name}::`), bytes])));
}

/** The id of the n-th object that a transaction creates. */
export function derivedId(transactionDigest: string, n: bigint): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64LE(n);
  const input = [Buffer.of(objectIdScope), fromBase58(transactionDigest), counter];
  return `0x${toHex(blake2b256(Buffer.concat(input)))}`;
}

/** Computes a value of an object at most once, and only when it is wanted. */
export function memoized<Key extends object, Value>(
  compute: (key: Key) => Value,
): (key: Key) => Value {
  const known = new WeakMap<Key, { readonly value: Value }>();
  return (key) => {
    const found = known.get(key);
    if (found) return found.value;
    const value = compute(key);
    known.set(key, { value });
    return value;
  };
}

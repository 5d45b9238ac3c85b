import { hash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { growTree, leafHashOf, rootByProof } from './merkle.ts';

const leavesOf = (count: number) =>
  Array.from({ length: count }, (_, index) => leafHashOf(Buffer.from(`leaf ${index}`)));

/** Section 2.1 of RFC 6962, word by word. */
function slowRoot(leaves: readonly Uint8Array[]): Uint8Array {
  const [only] = leaves;
  if (leaves.length === 1 && only) return only;
  let middle = 1;
  while (middle * 2 < leaves.length) middle *= 2;
  const parts = [slowRoot(leaves.slice(0, middle)), slowRoot(leaves.slice(middle))];
  return hash('sha256', Buffer.concat([Buffer.of(1), ...parts]), 'buffer');
}

describe('a tree', () => {
  it('has the root of the published test vectors of RFC 6962 implementations', () => {
    const inputs = ['', '00', '10', '2021', '3031', '40414243', '5051525354555657'];
    const last = '606162636465666768696a6b6c6d6e6f';
    const leaves = [...inputs, last].map((hex) => leafHashOf(Buffer.from(hex, 'hex')));
    expect(Buffer.from(growTree(leaves).root).toString('hex')).toBe(
      '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
    );
    expect(leaves[0]?.toString('hex')).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    );
  });

  it('proves every leaf of every size in its own place only', () => {
    for (let size = 1; size <= 70; size += 1) {
      const leaves = leavesOf(size);
      const { root, proofs } = growTree(leaves);
      expect(root).toEqual(slowRoot(leaves));
      for (const [index, leaf] of leaves.entries()) {
        const proof = proofs[index] ?? [];
        expect(rootByProof({ leaf, index, size, proof })).toEqual(root);
        const elsewhere = (index + 1) % size;
        if (size > 1) {
          expect(rootByProof({ leaf, index: elsewhere, size, proof })).not.toEqual(root);
        }
      }
    }
  });

  const flip = (bytes: Uint8Array, bit: number) =>
    bytes.map((byte, at) => (at === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte));
  const bit = fc.integer({ min: 0, max: 255 });
  const place = fc
    .integer({ min: 2, max: 300 })
    .chain((size) =>
      fc.record({ size: fc.constant(size), index: fc.integer({ min: 0, max: size - 1 }) }),
    );

  it('takes no leaf and no proof with a flipped bit', () => {
    fc.assert(
      fc.property(place, fc.nat(), bit, ({ size, index }, at, flipped) => {
        const leaves = leavesOf(size);
        const { root, proofs } = growTree(leaves);
        const proof = proofs[index] ?? [];
        const leaf = leaves[index] ?? Buffer.alloc(0);
        const wrong = proof.map((one, level) =>
          level === at % proof.length ? flip(one, flipped) : one,
        );
        expect(rootByProof({ leaf, index, size, proof: wrong })).not.toEqual(root);
        expect(rootByProof({ leaf: flip(leaf, flipped), index, size, proof })).not.toEqual(root);
      }),
    );
  });

  it('takes no proof that is shorter, longer or for a tree of another depth', () => {
    fc.assert(
      fc.property(place, ({ size, index }) => {
        const leaves = leavesOf(size);
        const { proofs } = growTree(leaves);
        const proof = proofs[index] ?? [];
        const leaf = leaves[index] ?? Buffer.alloc(0);
        const others = [proof.slice(0, -1), [...proof, leaf]];
        for (const other of others) {
          expect(rootByProof({ leaf, index, size, proof: other })).toBeUndefined();
        }
        expect(rootByProof({ leaf, index: size, size, proof })).toBeUndefined();
      }),
    );
  });

  it('has at least one leaf', () => {
    expect(() => growTree([])).toThrow(RangeError);
    expect(rootByProof({ leaf: Buffer.alloc(32), index: 0, size: 0, proof: [] })).toBeUndefined();
  });
});

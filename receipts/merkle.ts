/** The Merkle tree of RFC 6962, section 2.1, over SHA-256: leaves and inner nodes are hashed apart by their first byte. */
import { hash } from 'node:crypto';

const leafPrefix = Buffer.of(0);
const nodePrefix = Buffer.of(1);

const sha256 = (...parts: readonly Uint8Array[]) => hash('sha256', Buffer.concat(parts), 'buffer');

export const leafHashOf = (data: Uint8Array): Buffer => sha256(leafPrefix, data);
const nodeHashOf = (left: Uint8Array, right: Uint8Array): Buffer => sha256(nodePrefix, left, right);

export type Tree = {
  readonly root: Uint8Array;
  /** For each leaf the hashes beside its way to the root, the lowest first. */
  readonly proofs: readonly (readonly Uint8Array[])[];
};

/** The tree over hashes of leaves; at least one. */
export function growTree(leaves: readonly Uint8Array[]): Tree {
  const proofs: Uint8Array[][] = leaves.map(() => []);

  function grow(first: number, end: number): Uint8Array {
    const [leaf] = leaves.slice(first, first + 1);
    if (!leaf) throw new RangeError('a tree has at least one leaf');
    if (end - first === 1) return leaf;
    const middle = first + powerBelow(end - first);
    const left = grow(first, middle);
    const right = grow(middle, end);
    for (let index = first; index < end; index += 1) {
      proofs[index]?.push(index < middle ? right : left);
    }
    return nodeHashOf(left, right);
  }

  return { root: grow(0, leaves.length), proofs };
}

/** The largest power of two below a count of at least two. */
const powerBelow = (count: number) => 2 ** (31 - Math.clz32(count - 1));

type Placed = {
  readonly leaf: Uint8Array;
  readonly index: number;
  /** At most 2^31. */
  readonly size: number;
  readonly proof: readonly Uint8Array[];
};

/** The root that a proof leads to; nothing where it is no proof for that place in a tree of that size. */
export function rootByProof({ leaf, index, size, proof }: Placed): Uint8Array | undefined {
  if (index >= size) return undefined;
  const sibling = proof.at(-1);
  if (size === 1) return sibling ? undefined : leaf;
  if (!sibling) return undefined;
  // The last hash stands beside the part of the tree, left or right of the middle, in which the leaf is.
  const middle = powerBelow(size);
  const isLeft = index < middle;
  const part = isLeft ? { index, size: middle } : { index: index - middle, size: size - middle };
  const root = rootByProof({ leaf, ...part, proof: proof.slice(0, -1) });
  if (!root) return undefined;
  return isLeft ? nodeHashOf(root, sibling) : nodeHashOf(sibling, root);
}

/** BLAKE2b with a 32-byte output, written as RFC 7693 states it, on big integers. Slow, and meant to be read. */

const mask = (1n << 64n) - 1n;
const blockBytes = 128;
const outputBytes = 32;

// RFC 7693, section 2.6: the first 64 bits of the fractional parts of the square roots of the first eight primes.
const initialVector = [
  0x6a09e667f3bcc908n,
  0xbb67ae8584caa73bn,
  0x3c6ef372fe94f82bn,
  0xa54ff53a5f1d36f1n,
  0x510e527fade682d1n,
  0x9b05688c2b3e6c1fn,
  0x1f83d9abfb41bd6bn,
  0x5be0cd19137e2179n,
];

// RFC 7693, section 2.7; rounds ten and eleven use the first two again.
const permutations = [
  [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15],
  [14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3],
  [11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4],
  [7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8],
  [9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13],
  [2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9],
  [12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11],
  [13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10],
  [6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5],
  [10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0],
];

const columnsAndDiagonals = [
  [0, 4, 8, 12],
  [1, 5, 9, 13],
  [2, 6, 10, 14],
  [3, 7, 11, 15],
  [0, 5, 10, 15],
  [1, 6, 11, 12],
  [2, 7, 8, 13],
  [3, 4, 9, 14],
] as const;

const at = (words: readonly bigint[], index: number) => words[index] ?? 0n;
const add = (...words: readonly bigint[]) => words.reduce((sum, word) => sum + word, 0n) & mask;
const rotateRight = (word: bigint, bits: bigint) =>
  ((word >> bits) | (word << (64n - bits))) & mask;

/** RFC 7693, section 3.1: the mixing function G. */
function mix(work: bigint[], [a, b, c, d]: readonly number[], [x, y]: readonly bigint[]): void {
  if (a === undefined || b === undefined || c === undefined || d === undefined) return;
  work[a] = add(at(work, a), at(work, b), x ?? 0n);
  work[d] = rotateRight(at(work, d) ^ at(work, a), 32n);
  work[c] = add(at(work, c), at(work, d));
  work[b] = rotateRight(at(work, b) ^ at(work, c), 24n);
  work[a] = add(at(work, a), at(work, b), y ?? 0n);
  work[d] = rotateRight(at(work, d) ^ at(work, a), 16n);
  work[c] = add(at(work, c), at(work, d));
  work[b] = rotateRight(at(work, b) ^ at(work, c), 63n);
}

/** RFC 7693, section 3.2: the compression function F. */
function compress(
  state: readonly bigint[],
  block: readonly bigint[],
  end: { bytesSoFar: number; isLast: boolean },
): bigint[] {
  const work = [...state, ...initialVector];
  work[12] = at(work, 12) ^ BigInt(end.bytesSoFar);
  if (end.isLast) work[14] = at(work, 14) ^ mask;
  for (let round = 0; round < 12; round += 1) {
    const order = permutations[round % 10] ?? [];
    for (const [step, positions] of columnsAndDiagonals.entries()) {
      const words = [at(block, order[2 * step] ?? 0), at(block, order[2 * step + 1] ?? 0)];
      mix(work, positions, words);
    }
  }
  return state.map((word, index) => word ^ at(work, index) ^ at(work, index + 8));
}

/** RFC 7693, section 3.3, without a key. */
export function twinBlake2b256(data: Uint8Array): Uint8Array {
  let state = initialVector.map((word, index) =>
    index === 0 ? word ^ 0x01010000n ^ BigInt(outputBytes) : word,
  );
  const blocks = Math.max(1, Math.ceil(data.length / blockBytes));
  for (let index = 0; index < blocks; index += 1) {
    const padded = Buffer.alloc(blockBytes);
    padded.set(data.subarray(index * blockBytes, (index + 1) * blockBytes));
    const words = Array.from({ length: 16 }, (_, word) => padded.readBigUInt64LE(8 * word));
    const isLast = index === blocks - 1;
    const bytesSoFar = isLast ? data.length : (index + 1) * blockBytes;
    state = compress(state, words, { bytesSoFar, isLast });
  }
  const output = Buffer.alloc(64);
  for (const [index, word] of state.entries()) output.writeBigUInt64LE(word, 8 * index);
  return output.subarray(0, outputBytes);
}

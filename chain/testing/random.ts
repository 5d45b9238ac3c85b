/** Repeatable chance for tests, by a seed. */

export type Random = {
  /** From 0 to 1. */
  next(): number;
  /** An integer below `end`. */
  below(end: number): number;
  /** Nothing where there is nothing to pick from. */
  pick<Item>(items: Iterable<Item>): Item | undefined;
};

/** The same seed gives the same numbers (mulberry32). */
export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const below = (end: number) => Math.floor(next() * end);
  return {
    next,
    below,
    pick: (items) => {
      const all = [...items];
      return all[below(all.length)];
    },
  };
}

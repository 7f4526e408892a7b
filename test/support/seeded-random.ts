// Random choices that a seed repeats, for tests that choose their work by chance.

/** Draws; the same for the same seed. */
export interface SeededRandom {
  /** A whole number from 0 to `end` - 1. */
  below(end: number): number;
  /** A whole number from `from` to `to`, both included. */
  between(from: number, to: number): number;
  /** One of a list. */
  pick<T>(list: readonly T[]): T;
}

/** Creates a generator from any whole number. Source: mulberry32, of Tommy Ettinger, in the public domain. */
export function createSeededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const below = (end: number) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * end);
  };
  return {
    below,
    between: (from, to) => from + below(to - from + 1),
    pick: (list) => list[below(list.length)]!,
  };
}

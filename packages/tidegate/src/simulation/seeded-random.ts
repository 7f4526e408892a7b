// Chance that a seed repeats. What is drawn for one purpose does not change what is drawn for another: each has a
// stream of its own.

import type { Random } from "../ports/random.ts";

/** Creates a stream of a seed. Source: mulberry32, of Tommy Ettinger, in the public domain. */
export function createSeededRandom(seed: number, stream = 0): Random {
  // The streams of a seed begin far from each other, and from those of the next seed.
  let state = (Math.imul(seed, 0x9e3779b1) ^ Math.imul(stream + 1, 0x85ebca6b)) >>> 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) >>> 0;
      let mixed = Math.imul(state ^ (state >>> 15), state | 1);
      mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
      return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    },
  };
}

/** Draws a whole number from 0 to `end` - 1. */
export function below(random: Random, end: number): number {
  return Math.floor(random.next() * end);
}

/** Draws a length by its mean, exponentially distributed, as the gaps of a Poisson process are. */
export function exponential(random: Random, mean: number): number {
  return mean === 0 ? 0 : -Math.log(1 - random.next()) * mean;
}

/** Returns what draws an index by its weight. */
export function createWeighted(weights: readonly number[], random: Random): () => number {
  if (weights.every((weight) => weight === weights[0])) return () => below(random, weights.length);
  let sum = 0;
  const sums = weights.map((weight) => {
    sum += weight;
    return sum;
  });
  return () => {
    const at = random.next() * sum;
    let low = 0;
    let high = sums.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (sums[middle]! <= at) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

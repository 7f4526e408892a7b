// Draws from a list by how much of all each has.

import type { SeededRandom } from "../support/seeded-random.ts";
import { chance } from "./chance.ts";

/** Returns what draws an index by its share. */
export function createShares(shares: readonly number[], random: SeededRandom): () => number {
  if (shares.every((share) => share === shares[0])) return () => random.below(shares.length);
  let sum = 0;
  const sums = shares.map((share) => {
    sum += share;
    return sum;
  });
  return () => {
    const at = chance(random) * sum;
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

/** Shares that are equal. */
export function equalShares(count: number): number[] {
  return Array.from({ length: count }, () => 1);
}

/** Shares of which the n-th is the first divided by n. */
export function zipfShares(count: number): number[] {
  return Array.from({ length: count }, (_, index) => 1 / (index + 1));
}

/** Shares of which the first has so much of all, and the others the rest in equal parts. */
export function oneOf(count: number, first: number): number[] {
  return Array.from({ length: count }, (_, index) =>
    index === 0 ? first : (1 - first) / (count - 1),
  );
}

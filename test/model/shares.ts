// How much of all each of a list has.

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

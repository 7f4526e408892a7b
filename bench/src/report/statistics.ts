// Medians and percentiles of samples. Sorting is by a copy; an empty sample is an error, never a silent NaN.

/** Returns the value below which `share` (0 to 1) of the samples lie, by the nearest rank. */
export function percentile(samples: readonly number[] | Float64Array, share: number): number {
  if (samples.length === 0) throw new Error("a percentile of no samples");
  const sorted = Float64Array.from(samples).sort();
  const rank = Math.ceil(share * sorted.length) - 1;
  return sorted[Math.min(Math.max(rank, 0), sorted.length - 1)]!;
}

/** Returns the middle sample, or the mean of the two in the middle. */
export function median(samples: readonly number[]): number {
  const sorted = Float64Array.from(samples).sort();
  if (sorted.length === 0) throw new Error("a median of no samples");
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

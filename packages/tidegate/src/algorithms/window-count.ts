// What the windows share that count in one number: numbers[at] is the start of the window, numbers[at + 1] the units
// taken in it. Lua twin: algorithms.lua.

/** Takes `units`. Only where the window's wait was 0 for them. */
export function takeCount(numbers: Float64Array, at: number, units: number): void {
  numbers[at + 1]! += units;
}

/** Takes `units` whether they are there or not, until twice the limit are taken in the window. */
export function chargeCount(
  limit: { readonly limit: number },
  numbers: Float64Array,
  at: number,
  units: number,
): void {
  const count = numbers[at + 1]!;
  numbers[at + 1] = Math.max(count, Math.min(count + units, 2 * limit.limit));
}

/** Gives `units` back that were taken at `takenAt`; those of a window that is over have come back by themselves. */
export function giveCount(numbers: Float64Array, at: number, units: number, takenAt: number): void {
  if (takenAt >= numbers[at]!) numbers[at + 1] = Math.max(numbers[at + 1]! - units, 0);
}

/** Returns the units taken in the window. */
export function countOf(numbers: Float64Array, at: number): number {
  return numbers[at + 1]!;
}

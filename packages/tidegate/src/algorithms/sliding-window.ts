// Sliding window counter: two counters, of this clock-aligned window and the one before, which counts for the part of
// it that a window ending now still overlaps. It takes the units of the window before for evenly spread; where they
// came at its end, up to twice the limit fit into one window's length. Lua twin: algorithms.lua.
// Source: Cloudflare, "How we built rate limiting capable of scaling to millions of domains" (2017).

import type { LimitBase } from "./limit-base.ts";

/** At most `limit` units in `windowUs` microseconds, those of the window before weighted by the overlap. */
export interface SlidingWindowLimit extends LimitBase {
  readonly algorithm: "sliding-window";
}

/** Creates the limit; the policy layer has checked the numbers. */
export function createSlidingWindowLimit(rule: {
  limit: number;
  windowUs: number;
  name?: string | undefined;
  soft?: boolean;
}): SlidingWindowLimit {
  return {
    algorithm: "sliding-window",
    name: rule.name,
    limit: rule.limit,
    windowUs: rule.windowUs,
    soft: rule.soft ?? false,
    rule: `sw,${rule.windowUs}`,
    width: 3,
  };
}

// State: numbers[at] = start of the window, numbers[at + 1] = units taken in it, numbers[at + 2] = in the one before.

/**
 * Brings the state to `now`. As for a fixed window, one that is up to a length ahead stays (the clock was stepped back
 * a little), and one farther ahead is brought back with its counts.
 */
export function advanceSlidingWindow(
  limit: SlidingWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): void {
  const passed = now - numbers[at]!;
  const windowUs = limit.windowUs;
  if (passed >= windowUs) {
    numbers[at + 2] = passed < 2 * windowUs ? numbers[at + 1]! : 0;
    numbers[at + 1] = 0;
    numbers[at] = now - (now % windowUs);
  } else if (-passed > windowUs || (passed < 0 && numbers[at + 1] === 0 && numbers[at + 2] === 0)) {
    numbers[at] = now - (now % windowUs);
  }
}

/** Returns how many units of `before` still count when `leftUs` of the window are left, rounded up. */
function weigh(limit: SlidingWindowLimit, before: number, leftUs: number): number {
  // Rounded, the product and the quotient still never fall while `leftUs` grows, which is all that waits rest on.
  return Math.ceil((before * leftUs) / limit.windowUs);
}

/** Returns the most microseconds that may be left of the window for `before` to count as `spare` units at most. */
function leftFor(limit: SlidingWindowLimit, before: number, spare: number): number {
  if (before <= spare) return limit.windowUs;
  let leftUs = Math.floor((spare / before) * limit.windowUs);
  while (weigh(limit, before, leftUs) > spare) leftUs -= 1;
  while (weigh(limit, before, leftUs + 1) <= spare) leftUs += 1;
  return leftUs;
}

/** Returns the microseconds left of the window; all of them before it begins. */
function leftOf(limit: SlidingWindowLimit, start: number, now: number): number {
  return Math.min(start + limit.windowUs - now, limit.windowUs);
}

/** Returns the units that count at `now`, rounded up. The state must be at `now`. */
export function consumedSlidingWindow(
  limit: SlidingWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  return numbers[at + 1]! + weigh(limit, numbers[at + 2]!, leftOf(limit, numbers[at]!, now));
}

/** Returns the microseconds until `cost` units are there: 0 now, Infinity never. The state must be at `now`. */
export function waitSlidingWindow(
  limit: SlidingWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
): number {
  if (cost > limit.limit) return Number.POSITIVE_INFINITY;
  if (cost === 0) return 0;
  const end = numbers[at]! + limit.windowUs;
  const count = numbers[at + 1]!;
  const before = numbers[at + 2]!;
  const spare = limit.limit - cost - count;
  if (spare < 0) return end + limit.windowUs - leftFor(limit, count, limit.limit - cost) - now;
  if (weigh(limit, before, leftOf(limit, numbers[at]!, now)) <= spare) return 0;
  return end - leftFor(limit, before, spare) - now;
}

/** Takes `cost` units. Only where waitSlidingWindow answered 0 for them. */
export function takeSlidingWindow(numbers: Float64Array, at: number, cost: number): void {
  numbers[at + 1]! += cost;
}

/** Takes `units` whether they are there or not, until twice the limit counts. The state must be at `now`. */
export function chargeSlidingWindow(
  limit: SlidingWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  units: number,
): void {
  const most = 2 * limit.limit - consumedSlidingWindow(limit, numbers, at, now);
  numbers[at + 1]! += Math.max(Math.min(units, most), 0);
}

/** Gives `units` back that were taken at `takenAt`, to the window in which they were; Infinity is now. */
export function giveSlidingWindow(
  limit: SlidingWindowLimit,
  numbers: Float64Array,
  at: number,
  units: number,
  takenAt: number,
): void {
  let left = units;
  if (takenAt >= numbers[at]!) {
    const given = Math.min(left, numbers[at + 1]!);
    numbers[at + 1]! -= given;
    left = takenAt === Number.POSITIVE_INFINITY ? left - given : 0;
  } else if (takenAt < numbers[at]! - limit.windowUs) {
    left = 0;
  }
  numbers[at + 2] = Math.max(numbers[at + 2]! - left, 0);
}

/** Returns the microseconds until nothing counts any more. The state must be at `now`. */
export function resetSlidingWindow(
  limit: SlidingWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  if (numbers[at + 1]! > 0) return numbers[at]! + 2 * limit.windowUs - now;
  return numbers[at + 2]! > 0 ? numbers[at]! + limit.windowUs - now : 0;
}

/** Sets the state to `consumed` units taken at `now`. */
export function assumeSlidingWindow(
  limit: SlidingWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  consumed: number,
): void {
  numbers[at] = now - (now % limit.windowUs);
  numbers[at + 1] = consumed;
  numbers[at + 2] = 0;
}

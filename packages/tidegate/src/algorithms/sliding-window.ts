// Sliding window counter: two counters, of this clock-aligned window and the one before, which counts for the part of
// it that a window ending now still overlaps, as if its units were evenly spread. Lua twin: algorithms.lua.
//
// In an aligned window at most the limit L. In a span of one window's length that begins at the fraction f of the
// window before, of whose P units A are in the span: at most L + A - ceil(P (1 - f)). So L where its end was no busier
// than its average; never more than L + floor(P f), and 2 L - 1 at most, which a burst at a window's end and one a
// window later get. It denies longer than a log would by a window at most: of n units of a window the m-th is back
// when m / n of the next are over, so all that was taken as a window begins is back a window late. A key that asks all
// the time gets L - 1 a window, and with L = 1 one in two. A clock stepped back by more than a window keeps the count
// of the window, but may free of the one before, and locks out for a window longer at most.
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

/**
 * Returns how many units of `before` still count when `leftUs` of the window are left, rounded up. Exact while
 * `before` × the window stays below 2^52 (52,000 units a day, 70 million a minute), and else at most one unit off.
 */
function weigh(limit: SlidingWindowLimit, before: number, leftUs: number): number {
  // Rounded, the product and the quotient still never fall while `leftUs` grows, which is all that waits rest on. But
  // the quotient may come out above `before`; and before the window begins more than all of it is left.
  return Math.min(Math.ceil((before * leftUs) / limit.windowUs), before);
}

/** Returns the most microseconds that may be left of the window for `before` to count as `spare` units at most. */
function leftFor(limit: SlidingWindowLimit, before: number, spare: number): number {
  if (before <= spare) return limit.windowUs;
  let leftUs = Math.floor((spare / before) * limit.windowUs);
  while (weigh(limit, before, leftUs) > spare) leftUs -= 1;
  while (weigh(limit, before, leftUs + 1) <= spare) leftUs += 1;
  return leftUs;
}

/** Returns the units that count at `now`, rounded up. The state must be at `now`. */
export function consumedSlidingWindow(
  limit: SlidingWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  return numbers[at + 1]! + weigh(limit, numbers[at + 2]!, numbers[at]! + limit.windowUs - now);
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
  if (weigh(limit, before, end - now) <= spare) return 0;
  return end - leftFor(limit, before, spare) - now;
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

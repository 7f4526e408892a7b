// Fixed window: at most `limit` units in each window, windows aligned to the clock's epoch. So in any span of n
// windows at most n + 1 times the limit, and in one that is shorter than a window twice: that much two bursts beside a
// boundary get. A clock stepped back frees nothing by itself, and locks out for a window longer at most. Lua twin:
// algorithms.lua.

import type { LimitBase } from "./limit-base.ts";

/** At most `limit` units in each clock-aligned window of `windowUs` microseconds. */
export interface FixedWindowLimit extends LimitBase {
  readonly algorithm: "fixed-window";
}

/** Creates the limit; the policy layer has checked the numbers. */
export function createFixedWindowLimit(rule: {
  limit: number;
  windowUs: number;
  name?: string | undefined;
  soft?: boolean;
}): FixedWindowLimit {
  return {
    algorithm: "fixed-window",
    name: rule.name,
    limit: rule.limit,
    windowUs: rule.windowUs,
    soft: rule.soft ?? false,
    rule: `fw,${rule.windowUs}`,
    width: 2,
  };
}

// State: numbers[at] = start of the window in microseconds, numbers[at + 1] = units taken in it.
// (0, 0) is a window never used.

/**
 * Brings the state to `now`. A window that is up to one length ahead (the clock was stepped back a little) stays
 * and keeps its count, so that a jitter at the boundary admits nothing twice; one farther ahead is brought back to
 * the current window with its count, so that nobody is locked out for longer than one window more.
 */
export function advanceFixedWindow(
  limit: FixedWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): void {
  const start = numbers[at]!;
  if (now >= start) {
    if (now - start < limit.windowUs) return;
    numbers[at] = now - (now % limit.windowUs);
    numbers[at + 1] = 0;
  } else if (start - now > limit.windowUs || numbers[at + 1] === 0) {
    numbers[at] = now - (now % limit.windowUs);
  }
}

/** Does all of the others at once: brings the state to `now`, answers the wait, and takes where that is 0. */
export function decideFixedWindow(
  limit: FixedWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  consume: boolean,
): number {
  advanceFixedWindow(limit, numbers, at, now);
  const wait = waitFixedWindow(limit, numbers, at, now, cost);
  if (wait === 0 && consume) numbers[at + 1]! += cost;
  return wait;
}

/** Returns the microseconds until `cost` units are there: 0 now, Infinity never. The state must be at `now`. */
export function waitFixedWindow(
  limit: FixedWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
): number {
  if (cost > limit.limit) return Number.POSITIVE_INFINITY;
  if (cost === 0 || numbers[at + 1]! + cost <= limit.limit) return 0;
  return numbers[at]! + limit.windowUs - now;
}

/** Returns the microseconds until the count is zero again: the window's end, or 0 where nothing was taken. */
export function resetFixedWindow(
  limit: FixedWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  return numbers[at + 1]! > 0 ? numbers[at]! + limit.windowUs - now : 0;
}

/** Sets the state to `consumed` units taken in the window of `now`. */
export function assumeFixedWindow(
  limit: FixedWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  consumed: number,
): void {
  numbers[at] = now - (now % limit.windowUs);
  numbers[at + 1] = consumed;
}

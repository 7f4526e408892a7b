// Decides several limits as one, all or nothing, over states that the caller owns. The path of every decision in
// memory: numbers in, numbers out, no clock, no I/O, no promise, nothing allocated. Lua twin: decide.lua.

import {
  advanceFixedWindow,
  assumeFixedWindow,
  consumedFixedWindow,
  type FixedWindowLimit,
  resetFixedWindow,
  takeFixedWindow,
  waitFixedWindow,
} from "./fixed-window.ts";
import {
  advanceTokenBucket,
  assumeTokenBucket,
  consumedTokenBucket,
  decideWholeTokenBucket,
  resetTokenBucket,
  type TokenBucketLimit,
  takeTokenBucket,
  waitTokenBucket,
} from "./token-bucket.ts";

/** One algorithm with its numbers, checked and ready to decide. Made by tokenBucket() and fixedWindow(). */
export type Limit = TokenBucketLimit | FixedWindowLimit;

/** How many numbers the state of one limit takes. All zero is the state of a key never seen, for every algorithm. */
export const NUMBERS_PER_LIMIT = 2;

/**
 * Decides `cost` units at `now` (integer microseconds) against the states in `numbers` from `at` on, and takes them
 * where every limit admits and `consume` is set. A denied request takes nothing from any limit.
 * @returns microseconds until all of them admit: 0 is admitted, Infinity never.
 */
export function decide(
  limits: readonly Limit[],
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  consume: boolean,
): number {
  const limit = limits[0]!;
  // Most policies: one bucket whose units return after whole microseconds. Without the loops it takes a third.
  return limits.length === 1 && limit.algorithm === "token-bucket" && limit.partUs === 0
    ? decideWholeTokenBucket(limit, numbers, at, now, cost, consume)
    : decideEvery(limits, numbers, at, now, cost, consume);
}

function decideEvery(
  limits: readonly Limit[],
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  consume: boolean,
): number {
  let longest = 0;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    const offset = at + index * NUMBERS_PER_LIMIT;
    advance(limit, numbers, offset, now);
    const wait = waitFor(limit, numbers, offset, now, cost);
    if (wait > longest) longest = wait;
  }
  if (longest === 0 && consume && cost > 0) {
    for (let index = 0; index < limits.length; index += 1) {
      take(limits[index]!, numbers, at + index * NUMBERS_PER_LIMIT, now, cost);
    }
  }
  return longest;
}

/**
 * Carries states written under `before` over to `after`, limit by limit in order: units in use stay in use, be they
 * more than the new limit has. Limits that are new start unused.
 */
export function carryOver(
  before: { limits: readonly Limit[]; numbers: Float64Array; at: number },
  after: { limits: readonly Limit[]; numbers: Float64Array; at: number },
  now: number,
): void {
  for (let index = 0; index < after.limits.length; index += 1) {
    const limit = after.limits[index]!;
    const offset = after.at + index * NUMBERS_PER_LIMIT;
    const old = before.limits[index];
    const oldOffset = before.at + index * NUMBERS_PER_LIMIT;
    if (old === undefined) {
      after.numbers[offset] = 0;
      after.numbers[offset + 1] = 0;
    } else if (sameRule(old, limit)) {
      after.numbers[offset] = before.numbers[oldOffset]!;
      after.numbers[offset + 1] = before.numbers[oldOffset + 1]!;
    } else {
      advance(old, before.numbers, oldOffset, now);
      assume(limit, after.numbers, offset, now, consumed(old, before.numbers, oldOffset, now));
    }
  }
}

/** Tells whether a state means the same under both limits, which a changed capacity or count does not alter. */
function sameRule(a: Limit, b: Limit): boolean {
  if (a.algorithm === "token-bucket") {
    return b.algorithm === "token-bucket" && a.periodUs === b.periodUs && a.units === b.units;
  }
  return b.algorithm === "fixed-window" && a.windowUs === b.windowUs;
}

function advance(limit: Limit, numbers: Float64Array, at: number, now: number): void {
  if (limit.algorithm === "token-bucket") advanceTokenBucket(limit, numbers, at, now);
  else advanceFixedWindow(limit, numbers, at, now);
}

/** Returns the microseconds until `limit` alone admits `cost`: 0 now, Infinity never. The state must be at `now`. */
export function waitFor(
  limit: Limit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
): number {
  return limit.algorithm === "token-bucket"
    ? waitTokenBucket(limit, numbers, at, now, cost)
    : waitFixedWindow(limit, numbers, at, now, cost);
}

function take(limit: Limit, numbers: Float64Array, at: number, now: number, cost: number): void {
  if (limit.algorithm === "token-bucket") takeTokenBucket(limit, numbers, at, now, cost);
  else takeFixedWindow(limit, numbers, at, now, cost);
}

function consumed(limit: Limit, numbers: Float64Array, at: number, now: number): number {
  return limit.algorithm === "token-bucket"
    ? consumedTokenBucket(limit, numbers, at, now)
    : consumedFixedWindow(limit, numbers, at);
}

/** Returns the units that could be taken at `now`. The state must be at `now`. */
export function remainingOf(limit: Limit, numbers: Float64Array, at: number, now: number): number {
  const remaining = limit.limit - consumed(limit, numbers, at, now);
  return Math.max(remaining, 0);
}

/** Returns the microseconds until `limit` is as if never used. The state must be at `now`. */
export function resetOf(limit: Limit, numbers: Float64Array, at: number, now: number): number {
  return limit.algorithm === "token-bucket"
    ? resetTokenBucket(limit, numbers, at, now)
    : resetFixedWindow(limit, numbers, at, now);
}

function assume(limit: Limit, numbers: Float64Array, at: number, now: number, units: number): void {
  if (limit.algorithm === "token-bucket") assumeTokenBucket(limit, numbers, at, now, units);
  else assumeFixedWindow(limit, numbers, at, now, units);
}

/** Returns the microseconds until every limit is as if never used. The states must be at `now`. */
export function longestReset(
  limits: readonly Limit[],
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  let longest = 0;
  for (let index = 0; index < limits.length; index += 1) {
    const reset = resetOf(limits[index]!, numbers, at + index * NUMBERS_PER_LIMIT, now);
    if (reset > longest) longest = reset;
  }
  return longest;
}

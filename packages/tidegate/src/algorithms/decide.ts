// Decides several limits as one, all or nothing, over states that the caller owns. The path of most decisions in
// memory: numbers in, numbers out, no clock, no I/O, no promise, nothing allocated. Lua twin: decide.lua.

import { advance, type Limit, resetOf, take, waitFor } from "./dispatch.ts";
import { decideFixedWindow } from "./fixed-window.ts";
import { decideWholeTokenBucket } from "./token-bucket.ts";

/** Whether `decide` can decide it: a hard limit whose state is plain numbers. */
export function isPlain(limit: Limit): boolean {
  return !limit.soft && limit.algorithm !== "sliding-log" && limit.algorithm !== "concurrency";
}

/**
 * Decides `cost` units of plain limits at `now` (integer microseconds) against the states in `numbers` from `at` on,
 * and takes them where every limit admits and `consume` is set. A denied request takes nothing from any limit.
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
    : decideOthers(limits, numbers, at, now, cost, consume);
}

function decideOthers(
  limits: readonly Limit[],
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  consume: boolean,
): number {
  const limit = limits[0]!;
  return limits.length === 1 && limit.algorithm === "fixed-window"
    ? decideFixedWindow(limit, numbers, at, now, cost, consume)
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
  let offset = at;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    advance(limit, numbers, offset, now, undefined);
    const wait = waitFor(limit, numbers, offset, now, cost, undefined);
    if (wait > longest) longest = wait;
    offset += limit.width;
  }
  if (longest === 0 && consume && cost > 0) {
    offset = at;
    for (let index = 0; index < limits.length; index += 1) {
      const limit = limits[index]!;
      take(limit, numbers, offset, now, cost, undefined, "");
      offset += limit.width;
    }
  }
  return longest;
}

/** Returns the microseconds until every limit is as if never used. The states must be at `now`. */
export function longestReset(
  limits: readonly Limit[],
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  let longest = 0;
  let offset = at;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    const reset = resetOf(limit, numbers, offset, now);
    if (reset > longest) longest = reset;
    offset += limit.width;
  }
  return longest;
}

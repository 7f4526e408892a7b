// Concurrency: at most `limit` units held at any instant. Each permit has a lease, after which it comes back by
// itself, so that a holder that crashed frees it. A clock stepped back ends no lease before its time, and has none
// last longer than a whole one from then on; stepped forward, it ends leases early, while their holders may still be
// at work. Lua twin: entries.lua.

import type { LimitBase } from "./limit-base.ts";
import type { Permits } from "./permits.ts";

/** At most `limit` units held at once, each permit for `windowUs` microseconds at most unless it is extended. */
export interface ConcurrencyLimit extends LimitBase {
  readonly algorithm: "concurrency";
}

/** Creates the limit; the policy layer has checked the numbers. */
export function createConcurrencyLimit(rule: {
  limit: number;
  leaseUs: number;
  name?: string | undefined;
}): ConcurrencyLimit {
  return {
    algorithm: "concurrency",
    name: rule.name,
    soft: false,
    rule: "cc",
    width: 4,
    limit: rule.limit,
    windowUs: rule.leaseUs,
  };
}

// State: numbers[at] = units held, numbers[at + 1] = when the first lease ends, numbers[at + 2] = when the last does,
// numbers[at + 3] = the longest lease given out while any unit is held; and the permits. All zero is none held.

/**
 * Takes back what has ended. A lease that ends later than the longest from now tells of a clock stepped back, and is
 * brought back to that.
 */
export function advanceConcurrency(
  numbers: Float64Array,
  at: number,
  now: number,
  permits: Permits,
): void {
  if (numbers[at] === 0) return;
  if (numbers[at + 2]! - now > numbers[at + 3]!) {
    permits.endBy(now + numbers[at + 3]!);
    settleEnds(numbers, at, permits);
  }
  if (now < numbers[at + 1]!) return;
  numbers[at]! -= permits.expire(now);
  settleEnds(numbers, at, permits);
}

function settleEnds(numbers: Float64Array, at: number, permits: Permits): void {
  numbers[at + 1] = permits.earliest();
  numbers[at + 2] = permits.latest();
  if (numbers[at] === 0) numbers[at + 3] = 0;
}

/** Returns the microseconds until `cost` units are there: 0 now, Infinity never. The state must be at `now`. */
export function waitConcurrency(
  limit: ConcurrencyLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  permits: Permits,
): number {
  if (cost > limit.limit) return Number.POSITIVE_INFINITY;
  const missing = cost === 0 ? 0 : numbers[at]! + cost - limit.limit;
  if (missing <= 0) return 0;
  return (missing === 1 ? numbers[at + 1]! : permits.endOf(missing)) - now;
}

/** Gives a permit for `cost` units out. Only where waitConcurrency answered 0 for them. */
export function takeConcurrency(
  limit: ConcurrencyLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  permits: Permits,
  id: string,
): void {
  const expiresAt = now + limit.windowUs;
  permits.add(id, cost, expiresAt);
  numbers[at + 1] = numbers[at] === 0 ? expiresAt : Math.min(numbers[at + 1]!, expiresAt);
  numbers[at]! += cost;
  numbers[at + 2] = Math.max(numbers[at + 2]!, expiresAt);
  numbers[at + 3] = Math.max(numbers[at + 3]!, limit.windowUs);
}

/** Takes a permit back; false where it is not held. The state must be at `now`. */
export function releaseConcurrency(
  numbers: Float64Array,
  at: number,
  permits: Permits,
  id: string,
): boolean {
  const units = permits.remove(id);
  if (units === 0) return false;
  numbers[at]! -= units;
  settleEnds(numbers, at, permits);
  return true;
}

/** Begins a permit's lease anew; false where it is not held. The state must be at `now`. */
export function extendConcurrency(
  limit: ConcurrencyLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  permits: Permits,
  id: string,
): boolean {
  if (!permits.extend(id, now + limit.windowUs)) return false;
  numbers[at + 3] = Math.max(numbers[at + 3]!, limit.windowUs);
  settleEnds(numbers, at, permits);
  return true;
}

/** Returns the microseconds until nothing is held if nothing is extended. The state must be at `now`. */
export function resetConcurrency(numbers: Float64Array, at: number, now: number): number {
  return numbers[at]! > 0 ? numbers[at + 2]! - now : 0;
}

// Leaky bucket as a queue: units go out one by one at a rate, those that come too early wait their turn, and where
// `queue` of them wait already, more are denied. Kept as GCRA: the theoretical arrival time is when the next unit may
// go, so its state is that of a token bucket of queue + 1 units. Lua twin: algorithms.lua, as a token bucket. Requests
// go in the order in which they were admitted. What goes in any span of length s is at most the largest single cost
// and rate × s; in times that are told in milliseconds, rounded up, rate × (s + 1 ms). A request that has gone keeps
// the places of its units until their time is over. Admitted are queue + 1 at once, and else as by the token bucket.
// Source: ITU-T I.371 annex A; Turner, "New directions in communications" (1986), as a queue.

import { type BucketLimit, type BucketRule, bucketOf } from "./token-bucket.ts";

/** Lets one unit go every periodUs / units microseconds, and `limit` - 1 units wait. */
export interface LeakyBucketLimit extends BucketLimit {
  readonly algorithm: "leaky-bucket";
}

/** Creates the limit; the policy layer has checked the numbers. `queue` units wait at most. */
export function createLeakyBucketLimit(
  rule: Omit<BucketRule, "capacity" | "soft"> & { readonly queue: number },
): LeakyBucketLimit {
  const { queue, units, periodUs, name } = rule;
  return {
    algorithm: "leaky-bucket",
    ...bucketOf({ capacity: queue + 1, units, periodUs, name }),
  };
}

/**
 * Returns the microseconds that a request waits for its turn, rounded up: one whose `taken` units are in the state, or
 * with 0, one that comes now. All units of a request go together; what comes after them waits for all of them.
 */
export function delayLeakyBucket(
  limit: LeakyBucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  taken: number,
): number {
  const product = taken * limit.partUs;
  const part = product % limit.units;
  const whole = taken * limit.wholeUs + (product - part) / limit.units;
  const rest = numbers[at + 1]! % limit.units;
  const delay = numbers[at]! - whole - now + (rest > part ? 1 : 0);
  return Math.max(delay, 0);
}

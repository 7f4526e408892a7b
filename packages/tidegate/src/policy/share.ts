// A node's fair share of a limit, by which it decides alone where the nodes have no store in common.

import type { Limit } from "../algorithms/dispatch.ts";
import { type BucketLimit, bucketOf, MAX_FILL_US } from "../algorithms/token-bucket.ts";

/**
 * Returns the limit for one of `nodes`: the same window, lease or spacing rule over a part of the units, rounded down,
 * but one unit at least. So all nodes together admit no more than the limit, or than there are nodes.
 */
export function shareOfLimit(limit: Limit, nodes: number): Limit {
  return partOfLimit(limit, 1, nodes);
}

/** Returns the limit for a part of a whole, by weight, in the same way. */
export function partOfLimit(limit: Limit, weight: number, whole: number): Limit {
  const units = Math.max(Math.floor((limit.limit * weight) / whole), 1);
  switch (limit.algorithm) {
    case "token-bucket":
      return Object.freeze({
        algorithm: limit.algorithm,
        ...partOfBucket(limit, units, weight, whole),
      });
    case "leaky-bucket":
      return Object.freeze({
        algorithm: limit.algorithm,
        ...partOfBucket(limit, units, weight, whole),
      });
    default:
      return Object.freeze({ ...limit, limit: units });
  }
}

/** A longer period keeps the rate exact where the units of it cannot be divided. */
function partOfBucket(
  limit: BucketLimit,
  capacity: number,
  weight: number,
  whole: number,
): BucketLimit {
  const { name, soft } = limit;
  // Products of more than this are not exact: then the rate is as near as it can be, and not above.
  const most = Math.max(Math.floor(2 ** 52 / (capacity * limit.units)), 1);
  const scale = Math.min(most / weight, 1);
  const periodUs = Math.min(Math.ceil(limit.periodUs * whole * scale), MAX_FILL_US);
  const units = limit.units * Math.max(Math.floor(weight * scale), 1);
  return bucketOf({ capacity, units, periodUs, name, soft });
}

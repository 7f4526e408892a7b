// A node's fair share of a limit, by which it decides alone where the nodes have no store in common.

import type { Limit } from "../algorithms/dispatch.ts";
import { type BucketLimit, bucketOf, MAX_FILL_US } from "../algorithms/token-bucket.ts";

/**
 * Returns the limit for one of `nodes`: the same window, lease or spacing rule over a part of the units, rounded down,
 * but one unit at least. So all nodes together admit no more than the limit, or than there are nodes.
 */
export function shareOfLimit(limit: Limit, nodes: number): Limit {
  const units = Math.max(Math.floor(limit.limit / nodes), 1);
  switch (limit.algorithm) {
    case "token-bucket":
      return Object.freeze({ algorithm: limit.algorithm, ...shareOfBucket(limit, units, nodes) });
    case "leaky-bucket":
      return Object.freeze({ algorithm: limit.algorithm, ...shareOfBucket(limit, units, nodes) });
    default:
      return Object.freeze({ ...limit, limit: units });
  }
}

/** A longer period keeps the rate exact where the units of it cannot be divided. */
function shareOfBucket(limit: BucketLimit, capacity: number, nodes: number): BucketLimit {
  const { units, name, soft } = limit;
  const periodUs = Math.min(limit.periodUs * nodes, MAX_FILL_US);
  return bucketOf({ capacity, units, periodUs, name, soft });
}

// The answer to a check: a value, allowed or denied, never an exception.

import {
  type Limit,
  NUMBERS_PER_LIMIT,
  remainingOf,
  resetOf,
  waitFor,
} from "./algorithms/decide.ts";
import type { Policy } from "./policy/policy.ts";

/** Who answered: this node's memory, or the shared store. */
export type Source = "local" | "store";

/** The answer. All its numbers come from one limit, the one that bound, read at one instant of one clock. */
export interface Decision {
  readonly allowed: boolean;
  readonly policy: string;
  readonly key: string;
  /** Name of the limit that bound: the one to wait longest for, or where all admitted, with the least remaining. */
  readonly limitName: string;
  /** That limit's capacity or count, in units. */
  readonly limit: number;
  /** Units that could be taken right now, after this decision. */
  readonly remaining: number;
  /**
   * Milliseconds, rounded up, after which the same request is admitted if nobody else takes anything: 0 where it
   * was allowed, null where no wait helps because the cost is above the limit.
   */
  readonly retryAfterMs: number | null;
  /** Milliseconds, rounded up, until the limit is as if never used. */
  readonly resetAfterMs: number;
  /** Milliseconds, rounded up, that an admitted request is to wait before it goes: 0 but for leaky buckets. */
  readonly delayMs: number;
  /** Whether it was admitted although it goes beyond a soft limit. */
  readonly soft: boolean;
  /** Whether, after it, a limit is used to the policy's `nearLimit` or more. */
  readonly nearLimit: boolean;
  /** Whether it was admitted only because the policy is a shadow: the limits denied it and were charged nothing. */
  readonly shadow: boolean;
  readonly source: Source;
}

/**
 * Creates the decision for states that `decide` has been run on.
 * @param wait what `decide` answered: microseconds, 0 admitted, Infinity never.
 */
export function createDecision(
  policy: Policy,
  key: string,
  cost: number,
  wait: number,
  numbers: Float64Array,
  at: number,
  now: number,
  source: Source,
): Decision {
  const limits = policy.limits;
  const bound = limits.length === 1 ? 0 : boundIndex(limits, cost, wait, numbers, at, now);
  const limit = limits[bound]!;
  const offset = at + bound * NUMBERS_PER_LIMIT;
  return {
    allowed: wait === 0,
    policy: policy.name,
    key,
    limitName: policy.limitNames[bound]!,
    limit: limit.limit,
    remaining: remainingOf(limit, numbers, offset, now),
    retryAfterMs: wait === Number.POSITIVE_INFINITY ? null : Math.ceil(wait / 1_000),
    resetAfterMs: Math.ceil(resetOf(limit, numbers, offset, now) / 1_000),
    source,
  };
}

/** Finds the limit that bound; the first of equals. */
function boundIndex(
  limits: readonly Limit[],
  cost: number,
  wait: number,
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  let bound = 0;
  let least = Number.POSITIVE_INFINITY;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    const offset = at + index * NUMBERS_PER_LIMIT;
    if (wait > 0) {
      if (waitFor(limit, numbers, offset, now, cost) === wait) return index;
    } else {
      const remaining = remainingOf(limit, numbers, offset, now);
      if (remaining < least) {
        least = remaining;
        bound = index;
      }
    }
  }
  return bound;
}

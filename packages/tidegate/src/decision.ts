// The answer to a check: a value, allowed or denied, never an exception.

import { consumed, remainingOf, resetOf, waitFor } from "./algorithms/dispatch.ts";
import { delayLeakyBucket } from "./algorithms/leaky-bucket.ts";
import { consumedTokenBucket, resetTokenBucket } from "./algorithms/token-bucket.ts";
import { isNever, type Policy } from "./policy/policy.ts";

/**
 * Who answered: this node's memory; the shared store; an earlier denial of the store that still holds; or this node's
 * memory, from units that the store has leased to it. Where the store did not answer: nobody, and the policy admits or
 * denies; or this node's memory, by its share of the limits.
 */
export type Source =
  | "local"
  | "store"
  | "cache"
  | "lease"
  | "fail-open"
  | "fail-closed"
  | "fallback";

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
 * Creates the decision for states that have been decided on.
 * @param wait microseconds until the hard limits admit: 0 admitted, Infinity never.
 * @param taken whether the cost is in the states; not for looks, nor for costs of 0.
 * @param waits by limit, microseconds until each admitted before anything was taken; left out, all limits are plain.
 */
export function createDecision(
  policy: Policy,
  key: string,
  cost: number,
  wait: number,
  taken: boolean,
  numbers: Float64Array,
  at: number,
  now: number,
  source: Source,
  waits?: Float64Array,
): Decision {
  return policy.simple
    ? createSimple(policy, key, wait, numbers, at, now, source)
    : createWhole(policy, key, cost, wait, taken, numbers, at, now, source, waits);
}

/** The decision of a single limit that has neither queue nor shadow nor is soft, which most have. */
function createSimple(
  policy: Policy,
  key: string,
  wait: number,
  numbers: Float64Array,
  at: number,
  now: number,
  source: Source,
): Decision {
  const limit = policy.limits[0]!;
  // What most limits are is read without a way through all algorithms.
  const isBucket = limit.algorithm === "token-bucket";
  const used = isBucket
    ? consumedTokenBucket(limit, numbers, at, now)
    : consumed(limit, numbers, at, now);
  const resetUs = isBucket
    ? resetTokenBucket(limit, numbers, at, now)
    : resetOf(limit, numbers, at, now);
  const remaining = Math.max(limit.limit - used, 0);
  return {
    allowed: wait === 0,
    policy: policy.name,
    key,
    limitName: policy.limitNames[0]!,
    limit: limit.limit,
    remaining,
    retryAfterMs:
      wait === 0 ? 0 : wait === Number.POSITIVE_INFINITY ? null : Math.ceil(wait / 1_000),
    resetAfterMs: Math.ceil(resetUs / 1_000),
    delayMs: 0,
    soft: false,
    nearLimit: remaining <= policy.nearRemaining[0]!,
    shadow: false,
    source,
  };
}

function createWhole(
  policy: Policy,
  key: string,
  cost: number,
  wait: number,
  taken: boolean,
  numbers: Float64Array,
  at: number,
  now: number,
  source: Source,
  waits: Float64Array | undefined,
): Decision {
  const limits = policy.limits;
  const nearRemaining = policy.nearRemaining;
  let bound = 0;
  let offset = at;
  let remaining = remainingOf(limits[0]!, numbers, at, now);
  let nearLimit = remaining <= nearRemaining[0]!;
  if (limits.length > 1) {
    for (let index = 1; index < limits.length; index += 1) {
      const left = remainingOf(limits[index]!, numbers, at + policy.offsets[index]!, now);
      if (left <= nearRemaining[index]!) nearLimit = true;
      if (left < remaining) {
        remaining = left;
        bound = index;
      }
    }
    if (wait > 0) bound = boundIndex(policy, cost, wait, numbers, at, now, waits);
    offset = at + policy.offsets[bound]!;
    if (wait > 0) remaining = remainingOf(limits[bound]!, numbers, offset, now);
  }
  const limit = limits[bound]!;
  const allowed = wait === 0 || policy.shadow;
  return {
    allowed,
    policy: policy.name,
    key,
    limitName: policy.limitNames[bound]!,
    limit: limit.limit,
    remaining,
    retryAfterMs: allowed ? 0 : wait === Number.POSITIVE_INFINITY ? null : Math.ceil(wait / 1_000),
    resetAfterMs: Math.ceil(resetOf(limit, numbers, offset, now) / 1_000),
    delayMs: policy.queues && wait === 0 ? delayOf(policy, taken ? cost : 0, numbers, at, now) : 0,
    soft: waits !== undefined && wait === 0 && isBeyondSoft(policy, waits),
    nearLimit,
    shadow: wait > 0 && policy.shadow,
    source,
  };
}

/** How many units a key without a limit has: what the largest cost takes. */
const UNLIMITED = 1_000_000_000;

/** Creates the decision for a key that is `unlimited`, which nothing is counted for. */
export function createUnlimited(policy: string, key: string): Decision {
  return {
    allowed: true,
    policy,
    key,
    limitName: "unlimited",
    limit: UNLIMITED,
    remaining: UNLIMITED,
    retryAfterMs: 0,
    resetAfterMs: 0,
    delayMs: 0,
    soft: false,
    nearLimit: false,
    shadow: false,
    source: "local",
  };
}

/**
 * Creates the decision for a key that is `blocked`, which nothing is counted for.
 * @param retryMs milliseconds until the request could be admitted; Infinity where that is never.
 * @param leftMs milliseconds until the block ends; Infinity where it does not.
 */
export function createBlocked(
  policy: string,
  key: string,
  retryMs: number,
  leftMs: number,
  shadow: boolean,
): Decision {
  return {
    allowed: shadow,
    policy,
    key,
    limitName: "blocked",
    limit: 0,
    remaining: 0,
    retryAfterMs: shadow ? 0 : retryMs === Number.POSITIVE_INFINITY ? null : retryMs,
    resetAfterMs: leftMs === Number.POSITIVE_INFINITY ? 0 : leftMs,
    delayMs: 0,
    soft: false,
    nearLimit: true,
    shadow,
    source: "local",
  };
}

/** Creates the decision that admits because nobody counts; its numbers are those of a key that is not used. */
export function createFailOpen(policy: Policy, key: string, cost: number, now: number): Decision {
  // What no wait would bring is denied by whoever decides.
  const wait = isNever(policy, cost) ? Number.POSITIVE_INFINITY : 0;
  const unused = new Float64Array(policy.width);
  return createDecision(policy, key, cost, wait, false, unused, 0, now, "fail-open");
}

/**
 * Creates the decision that denies because nobody counts. As ever, a cost of 0 and a shadow policy admit.
 * @param retryMs milliseconds after which somebody may.
 */
export function createFailClosed(
  policy: Policy,
  key: string,
  cost: number,
  now: number,
  retryMs: number,
): Decision {
  const { retryAfterMs, ...open } = createFailOpen(policy, key, cost, now);
  const allowed = cost === 0 || policy.shadow;
  return {
    ...open,
    allowed,
    remaining: 0,
    retryAfterMs: allowed ? 0 : retryAfterMs === null ? null : retryMs,
    resetAfterMs: retryMs,
    nearLimit: true,
    shadow: cost > 0 && policy.shadow,
    source: "fail-closed",
  };
}

/** Finds the hard limit to wait longest for; the first of equals. */
function boundIndex(
  policy: Policy,
  cost: number,
  wait: number,
  numbers: Float64Array,
  at: number,
  now: number,
  waits: Float64Array | undefined,
): number {
  const { limits, offsets } = policy;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    if (limit.soft) continue;
    const own =
      waits?.[index] ?? waitFor(limit, numbers, at + offsets[index]!, now, cost, undefined);
    if (own === wait) return index;
  }
  return 0;
}

function isBeyondSoft(policy: Policy, waits: Float64Array): boolean {
  return policy.limits.some((limit, index) => limit.soft && waits[index]! > 0);
}

/** Returns the longest wait for a turn, in milliseconds, of a request whose `taken` units are in the states. */
function delayOf(
  policy: Policy,
  taken: number,
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  let longest = 0;
  policy.limits.forEach((limit, index) => {
    if (limit.algorithm !== "leaky-bucket") return;
    const delay = delayLeakyBucket(limit, numbers, at + policy.offsets[index]!, now, taken);
    longest = Math.max(longest, delay);
  });
  return Math.ceil(longest / 1_000);
}

/**
 * Puts the decisions of parts that were decided as one together: all numbers are those of the part that bound, the
 * flags and the delay are those of all.
 * @param waits by part, as createDecision was given them; left out, as the decisions tell them.
 */
export function combineDecisions(
  decisions: readonly Decision[],
  waits: readonly number[] = decisions.map(waitOf),
): Decision {
  const first = decisions[0]!;
  if (decisions.length === 1) return first;
  let bound = first;
  let longest = -1;
  for (const [index, decision] of decisions.entries()) {
    if (!decision.allowed && waits[index]! > longest) {
      bound = decision;
      longest = waits[index]!;
    }
  }
  if (!bound.allowed) return bound;
  for (const decision of decisions) {
    if (decision.remaining < bound.remaining) bound = decision;
  }
  return {
    ...bound,
    delayMs: Math.max(...decisions.map(({ delayMs }) => delayMs)),
    soft: decisions.some(({ soft }) => soft),
    nearLimit: decisions.some(({ nearLimit }) => nearLimit),
    shadow: decisions.some(({ shadow }) => shadow),
  };
}

function waitOf({ retryAfterMs }: Decision): number {
  return retryAfterMs ?? Number.POSITIVE_INFINITY;
}

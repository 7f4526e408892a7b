// Token bucket kept as GCRA: the state is one instant, the theoretical arrival time (TAT) at which the bucket is full
// again. All arithmetic is on integers, so a rate such as 3/s never drifts. Lua twin: algorithms.lua. In any span of
// length s it admits at most capacity + rate × s, and what is given back in the span: that much where the bucket was
// full before. It never denies what would keep to that. A clock stepped forward is time that has passed; one stepped
// back frees nothing and locks nobody out for longer than from empty to full.
// Source: ITU-T I.371 annex A (Generic Cell Rate Algorithm, virtual scheduling).

import type { LimitBase } from "./limit-base.ts";

/** A bucket of `limit` units that returns `units` of them every `periodUs` microseconds (in lowest terms). */
export interface TokenBucketLimit extends BucketLimit {
  readonly algorithm: "token-bucket";
}

/** The numbers that token bucket and leaky bucket share: the state of one means the same for the other. */
export interface BucketLimit extends LimitBase {
  /** Capacity, in units. */
  readonly limit: number;
  /** Microseconds from empty to full, rounded up. */
  readonly windowUs: number;
  readonly periodUs: number;
  readonly units: number;
  /** One unit returns every wholeUs + partUs / units microseconds. */
  readonly wholeUs: number;
  readonly partUs: number;
  /** The most units in use that a state can hold: the capacity, or as many as stay exact. */
  readonly unitsMax: number;
}

/**
 * Computes the derived numbers of a bucket. `capacity × units` and the time to fill, in microseconds, must be
 * below 2^52; the policy layer checks that and names the option.
 */
export function createTokenBucketLimit(rule: BucketRule): TokenBucketLimit {
  return { algorithm: "token-bucket", ...bucketOf(rule) };
}

/** What a bucket is made of. */
export interface BucketRule {
  readonly capacity: number;
  readonly units: number;
  readonly periodUs: number;
  readonly name?: string | undefined;
  readonly soft?: boolean;
}

/** Computes the numbers of either kind of bucket. */
export function bucketOf(rule: BucketRule): BucketLimit {
  const divisor = greatestCommonDivisor(rule.units, rule.periodUs);
  const units = rule.units / divisor;
  const periodUs = rule.periodUs / divisor;
  const partUs = periodUs % units;
  const wholeUs = (periodUs - partUs) / units;
  const fullPart = (rule.capacity * partUs) % units;
  const fullUs = rule.capacity * wholeUs + (rule.capacity * partUs - fullPart) / units;
  const exact = Math.min(
    Math.floor(MAX_EXACT / units),
    Math.floor(MAX_FILL_US / (periodUs / units)),
  );
  return {
    name: rule.name,
    limit: rule.capacity,
    windowUs: fullPart > 0 ? fullUs + 1 : fullUs,
    periodUs,
    units,
    wholeUs,
    partUs,
    unitsMax: Math.max(rule.capacity, exact),
    soft: rule.soft ?? false,
    rule: `tb,${periodUs},${units}`,
    width: 2,
  };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/** Products above this are not exact in a double. */
const MAX_EXACT = 2 ** 52;

/** The longest time to fill: 100 years of 365 days, in microseconds. */
export const MAX_FILL_US = 36_500 * 86_400_000_000;

// State: numbers[at] = TAT in whole microseconds. numbers[at + 1] = ceiling × units + rest: the TAT is `rest` / units
// of a microsecond later, and at most `ceiling` units were in use when it was written, so that a TAT farther ahead
// tells of a clock that was stepped back. The ceiling is the writer's, not this limit's: under two definitions at once,
// as in a rolling deploy, neither may forget what the other admitted. (0, 0) is a bucket never used, and so is every
// TAT that is not after `now`.

/**
 * Brings the state to `now`. After a clock was stepped back no more units are in use than could be before, so nobody
 * is locked out for longer than one refill.
 */
export function advanceTokenBucket(
  limit: BucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): void {
  const excess = numbers[at]! - now;
  if (excess < 0) return;
  const rest = numbers[at + 1]! % limit.units;
  const ceiling = (numbers[at + 1]! - rest) / limit.units;
  const product = ceiling * limit.partUs;
  const part = product % limit.units;
  const mostUs = ceiling * limit.wholeUs + (product - part) / limit.units;
  if (excess > mostUs || (excess === mostUs && rest > part)) {
    numbers[at] = now + mostUs;
    numbers[at + 1] = ceiling * limit.units + part;
  }
}

/** Returns the microseconds until `cost` units are there: 0 now, Infinity never. The state must be at `now`. */
export function waitTokenBucket(
  limit: BucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
): number {
  if (cost > limit.limit) return Number.POSITIVE_INFINITY;
  if (cost === 0) return 0;
  const excess = numbers[at]! - now;
  const spare = limit.limit - cost;
  if (limit.partUs === 0) {
    const wait = excess - spare * limit.wholeUs;
    return Math.max(wait, 0);
  }
  if (excess < 0) return 0;
  const product = spare * limit.partUs;
  const sparePart = product % limit.units;
  const spareUs = spare * limit.wholeUs + (product - sparePart) / limit.units;
  const rest = numbers[at + 1]! % limit.units;
  const wait = excess - spareUs + (rest > sparePart ? 1 : 0);
  return Math.max(wait, 0);
}

/** Takes `cost` units. Only where waitTokenBucket answered 0 for them. */
export function takeTokenBucket(
  limit: BucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
): void {
  push(limit, numbers, at, now, cost, limit.limit);
}

/** Puts the TAT off by `units`, and says that `ceiling` units at most are in use then. */
function push(
  limit: BucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  units: number,
  ceiling: number,
): void {
  const tat = numbers[at]!;
  const behind = tat < now;
  const start = behind ? now : tat;
  const rest = behind ? 0 : numbers[at + 1]! % limit.units;
  const product = units * limit.partUs + rest;
  const part = product % limit.units;
  numbers[at] = start + units * limit.wholeUs + (product - part) / limit.units;
  numbers[at + 1] = ceiling * limit.units + part;
}

/** Takes `units` whether they are there or not, down to a debt of the capacity. The state must be at `now`. */
export function chargeTokenBucket(
  limit: BucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  units: number,
): void {
  const used = consumedTokenBucket(limit, numbers, at, now);
  const charged = Math.min(units, Math.min(2 * limit.limit, limit.unitsMax) - used);
  if (charged > 0) push(limit, numbers, at, now, charged, Math.max(limit.limit, used + charged));
}

/**
 * Gives `units` back, up to a full bucket: of those that will all have returned at `mark` by themselves only what has
 * not yet, for units return in the order in which they were taken.
 * @returns how many microseconds were given, rounded up: as much earlier those return that were taken later.
 */
export function giveTokenBucket(
  limit: BucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  units: number,
  mark: number,
): number {
  const before = Math.max(numbers[at]!, now);
  // More than this many cannot be in use, and their product with a part would not be exact.
  const given = Math.min(units, limit.unitsMax);
  const product = given * limit.partUs;
  let part = product % limit.units;
  let whole = given * limit.wholeUs + (product - part) / limit.units;
  if (whole >= mark - now) {
    whole = Math.max(mark - now, 0);
    part = 0;
  }
  const rest = numbers[at + 1]! % limit.units;
  const borrowed = rest < part ? 1 : 0;
  const tat = numbers[at]! - whole - borrowed;
  if (tat < now) {
    numbers[at] = 0;
    numbers[at + 1] = 0;
    return before > now ? before - now + 1 : 0;
  }
  numbers[at] = tat;
  numbers[at + 1]! += borrowed * limit.units - part;
  return before - tat + (part > 0 ? 1 : 0);
}

/**
 * Does all of the above at once for a bucket whose units return after whole microseconds (`partUs` is 0), which most
 * do: brings the state to `now`, answers the wait, and takes the cost where that is 0 and `consume` is set.
 */
export function decideWholeTokenBucket(
  limit: BucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  consume: boolean,
): number {
  let excess = numbers[at]! - now;
  if (excess > 0) {
    const mostUs = numbers[at + 1]! * limit.wholeUs;
    if (excess > mostUs) {
      excess = mostUs;
      numbers[at] = now + excess;
    }
  }
  if (cost > limit.limit) return Number.POSITIVE_INFINITY;
  const wait = excess - (limit.limit - cost) * limit.wholeUs;
  // More than the capacity may be in use, in debt or after the capacity was lowered; a look is admitted all the same.
  if (wait > 0) return cost > 0 ? wait : 0;
  if (consume && cost > 0) {
    numbers[at] = Math.max(excess, 0) + now + cost * limit.wholeUs;
    numbers[at + 1] = limit.limit;
  }
  return 0;
}

/**
 * Returns the units in use at `now`, a unit that is partly back counted as in use. More than the capacity where they
 * were taken under a larger one. The state must be at `now`.
 */
export function consumedTokenBucket(
  limit: BucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  const excess = numbers[at]! - now;
  if (limit.partUs === 0) return Math.ceil(Math.max(excess, 0) / limit.wholeUs);
  if (excess < 0) return 0;
  return unitsCovering(limit, excess, numbers[at + 1]! % limit.units);
}

/** Returns the least number of units that take at least excess + part / units microseconds to return. */
function unitsCovering(limit: BucketLimit, excess: number, part: number): number {
  let used = Math.ceil((excess + part / limit.units) / (limit.periodUs / limit.units));
  while (!covers(limit, used, excess, part)) used += 1;
  while (used > 0 && covers(limit, used - 1, excess, part)) used -= 1;
  return used;
}

/** Tells whether `used` units take at least excess + part / units microseconds to return. */
function covers(limit: BucketLimit, used: number, excess: number, part: number): boolean {
  const product = used * limit.partUs;
  const usedPart = product % limit.units;
  const usedUs = used * limit.wholeUs + (product - usedPart) / limit.units;
  return usedUs > excess || (usedUs === excess && usedPart >= part);
}

/** Returns the microseconds until the bucket is full, rounded up. */
export function resetTokenBucket(
  limit: BucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  const excess = numbers[at]! - now;
  if (limit.partUs === 0) return Math.max(excess, 0);
  if (excess < 0) return 0;
  return numbers[at + 1]! % limit.units > 0 ? excess + 1 : excess;
}

/** Sets the state to `consumed` units in use at `now`, which may be more than the capacity. */
export function assumeTokenBucket(
  limit: BucketLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  consumed: number,
): void {
  const used = Math.min(consumed, limit.unitsMax);
  const product = used * limit.partUs;
  const part = product % limit.units;
  numbers[at] = now + used * limit.wholeUs + (product - part) / limit.units;
  numbers[at + 1] = Math.max(limit.limit, used) * limit.units + part;
}

// What can be done with one limit, whichever its algorithm is: numbers in, numbers out, no clock, no I/O.

import {
  advanceCalendarWindow,
  assumeCalendarWindow,
  type CalendarWindowLimit,
  lastingCalendarWindow,
  resetCalendarWindow,
  waitCalendarWindow,
} from "./calendar-window.ts";
import {
  advanceConcurrency,
  type ConcurrencyLimit,
  resetConcurrency,
  takeConcurrency,
  waitConcurrency,
} from "./concurrency.ts";
import { EntryLog } from "./entry-log.ts";
import {
  advanceFixedWindow,
  assumeFixedWindow,
  type FixedWindowLimit,
  resetFixedWindow,
  waitFixedWindow,
} from "./fixed-window.ts";
import type { LeakyBucketLimit } from "./leaky-bucket.ts";
import { Permits } from "./permits.ts";
import {
  advanceSlidingLog,
  assumeSlidingLog,
  chargeSlidingLog,
  giveSlidingLog,
  lastingSlidingLog,
  resetSlidingLog,
  type SlidingLogLimit,
  takeSlidingLog,
  waitSlidingLog,
} from "./sliding-log.ts";
import {
  advanceSlidingWindow,
  assumeSlidingWindow,
  chargeSlidingWindow,
  consumedSlidingWindow,
  giveSlidingWindow,
  resetSlidingWindow,
  type SlidingWindowLimit,
  waitSlidingWindow,
} from "./sliding-window.ts";
import {
  advanceTokenBucket,
  assumeTokenBucket,
  chargeTokenBucket,
  consumedTokenBucket,
  giveTokenBucket,
  resetTokenBucket,
  type TokenBucketLimit,
  takeTokenBucket,
  waitTokenBucket,
} from "./token-bucket.ts";
import { chargeCount, countOf, giveCount, takeCount } from "./window-count.ts";

/** One algorithm with its numbers, checked and ready to decide. Made by tokenBucket(), fixedWindow() and the like. */
export type Limit =
  | TokenBucketLimit
  | FixedWindowLimit
  | SlidingWindowLimit
  | SlidingLogLimit
  | LeakyBucketLimit
  | CalendarWindowLimit
  | ConcurrencyLimit;

/** The part of a limit's state that is no plain numbers: what a log holds, or who holds permits. */
export type Entries = EntryLog | Permits;

/** Creates the entries of a key never seen; undefined for algorithms that have none. */
export function createEntries(limit: Limit): Entries | undefined {
  if (limit.algorithm === "sliding-log") return new EntryLog();
  return limit.algorithm === "concurrency" ? new Permits() : undefined;
}

/** Brings the state to `now`. */
export function advance(
  limit: Limit,
  numbers: Float64Array,
  at: number,
  now: number,
  entries: Entries | undefined,
): void {
  switch (limit.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      advanceTokenBucket(limit, numbers, at, now);
      break;
    case "fixed-window":
      advanceFixedWindow(limit, numbers, at, now);
      break;
    case "sliding-window":
      advanceSlidingWindow(limit, numbers, at, now);
      break;
    case "calendar-window":
      advanceCalendarWindow(limit, numbers, at, now);
      break;
    case "sliding-log":
      advanceSlidingLog(limit, numbers, at, now, entries as EntryLog);
      break;
    case "concurrency":
      advanceConcurrency(numbers, at, now, entries as Permits);
      break;
  }
}

/** Returns the microseconds until `limit` alone admits `cost`: 0 now, Infinity never. The state must be at `now`. */
export function waitFor(
  limit: Limit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  entries: Entries | undefined,
): number {
  switch (limit.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      return waitTokenBucket(limit, numbers, at, now, cost);
    case "fixed-window":
      return waitFixedWindow(limit, numbers, at, now, cost);
    case "sliding-window":
      return waitSlidingWindow(limit, numbers, at, now, cost);
    case "calendar-window":
      return waitCalendarWindow(limit, numbers, at, now, cost);
    case "sliding-log":
      return waitSlidingLog(limit, numbers, at, now, cost, entries as EntryLog);
    case "concurrency":
      return waitConcurrency(limit, numbers, at, now, cost, entries as Permits);
  }
}

/**
 * Takes `cost` units that are there.
 * @param permit names the permit of a concurrency limit; for others it means nothing.
 */
export function take(
  limit: Limit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  entries: Entries | undefined,
  permit: string,
): void {
  switch (limit.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      takeTokenBucket(limit, numbers, at, now, cost);
      break;
    case "fixed-window":
    case "sliding-window":
    case "calendar-window":
      takeCount(numbers, at, cost);
      break;
    case "sliding-log":
      takeSlidingLog(numbers, at, now, cost, entries as EntryLog);
      break;
    case "concurrency":
      takeConcurrency(limit, numbers, at, now, cost, entries as Permits, permit);
      break;
  }
}

/**
 * Takes `units` whether they are there or not, until twice the limit is in use. Permits are not charged. The state
 * must be at `now`.
 */
export function charge(
  limit: Limit,
  numbers: Float64Array,
  at: number,
  now: number,
  units: number,
  entries: Entries | undefined,
): void {
  switch (limit.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      chargeTokenBucket(limit, numbers, at, now, units);
      break;
    case "fixed-window":
    case "calendar-window":
      chargeCount(limit, numbers, at, units);
      break;
    case "sliding-window":
      chargeSlidingWindow(limit, numbers, at, now, units);
      break;
    case "sliding-log":
      chargeSlidingLog(limit, numbers, at, now, units, entries as EntryLog);
      break;
    case "concurrency":
      break;
  }
}

/** Returns what tells units that were just taken from others, for `give`. */
export function markOf(limit: Limit, numbers: Float64Array, at: number): number {
  // The instant of a log's newest entry; the start of a window; when all that is in use of a bucket will be back.
  return numbers[limit.algorithm === "sliding-log" ? at + 1 : at]!;
}

/**
 * Gives `units` back of those with `mark`, as far as they have not come back by themselves, and never more than are in
 * use: Infinity is those taken last. A place in the queue of a leaky bucket cannot be given back, since those behind it
 * have been told when to go; nor can permits. The state must be at `now`.
 * @returns of a bucket, how many microseconds earlier units return now that were taken later.
 */
export function give(
  limit: Limit,
  numbers: Float64Array,
  at: number,
  now: number,
  units: number,
  mark: number,
  entries: Entries | undefined,
): number {
  switch (limit.algorithm) {
    case "token-bucket":
      return giveTokenBucket(limit, numbers, at, now, units, mark);
    case "fixed-window":
    case "calendar-window":
      giveCount(numbers, at, units, mark);
      break;
    case "sliding-window":
      giveSlidingWindow(limit, numbers, at, units, mark);
      break;
    case "sliding-log":
      giveSlidingLog(numbers, at, units, mark, entries as EntryLog);
      break;
    case "leaky-bucket":
    case "concurrency":
      break;
  }
  return 0;
}

/** Returns the units in use. The state must be at `now`. */
export function consumed(limit: Limit, numbers: Float64Array, at: number, now: number): number {
  switch (limit.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      return consumedTokenBucket(limit, numbers, at, now);
    case "sliding-window":
      return consumedSlidingWindow(limit, numbers, at, now);
    case "fixed-window":
    case "calendar-window":
      return countOf(numbers, at);
    case "sliding-log":
    case "concurrency":
      return numbers[at]!;
  }
}

/** Returns the units that could be taken at `now`. The state must be at `now`. */
export function remainingOf(limit: Limit, numbers: Float64Array, at: number, now: number): number {
  return Math.max(limit.limit - consumed(limit, numbers, at, now), 0);
}

/** Returns the microseconds until `limit` is as if never used. The state must be at `now`. */
export function resetOf(limit: Limit, numbers: Float64Array, at: number, now: number): number {
  switch (limit.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      return resetTokenBucket(limit, numbers, at, now);
    case "fixed-window":
      return resetFixedWindow(limit, numbers, at, now);
    case "sliding-window":
      return resetSlidingWindow(limit, numbers, at, now);
    case "calendar-window":
      return resetCalendarWindow(numbers, at, now);
    case "sliding-log":
      return resetSlidingLog(limit, numbers, at, now);
    case "concurrency":
      return resetConcurrency(numbers, at, now);
  }
}

/**
 * Returns the units in use at `now` that another algorithm may go on with, for a state that is at any time, and only
 * from its numbers. Held permits are no consumption.
 */
export function lasting(limit: Limit, numbers: Float64Array, at: number, now: number): number {
  switch (limit.algorithm) {
    case "concurrency":
      return 0;
    case "calendar-window":
      return lastingCalendarWindow(numbers, at, now);
    case "sliding-log":
      return lastingSlidingLog(limit, numbers, at, now);
    default:
      advance(limit, numbers, at, now, undefined);
      return consumed(limit, numbers, at, now);
  }
}

/** Sets the state to `units` taken at `now`. */
export function assume(
  limit: Limit,
  numbers: Float64Array,
  at: number,
  now: number,
  units: number,
  entries: Entries | undefined,
): void {
  switch (limit.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      assumeTokenBucket(limit, numbers, at, now, units);
      break;
    case "fixed-window":
      assumeFixedWindow(limit, numbers, at, now, units);
      break;
    case "sliding-window":
      assumeSlidingWindow(limit, numbers, at, now, units);
      break;
    case "calendar-window":
      assumeCalendarWindow(limit, numbers, at, now, units);
      break;
    case "sliding-log":
      assumeSlidingLog(numbers, at, now, units, entries as EntryLog);
      break;
    case "concurrency":
      numbers.fill(0, at, at + limit.width);
  }
}

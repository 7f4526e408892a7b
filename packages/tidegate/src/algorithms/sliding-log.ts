// Sliding window log: what was taken when, so that at most `limit` units are taken in any span [t, t + window)
// whatever, and none is denied that would keep to that. What is taken at one instant is one entry, and each entry has
// a unit at least, so a key has at most `limit` entries, and one more in debt; under a limit that was lowered, those of
// the higher one until they are too old. A clock stepped back frees nothing, and locks out for a window longer at
// most. Lua twin: entries.lua.

import type { EntryLog } from "./entry-log.ts";
import type { LimitBase } from "./limit-base.ts";

/** At most `limit` units in any span of `windowUs` microseconds. */
export interface SlidingLogLimit extends LimitBase {
  readonly algorithm: "sliding-log";
}

/** Creates the limit; the policy layer has checked the numbers. */
export function createSlidingLogLimit(rule: {
  limit: number;
  windowUs: number;
  name?: string | undefined;
  soft?: boolean;
}): SlidingLogLimit {
  return {
    algorithm: "sliding-log",
    name: rule.name,
    limit: rule.limit,
    windowUs: rule.windowUs,
    soft: rule.soft ?? false,
    rule: `sl,${rule.windowUs}`,
    width: 3,
  };
}

// State: numbers[at] = units in the log, numbers[at + 1] = instant of its newest entry, numbers[at + 2] = of its
// oldest; and the log. (0, 0, 0) is an empty one.

/**
 * Drops what is older than a window. Where the newest entry is more than a window ahead, the clock was stepped back:
 * all of them are brought to `now`, so that nobody is locked out for longer than one window more.
 */
export function advanceSlidingLog(
  limit: SlidingLogLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  log: EntryLog,
): void {
  if (numbers[at] === 0) return;
  if (numbers[at + 1]! - now > limit.windowUs) {
    log.clear();
    log.push(now, numbers[at]!);
    numbers[at + 1] = now;
    numbers[at + 2] = now;
  }
  while (log.size > 0 && now - log.timeAt(0) >= limit.windowUs) {
    numbers[at]! -= log.unitsAt(0);
    log.dropOldest();
  }
  settleEnds(numbers, at, log);
}

/** Reads the instants of both ends anew. */
function settleEnds(numbers: Float64Array, at: number, log: EntryLog): void {
  numbers[at + 1] = log.size > 0 ? log.timeAt(log.size - 1) : 0;
  numbers[at + 2] = log.size > 0 ? log.timeAt(0) : 0;
}

/** Returns the microseconds until `cost` units are there: 0 now, Infinity never. The state must be at `now`. */
export function waitSlidingLog(
  limit: SlidingLogLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  log: EntryLog,
): number {
  if (cost > limit.limit) return Number.POSITIVE_INFINITY;
  let missing = cost === 0 ? 0 : numbers[at]! + cost - limit.limit;
  if (missing <= 0) return 0;
  let index = 0;
  for (; missing > log.unitsAt(index); index += 1) missing -= log.unitsAt(index);
  return log.timeAt(index) + limit.windowUs - now;
}

/** Takes `cost` units. Only where waitSlidingLog answered 0 for them. */
export function takeSlidingLog(
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
  log: EntryLog,
): void {
  // Where the clock was stepped back a little, time stands still until it has caught up.
  const time = Math.max(now, numbers[at + 1]!);
  const newest = log.size - 1;
  if (newest >= 0 && log.timeAt(newest) === time) log.setUnits(newest, log.unitsAt(newest) + cost);
  else log.push(time, cost);
  numbers[at]! += cost;
  settleEnds(numbers, at, log);
}

/**
 * Takes `units` whether they are there or not, until twice the limit are in the log. For them a full log gets one entry
 * more, which moves on with every charge; those of what was admitted stay, for they are found by their instant where
 * it is given back.
 */
export function chargeSlidingLog(
  limit: SlidingLogLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  units: number,
  log: EntryLog,
): void {
  const charged = Math.min(units, 2 * limit.limit - numbers[at]!);
  if (charged <= 0) return;
  if (log.size > limit.limit) log.setTime(log.size - 1, Math.max(now, numbers[at + 1]!));
  numbers[at + 1] = log.size > 0 ? log.timeAt(log.size - 1) : 0;
  takeSlidingLog(numbers, at, now, charged, log);
}

/** Gives `units` back: of the entry of `takenAt`, where it is there still; for Infinity, those taken last. */
export function giveSlidingLog(
  numbers: Float64Array,
  at: number,
  units: number,
  takenAt: number,
  log: EntryLog,
): void {
  let left = units;
  for (let index = log.size - 1; index >= 0 && left > 0; index -= 1) {
    const time = log.timeAt(index);
    if (takenAt !== Number.POSITIVE_INFINITY && time !== takenAt) {
      if (time < takenAt) break;
      continue;
    }
    const there = log.unitsAt(index);
    const given = Math.min(left, there);
    left -= given;
    numbers[at]! -= given;
    if (given < there) log.setUnits(index, there - given);
    else log.drop(index);
  }
  settleEnds(numbers, at, log);
}

/** Returns the microseconds until the log is empty. The state must be at `now`. */
export function resetSlidingLog(
  limit: SlidingLogLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  return numbers[at]! > 0 ? numbers[at + 1]! + limit.windowUs - now : 0;
}

/** Returns the units in the log, for a state that was not brought to `now`: none where all of them are too old. */
export function lastingSlidingLog(
  limit: SlidingLogLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): number {
  return now - numbers[at + 1]! < limit.windowUs ? numbers[at]! : 0;
}

/** Sets the state to `consumed` units taken at `now`. */
export function assumeSlidingLog(
  numbers: Float64Array,
  at: number,
  now: number,
  consumed: number,
  log: EntryLog,
): void {
  log.clear();
  if (consumed > 0) log.push(now, consumed);
  numbers[at] = consumed;
  settleEnds(numbers, at, log);
}

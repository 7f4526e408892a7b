// Counts what was admitted elsewhere, by nodes that tell of it later: whether it is there or not, down to a debt of the
// limit, and into the window in which it was taken.

import { advance, assume, charge, consumed, give, type Limit } from "./dispatch.ts";

/** How a key stands, for a node that spends a part of it. */
export interface Standing {
  /** Units that all hard limits have: below 0 in debt. */
  room: number;
  /** Units that come back in the span that was asked about, whatever is taken: those of the slowest limit. */
  gain: number;
  /** Instant of the clock until which no window of a limit ends. */
  windowsEndAt: number;
}

/** Creates one to be filled. */
export function createStanding(): Standing {
  return { room: 0, gain: 0, windowsEndAt: 0 };
}

/** Brings plain limits to `now` and says how they stand, over a span in microseconds. */
export function standingOf(
  limits: readonly Limit[],
  numbers: Float64Array,
  at: number,
  now: number,
  spanUs: number,
  into: Standing,
): void {
  into.room = Number.POSITIVE_INFINITY;
  into.gain = Number.POSITIVE_INFINITY;
  into.windowsEndAt = Number.POSITIVE_INFINITY;
  let offset = at;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    advance(limit, numbers, offset, now, undefined);
    const room = limit.limit - consumed(limit, numbers, offset, now);
    const gain = gainOf(limit, numbers, offset, spanUs);
    into.room = Math.min(into.room, room);
    into.gain = Math.min(into.gain, gain);
    if (isWindow(limit)) {
      into.windowsEndAt = Math.min(into.windowsEndAt, windowEnd(limit, numbers, offset));
    }
    offset += limit.width;
  }
}

/** Returns the units that all of plain limits have at `now`, below 0 in debt; brings their states to it. */
export function roomIn(
  limits: readonly Limit[],
  { numbers, at }: { readonly numbers: Float64Array; readonly at: number },
  now: number,
): number {
  standingOf(limits, numbers, at, now, 0, scratch);
  return scratch.room;
}

const scratch = createStanding();

/** Units that come back within a span without a window's end. */
function gainOf(limit: Limit, numbers: Float64Array, at: number, spanUs: number): number {
  if (limit.algorithm === "token-bucket") return (spanUs * limit.units) / limit.periodUs;
  // Of the window before as much stops counting as the window goes on.
  if (limit.algorithm === "sliding-window") return (spanUs * numbers[at + 2]!) / limit.windowUs;
  return 0;
}

/** Whether it counts in windows: the units of another window are not those of this one. */
export function isWindow(limit: Limit): boolean {
  return limit.algorithm !== "token-bucket";
}

/** Returns when the window begins that an instant is in. */
export function windowStart(limit: Limit, now: number): number {
  return limit.algorithm === "calendar-window"
    ? limit.calendar.boundariesAround(now)[1]!
    : now - (now % limit.windowUs);
}

function windowEnd(limit: Limit, numbers: Float64Array, at: number): number {
  return limit.algorithm === "calendar-window" ? numbers[at + 2]! : numbers[at]! + limit.windowUs;
}

/** Units that were taken elsewhere, by limit. */
export interface Elsewhere {
  /** Of a bucket all of them; of a window those of its present one. Below 0, so many were given back. */
  readonly present: Float64Array;
  /** Of a sliding window, those of the window before. */
  readonly before: Float64Array;
}

/** Creates units to be filled, of none and for so many limits. */
export function createElsewhere(limits: number): Elsewhere {
  return { present: new Float64Array(limits), before: new Float64Array(limits) };
}

/**
 * Counts units that were taken elsewhere.
 * @returns how many of them are beyond what is repaid: a debt ends at the limit.
 */
export function countElsewhere(
  limits: readonly Limit[],
  numbers: Float64Array,
  at: number,
  now: number,
  units: Elsewhere,
): number {
  let forgiven = 0;
  let offset = at;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    advance(limit, numbers, offset, now, undefined);
    const present = units.present[index]!;
    if (present < 0)
      give(limit, numbers, offset, now, -present, Number.POSITIVE_INFINITY, undefined);
    if (present > 0) {
      // A bucket repays a debt, and a sliding window what it admitted too much; the next of other windows owes nothing.
      const most = isRepaid(limit) ? 2 * limit.limit : limit.limit;
      const beyond = consumed(limit, numbers, offset, now) + present - most;
      forgiven = Math.max(forgiven, Math.min(beyond, present));
      charge(limit, numbers, offset, now, present, undefined);
    }
    const before = units.before[index]!;
    if (before > 0 && limit.algorithm === "sliding-window") {
      numbers[offset + 2] = Math.min(numbers[offset + 2]! + before, 2 * limit.limit);
    }
    offset += limit.width;
  }
  return forgiven;
}

function isRepaid({ algorithm }: Limit): boolean {
  return algorithm === "token-bucket" || algorithm === "sliding-window";
}

/**
 * Has a key be used at least as far as another node saw it.
 * @param used by limit, units in use there; of a window that is over here, 0.
 * @param ageUs how long ago it saw that.
 */
export function assumeUsed(
  limits: readonly Limit[],
  numbers: Float64Array,
  at: number,
  now: number,
  used: Float64Array,
  ageUs: number,
): void {
  let offset = at;
  for (let index = 0; index < limits.length; index += 1) {
    const limit = limits[index]!;
    advance(limit, numbers, offset, now, undefined);
    const back = limit.algorithm === "token-bucket" ? (ageUs * limit.units) / limit.periodUs : 0;
    const units = Math.min(Math.ceil(used[index]! - back), 2 * limit.limit);
    if (units > consumed(limit, numbers, offset, now)) {
      assume(limit, numbers, offset, now, units, undefined);
    }
    offset += limit.width;
  }
}

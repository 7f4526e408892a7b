// Calendar window: at most `limit` units a day, week or month of a named time zone, as its calendar has them: a day of
// 23 or 25 hours is one. So in any span that is no longer than a window at most twice the limit, which two bursts
// beside midnight get. A clock stepped back frees nothing by itself, and locks out until the end of the next window at
// most. The boundaries come with the limit, computed by this node. Lua twin: algorithms.lua.

import type { Calendar, CalendarPeriod } from "./calendar.ts";
import type { LimitBase } from "./limit-base.ts";

/** At most `limit` units in each `period` of the calendar. */
export interface CalendarWindowLimit extends LimitBase {
  readonly algorithm: "calendar-window";
  readonly period: CalendarPeriod;
  readonly timeZone: string;
  readonly calendar: Calendar;
}

const DAY_US = 86_400_000_000;
const WINDOW_US = { day: DAY_US, week: 7 * DAY_US, month: 28 * DAY_US } as const;

/** Creates the limit; the policy layer has checked the numbers. */
export function createCalendarWindowLimit(rule: {
  limit: number;
  period: CalendarPeriod;
  timeZone: string;
  calendar: Calendar;
  name?: string | undefined;
  soft?: boolean;
}): CalendarWindowLimit {
  const { limit, period, timeZone, calendar, name, soft = false } = rule;
  return {
    algorithm: "calendar-window",
    name,
    soft,
    rule: `cw,${period},${timeZone}`,
    width: 3,
    limit,
    windowUs: WINDOW_US[period],
    period,
    timeZone,
    calendar,
  };
}

// State: numbers[at] = start of the window, numbers[at + 1] = units taken in it, numbers[at + 2] = its end.

/**
 * Brings the state to `now`. The next window stays (the clock was stepped back over its start); any other that has
 * not ended, such as one that is farther ahead or one by other time-zone data, becomes this one with its count.
 */
export function advanceCalendarWindow(
  limit: CalendarWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
): void {
  const boundaries = limit.calendar.boundariesAround(now);
  const start = boundaries[1]!;
  if (numbers[at] === start) return;
  if (numbers[at] === boundaries[2] && numbers[at + 1]! > 0) return;
  if (numbers[at]! < start) numbers[at + 1] = 0;
  numbers[at] = start;
  numbers[at + 2] = boundaries[2]!;
}

/** Returns the microseconds until `cost` units are there: 0 now, Infinity never. The state must be at `now`. */
export function waitCalendarWindow(
  limit: CalendarWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  cost: number,
): number {
  if (cost > limit.limit) return Number.POSITIVE_INFINITY;
  if (cost === 0 || numbers[at + 1]! + cost <= limit.limit) return 0;
  return numbers[at + 2]! - now;
}

/** Returns the microseconds until the count is zero again: the window's end, or 0 where nothing was taken. */
export function resetCalendarWindow(numbers: Float64Array, at: number, now: number): number {
  return numbers[at + 1]! > 0 ? numbers[at + 2]! - now : 0;
}

/** Returns the units taken in the window, for a state that was not brought to `now`: none where it is over. */
export function lastingCalendarWindow(numbers: Float64Array, at: number, now: number): number {
  return now < numbers[at + 2]! ? numbers[at + 1]! : 0;
}

/** Sets the state to `consumed` units taken in the window of `now`. */
export function assumeCalendarWindow(
  limit: CalendarWindowLimit,
  numbers: Float64Array,
  at: number,
  now: number,
  consumed: number,
): void {
  const boundaries = limit.calendar.boundariesAround(now);
  numbers[at] = boundaries[1]!;
  numbers[at + 1] = consumed;
  numbers[at + 2] = boundaries[2]!;
}

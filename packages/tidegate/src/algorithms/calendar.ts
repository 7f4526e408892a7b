// Where the days, weeks and months of a time zone begin and end. No clock: the instant is an argument. The platform's
// Intl knows the zones; it is asked where a window changes, and never within one.

/** A window of the wall calendar. Weeks start on Monday (ISO 8601). */
export type CalendarPeriod = "day" | "week" | "month";

/** Every period, shortest first. */
export const CALENDAR_PERIODS: readonly CalendarPeriod[] = ["day", "week", "month"];

/** The IANA database's names of three letters. Intl knows others, which mislead: its BST is the time of Bangladesh. */
const THREE_LETTERS = /^(cet|eet|est|gmt|hst|met|mst|prc|roc|rok|uct|utc|wet)$/i;

/**
 * Tells whether the platform knows `value` as a time zone of the IANA database: "Europe/Berlin", "UTC", in any case.
 * Offsets ("+02:00") and abbreviations ("PST") are refused. Keep the name as it was given: what Intl resolves it to
 * depends on the platform's version, and can be a name of the past (Asia/Calcutta for Asia/Kolkata).
 */
export function isTimeZone(value: unknown): value is string {
  if (typeof value !== "string" || !/^[a-z]/i.test(value)) return false;
  if (value.length === 3 && !THREE_LETTERS.test(value)) return false;
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: value });
    return true;
  } catch {
    return false;
  }
}

/** The windows of one period in one time zone. Instants are integer microseconds since the epoch. */
export interface Calendar {
  /**
   * Returns five ascending instants: the start of the window before the one that holds `nowUs`, the start of the one
   * that holds it, its end, the end of the next, and the end of the one after that. A window starts where the one
   * before it ends, and none is empty. Callers must not write to the array: it is returned again until an instant in
   * another window is asked for, and that answer is a new array.
   * @throws RangeError where `nowUs` is NaN, or beyond the safe integers (the years 1684 to 2255).
   */
  boundariesAround(nowUs: number): Float64Array;
}

const SECOND_US = 1_000_000;
const DAY_SECONDS = 86_400;

/** What leads from the first day of any window into the next window, if not to its first day. */
const DAYS_MAX: Readonly<Record<CalendarPeriod, number>> = { day: 1, week: 7, month: 31 };

/**
 * Creates a calendar. A date starts at the first instant at which the zone's wall clock shows 00:00 of it or, where a
 * transition skips midnight, at the first instant after the gap (Temporal's startOfDay). So where clocks go back over
 * midnight, what is repeated of the old date stays in the new window; and a date that a zone skipped is no window.
 * @param timeZone one that isTimeZone() accepts.
 */
export function createCalendar(period: CalendarPeriod, timeZone: string): Calendar {
  const offsetAt = createOffsets(timeZone);
  const startOf = (day: number) => startOfDate(day, offsetAt) * SECOND_US;
  const next = (firstDay: number) => firstDayOf(period, firstDay + DAYS_MAX[period]);
  const previous = (firstDay: number) => firstDayOf(period, firstDay - 1);

  function find(nowUs: number): Float64Array {
    if (!(Math.abs(nowUs) <= Number.MAX_SAFE_INTEGER)) {
      throw new RangeError(`not an instant in integer microseconds: ${nowUs}`);
    }
    const seconds = Math.floor(nowUs / SECOND_US);
    // The date that the wall clock shows, which is not the window's where clocks have gone back over midnight.
    let day = firstDayOf(period, Math.floor((seconds + offsetAt(seconds)) / DAY_SECONDS));
    let start = startOf(day);
    while (start > nowUs) {
      day = previous(day);
      start = startOf(day);
    }
    let following = next(day);
    let end = startOf(following);
    while (end <= nowUs) {
      day = following;
      start = end;
      following = next(day);
      end = startOf(following);
    }
    // A date that the zone skipped starts where the date after it does, and is passed over, here and below.
    day = previous(day);
    while (startOf(day) >= start) day = previous(day);
    const boundaries = Float64Array.of(startOf(day), start, end, 0, 0);
    for (let index = 3; index < boundaries.length; ) {
      following = next(following);
      boundaries[index] = startOf(following);
      if (boundaries[index]! > boundaries[index - 1]!) index += 1;
    }
    return boundaries;
  }

  // Within a window this takes 6 ns; find() takes some 60 us, 140 us beside a transition, nearly all of it in Intl.
  let known: Float64Array = new Float64Array(5);
  return {
    boundariesAround(nowUs) {
      if (!(nowUs >= known[1]! && nowUs < known[2]!)) known = find(nowUs);
      return known;
    },
  };
}

/** Seconds that the wall clock is ahead of UTC, at an instant in whole seconds since the epoch. */
type OffsetAt = (seconds: number) => number;

function createOffsets(timeZone: string): OffsetAt {
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    calendar: "gregory",
    numberingSystem: "latn",
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (seconds) => {
    const shown = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
    for (const { type, value } of format.formatToParts(seconds * 1_000)) {
      if (type in shown) shown[type as keyof typeof shown] = Number(value);
    }
    const days = daysFromCivil(shown.year, shown.month, shown.day);
    return days * DAY_SECONDS + shown.hour * 3_600 + shown.minute * 60 + shown.second - seconds;
  };
}

/**
 * Returns the second since the epoch at which `day` (counted from 1970-01-01) starts. Every offset is under 24 hours,
 * so that is at most a day from UTC's midnight. In these two days the offset changes once at most: no zone has
 * changed it twice within three days since 1900.
 */
function startOfDate(day: number, offsetAt: OffsetAt): number {
  const midnight = day * DAY_SECONDS;
  const from = midnight - DAY_SECONDS;
  const to = midnight + DAY_SECONDS;
  const before = offsetAt(from);
  const after = offsetAt(to);
  if (before === after) return midnight - before;
  const change = changeBetween(from, to, before, offsetAt);
  // Shown before the change; or at the earliest at the change itself, which skips it or is where it falls.
  return midnight - before < change ? midnight - before : Math.max(midnight - after, change);
}

/** Returns the first second at which the offset is no longer `before`, which it is at `from` and not at `to`. */
function changeBetween(from: number, to: number, before: number, offsetAt: OffsetAt): number {
  let old = from;
  let changed = to;
  while (changed - old > 1) {
    const middle = Math.floor((old + changed) / 2);
    if (offsetAt(middle) === before) old = middle;
    else changed = middle;
  }
  return changed;
}

function firstDayOf(period: CalendarPeriod, day: number): number {
  if (period === "day") return day;
  // Day 0 is a Thursday.
  return period === "week" ? day - modulo(day + 3, 7) : day - dayOfMonth(day) + 1;
}

// Civil dates as days from 1970-01-01, in integers: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
// Years start in March there, so that the leap day is the last; an era is 400 of them.

const ERA_DAYS = 146_097;
const EPOCH_DAY = 719_468;

export function daysFromCivil(year: number, month: number, day: number): number {
  const marchYear = month > 2 ? year : year - 1;
  const yearOfEra = modulo(marchYear, 400);
  const dayOfYear = firstDayOfMarchMonth(modulo(month - 3, 12)) + day - 1;
  const dayOfEra =
    yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return Math.floor(marchYear / 400) * ERA_DAYS + dayOfEra - EPOCH_DAY;
}

function dayOfMonth(days: number): number {
  const dayOfEra = modulo(days + EPOCH_DAY, ERA_DAYS);
  const leapDays =
    Math.floor(dayOfEra / 1_460) - Math.floor(dayOfEra / 36_524) + Math.floor(dayOfEra / 146_096);
  const yearOfEra = Math.floor((dayOfEra - leapDays) / 365);
  const dayOfYear =
    dayOfEra - (yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  return dayOfYear - firstDayOfMarchMonth(Math.floor((5 * dayOfYear + 2) / 153)) + 1;
}

/** Returns the day of the year, from 0, on which a month starts; both counted from March. */
function firstDayOfMarchMonth(month: number): number {
  return Math.floor((153 * month + 2) / 5);
}

function modulo(value: number, divisor: number): number {
  return value - Math.floor(value / divisor) * divisor;
}

// The limits as an application writes them, checked where they are written.

import {
  CALENDAR_PERIODS,
  type CalendarPeriod,
  createCalendar,
  isTimeZone,
} from "../algorithms/calendar.ts";
import { createCalendarWindowLimit } from "../algorithms/calendar-window.ts";
import { createConcurrencyLimit } from "../algorithms/concurrency.ts";
import type { Limit } from "../algorithms/dispatch.ts";
import { createFixedWindowLimit } from "../algorithms/fixed-window.ts";
import { createLeakyBucketLimit } from "../algorithms/leaky-bucket.ts";
import { createSlidingLogLimit } from "../algorithms/sliding-log.ts";
import { createSlidingWindowLimit } from "../algorithms/sliding-window.ts";
import {
  type BucketLimit,
  createTokenBucketLimit,
  MAX_FILL_US,
} from "../algorithms/token-bucket.ts";
import { TidegateError } from "../errors.ts";
import { parseDuration } from "./duration.ts";
import { checkOptions, optionError, positiveInteger } from "./options.ts";
import { parseRate } from "./rate.ts";

/** The largest capacity, limit or cost: one billion units. */
export const MAX_UNITS = 1_000_000_000;

/** Names of policies and limits: they stand in Redis keys, metric labels and HTTP headers. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

/** Returns `value` where it may name a policy or a limit, else throws naming `field`. */
export function checkName(field: string, value: unknown): string {
  if (typeof value !== "string" || !NAME.test(value)) {
    throw optionError(
      field,
      '1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit',
      value,
    );
  }
  return value;
}

/** What every limit may be given. */
interface NamedOptions {
  /** Name in decisions and headers; left out, it is derived from the policy's. */
  readonly name?: string;
}

/** What every limit may be given that can be soft. */
interface SoftOptions extends NamedOptions {
  /** Only flags what goes beyond it, as `decision.soft`; it takes what it has and never denies. */
  readonly soft?: boolean;
}

/** A bucket that holds `capacity` units and gets them back at `refill`, e.g. "10/s". */
export interface TokenBucketOptions extends SoftOptions {
  readonly capacity: number;
  readonly refill: string;
}

/** At most `limit` units in each `window`, e.g. "1m" or a number of milliseconds. */
export interface WindowOptions extends SoftOptions {
  readonly limit: number;
  readonly window: string | number;
}

/** At most `limit` units in each clock-aligned `window`. */
export type FixedWindowOptions = WindowOptions;
/** At most `limit` units in the `window` that ends now, as two counters estimate it. */
export type SlidingWindowOptions = WindowOptions;
/** At most `limit` units in any `window`, exactly. */
export type SlidingLogOptions = WindowOptions;

/** Lets units go at `rate`, e.g. "10/s", and up to `queue` of them wait for their turn. */
export interface LeakyBucketOptions extends NamedOptions {
  readonly rate: string;
  readonly queue: number;
}

/** At most `limit` units a day, week or month. */
export interface CalendarWindowOptions extends SoftOptions {
  readonly limit: number;
  readonly per: CalendarPeriod;
  /** A name of the IANA time-zone database, e.g. "Europe/Berlin"; default "UTC". */
  readonly timeZone?: string;
}

/** At most `limit` units held at once, each permit for `lease` at most unless it is extended, e.g. "30s". */
export interface ConcurrencyOptions extends NamedOptions {
  readonly limit: number;
  readonly lease: string | number;
}

/** `rate` in the long run, but up to `upTo` for a while of `for`: `{ rate: "100/s", upTo: "150/s", for: "5s" }`. */
export interface BurstOptions {
  readonly rate: string;
  readonly upTo: string;
  readonly for: string | number;
  /** What the two limits' names begin with; left out, they are derived from the policy's. */
  readonly name?: string;
}

/**
 * Creates a token bucket: `capacity` units at once, `refill` in the long run. In any span of length t it admits at
 * most capacity + rate × t.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function tokenBucket(options: TokenBucketOptions): Limit {
  checkOptions("tokenBucket", options, ["capacity", "refill", "name", "soft"]);
  const capacity = positiveInteger("capacity", options.capacity, MAX_UNITS);
  const rate = parseRate("refill", options.refill);
  const limit = createTokenBucketLimit({ capacity, ...rate, ...readSoft(options) });
  checkBucket(limit, "refill", options.refill, `the capacity of ${capacity}`);
  return made(limit);
}

/**
 * Creates a fixed window: at most `limit` units from one window boundary to the next, boundaries counted from the
 * epoch. Two adjoining windows may together admit 2 × limit within one window's length.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function fixedWindow(options: FixedWindowOptions): Limit {
  return made(createFixedWindowLimit(readWindow("fixedWindow", options)));
}

/**
 * Creates a sliding window counter: at most `limit` units in the window that ends now, those of the clock-aligned
 * window before counted for the part that is overlapped. Exact for traffic that is spread evenly; in any span of one
 * window's length it admits less than 2 × limit.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function slidingWindow(options: SlidingWindowOptions): Limit {
  return made(createSlidingWindowLimit(readWindow("slidingWindow", options)));
}

/**
 * Creates a sliding window log: at most `limit` units in any span of one window's length, exactly. It remembers each
 * instant at which something was taken, so a key takes memory for up to `limit` of them.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function slidingLog(options: SlidingLogOptions): Limit {
  const rule = readWindow("slidingLog", options);
  if (rule.limit > MAX_LOG_LIMIT) {
    const expected = `at most ${MAX_LOG_LIMIT}, since every unit may take memory of its own (slidingWindow() counts)`;
    throw optionError("limit", expected, rule.limit);
  }
  return made(createSlidingLogLimit(rule));
}

/** The largest limit of a log: its entries may take 16 bytes a unit. */
const MAX_LOG_LIMIT = 1_000_000;

/**
 * Creates a leaky bucket as a queue: units go at `rate`, evenly spaced, those that come early are told to wait
 * (`decision.delayMs`), and where `queue` units wait already, more are denied.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function leakyBucket(options: LeakyBucketOptions): Limit {
  checkOptions("leakyBucket", options, ["rate", "queue", "name"]);
  const { queue } = options;
  if (!Number.isInteger(queue) || queue < 0 || queue >= MAX_UNITS) {
    throw optionError("queue", `a whole number from 0 to ${MAX_UNITS - 1}`, queue);
  }
  const rate = parseRate("rate", options.rate);
  const limit = createLeakyBucketLimit({ queue, ...rate, name: readName(options) });
  checkBucket(limit, "rate", options.rate, `a queue of ${queue}`);
  return made(limit);
}

/**
 * Creates a calendar window: at most `limit` units a day, week (from Monday) or month of a time zone, as its clocks
 * on the wall have them. Two adjoining windows may together admit 2 × limit within one window's length.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function calendarWindow(options: CalendarWindowOptions): Limit {
  checkOptions("calendarWindow", options, ["limit", "per", "timeZone", "name", "soft"]);
  const limit = positiveInteger("limit", options.limit, MAX_UNITS);
  const period = CALENDAR_PERIODS.find((known) => known === options.per);
  if (period === undefined) {
    throw optionError("per", '"day", "week" or "month"', options.per);
  }
  const { timeZone = "UTC" } = options;
  if (!isTimeZone(timeZone)) {
    throw optionError("timeZone", 'a time zone such as "Europe/Berlin" or "UTC"', timeZone);
  }
  const calendar = createCalendar(period, timeZone);
  const rule = { limit, period, timeZone, calendar, ...readSoft(options) };
  return made(createCalendarWindowLimit(rule));
}

/**
 * Creates a concurrency limit: at most `limit` units held at any instant, by permits that are acquired and released.
 * A permit that is neither released nor extended comes back when its lease ends.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function concurrency(options: ConcurrencyOptions): Limit {
  checkOptions("concurrency", options, ["limit", "lease", "name"]);
  const limit = positiveInteger("limit", options.limit, MAX_LOG_LIMIT);
  const leaseUs = parseDuration("lease", options.lease) * 1_000;
  return made(createConcurrencyLimit({ limit, leaseUs, name: readName(options) }));
}

/**
 * Creates burst mode, two limits that a policy takes as its own: a bucket that is refilled at `rate` and holds a second
 * of it and what `upTo` lets go beyond it in the time of `for`, and one for `upTo` that holds a second of it.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function burst(options: BurstOptions): Limit[] {
  checkOptions("burst", options, ["rate", "upTo", "for", "name"]);
  const name = readName(options);
  const rate = parseRate("rate", options.rate);
  const upTo = parseRate("upTo", options.upTo);
  const forUs = parseDuration("for", options.for) * 1_000;
  const ratePerUs = rate.units / rate.periodUs;
  const upToPerUs = upTo.units / upTo.periodUs;
  if (upToPerUs <= ratePerUs) {
    throw optionError("upTo", `a rate above ${options.rate}`, options.upTo);
  }
  const second = 1_000_000;
  const sustained = Math.max(1, ratePerUs * second) + (upToPerUs - ratePerUs) * forUs;
  const capacity = Math.round(sustained);
  const peak = Math.max(1, Math.round(upToPerUs * second));
  const names =
    name === undefined ? [{}, {}] : [{ name: `${name}-rate` }, { name: `${name}-peak` }];
  return [
    tokenBucket({ capacity, refill: options.rate, ...names[0] }),
    tokenBucket({ capacity: peak, refill: options.upTo, ...names[1] }),
  ];
}

function readName({ name }: NamedOptions): string | undefined {
  return name === undefined ? undefined : checkName("name", name);
}

function readSoft(options: SoftOptions): { name: string | undefined; soft: boolean } {
  const { soft = false } = options;
  if (typeof soft !== "boolean") throw optionError("soft", "true or false", soft);
  return { name: readName(options), soft };
}

function readWindow(factory: string, options: WindowOptions) {
  checkOptions(factory, options, ["limit", "window", "name", "soft"]);
  const limit = positiveInteger("limit", options.limit, MAX_UNITS);
  const windowUs = parseDuration("window", options.window) * 1_000;
  return { limit, windowUs, ...readSoft(options) };
}

/** Refuses rates with which a bucket would not be exact, or be full in some century only. */
function checkBucket(limit: BucketLimit, field: string, rate: string, holds: string): void {
  if (limit.windowUs > MAX_FILL_US) {
    const message = `${field} must fill ${holds} within 36500d, got "${rate}"`;
    throw new TidegateError("INVALID_OPTION", message, { field });
  }
  if (limit.limit * limit.units > 2 ** 52) {
    throw new TidegateError(
      "INVALID_OPTION",
      `${field} must be a rate that stays exact with ${holds.replace(/^the /, "a ")}, ` +
        `such as one with fewer digits, got "${rate}"`,
      { field },
    );
  }
}

/** How limits are made, for messages. */
export const LIMIT_FACTORIES =
  "tokenBucket(), fixedWindow(), slidingWindow(), slidingLog(), leakyBucket(), calendarWindow(), concurrency() " +
  "or burst()";

/** The limits that were checked here; a copy with other numbers is none. */
const limitsMade = new WeakSet<object>();

/** Notes that a limit was checked, or made of one that was. */
export function made(limit: Limit): Limit {
  limitsMade.add(limit);
  return Object.freeze(limit);
}

/** Whether `value` was made here. */
export function isLimit(value: unknown): value is Limit {
  return typeof value === "object" && value !== null && limitsMade.has(value);
}

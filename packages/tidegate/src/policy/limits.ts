// The limits as an application writes them, checked where they are written.

import type { Limit } from "../algorithms/decide.ts";
import { createFixedWindowLimit } from "../algorithms/fixed-window.ts";
import { createTokenBucketLimit, MAX_FILL_US } from "../algorithms/token-bucket.ts";
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

/** A bucket that holds `capacity` units and gets them back at `refill`, e.g. "10/s". */
export interface TokenBucketOptions {
  readonly capacity: number;
  readonly refill: string;
  /** Name in decisions and headers; left out, it is derived from the policy's. */
  readonly name?: string;
}

/** At most `limit` units in each clock-aligned `window`, e.g. "1m" or a number of milliseconds. */
export interface FixedWindowOptions {
  readonly limit: number;
  readonly window: string | number;
  /** Name in decisions and headers; left out, it is derived from the policy's. */
  readonly name?: string;
}

/**
 * Creates a token bucket: `capacity` units at once, `refill` in the long run. In any span of length t it admits at
 * most capacity + rate × t.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function tokenBucket(options: TokenBucketOptions): Limit {
  checkOptions("tokenBucket", options, ["capacity", "refill", "name"]);
  const capacity = positiveInteger("capacity", options.capacity, MAX_UNITS);
  const rate = parseRate("refill", options.refill);
  const name = options.name === undefined ? undefined : checkName("name", options.name);
  const limit = createTokenBucketLimit({ capacity, ...rate, name });
  if (limit.windowUs > MAX_FILL_US) {
    throw new TidegateError(
      "INVALID_OPTION",
      `refill must fill the capacity of ${capacity} within 36500d, got "${options.refill}"`,
      { field: "refill" },
    );
  }
  if (capacity * limit.units > 2 ** 52) {
    throw new TidegateError(
      "INVALID_OPTION",
      `refill must be a rate that stays exact with a capacity of ${capacity}, ` +
        `such as one with fewer digits, got "${options.refill}"`,
      { field: "refill" },
    );
  }
  return made(limit);
}

/**
 * Creates a fixed window: at most `limit` units from one window boundary to the next, boundaries counted from the
 * epoch. Two adjoining windows may together admit 2 × limit within one window's length.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function fixedWindow(options: FixedWindowOptions): Limit {
  checkOptions("fixedWindow", options, ["limit", "window", "name"]);
  const limit = positiveInteger("limit", options.limit, MAX_UNITS);
  const windowUs = parseDuration("window", options.window) * 1_000;
  const name = options.name === undefined ? undefined : checkName("name", options.name);
  return made(createFixedWindowLimit({ limit, windowUs, name }));
}

/** The limits that were checked here; a copy with other numbers is none. */
const limitsMade = new WeakSet<object>();

function made(limit: Limit): Limit {
  limitsMade.add(limit);
  return Object.freeze(limit);
}

/** Whether `value` was made by tokenBucket() or fixedWindow(). */
export function isLimit(value: unknown): value is Limit {
  return typeof value === "object" && value !== null && limitsMade.has(value);
}

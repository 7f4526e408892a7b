// Reads durations as people write them: "500ms", "1h30m", "2 weeks". What is ambiguous or has no fixed length is
// refused with a hint and never guessed at.

import { optionError, show } from "./options.ts";

/** The longest duration: 100 years of 365 days, in milliseconds. Microseconds then stay exact in a double. */
export const MAX_DURATION_MS = 36_500 * 86_400_000;

/** The longest text that is read: what a message shows whole, and so short that any way of reading it is quick. */
export const MAX_TEXT_LENGTH = 80;

const EXPECTED = 'a duration such as "500ms", "10s", "1m", "2h" or "1d"';

const UNIT_MS = mapOfWords([
  [1, "ms msec msecs millisecond milliseconds"],
  [1_000, "s sec secs second seconds"],
  [60_000, "m min mins minute minutes"],
  [3_600_000, "h hr hrs hour hours"],
  [86_400_000, "d day days"],
  [604_800_000, "w wk wks week weeks"],
]);

const CALENDAR =
  "months and years have no fixed length; the algorithm calendar-window counts by the calendar";
const TOO_SHORT = "1ms is the shortest";

/** Units that are none here, and why. */
const REFUSED = mapOfWords([
  [CALENDAR, "mo mos mon mth mths month months quarter quarters y yr yrs year years"],
  [TOO_SHORT, "us µs μs usec microsecond microseconds ns nsec nanosecond nanoseconds"],
]);

function mapOfWords<T>(rows: readonly (readonly [T, string])[]): ReadonlyMap<string, T> {
  return new Map(rows.flatMap(([value, words]) => words.split(" ").map((word) => [word, value])));
}

/** What a text says: a length, a length that is no duration, or how far it was understood. */
export type DurationReading =
  | { readonly kind: "duration"; readonly milliseconds: number }
  /** Under 1 ms, over 100 years, or not whole milliseconds. */
  | { readonly kind: "out-of-range" }
  /** `read` is the beginning that was understood, `problem` what is wrong after it; both may be empty. */
  | { readonly kind: "unread"; readonly read: string; readonly problem: string };

/**
 * Reads a duration: numbers with their units, "1h30m" or "1 hour 30 minutes", or a number of milliseconds.
 *
 * Units are ms, s, m, h, d (24 hours) and w (7 days), or words such as "sec", "minutes" and "hr", in capitals or not;
 * of several, each is smaller than the one before. Decimals ("1.5h") are exact and must come to whole milliseconds;
 * their mark is the point. Thousands may be grouped with "_" but not with ",", which may mean either.
 *
 * Refused: "1M" (minutes or months?), months and years (of no fixed length), and ISO 8601 ("PT1H30M").
 * @returns whole milliseconds, from 1 to 100 years.
 * @throws TidegateError INVALID_OPTION naming `field`, with what was read of a text that was understood in part.
 */
export function parseDuration(field: string, value: unknown): number {
  const reading = typeof value === "number" ? durationOf(value) : readDuration(value);
  if (reading.kind === "duration") return reading.milliseconds;
  if (reading.kind === "out-of-range") {
    throw optionError(field, `${EXPECTED}, from 1ms to 36500d in whole milliseconds`, value);
  }
  const { read, problem } = reading;
  throw optionError(
    field,
    EXPECTED,
    value,
    read === "" ? problem : `read ${show(read)}, but ${problem}`,
  );
}

function durationOf(milliseconds: number): DurationReading {
  const right =
    Number.isInteger(milliseconds) && milliseconds >= 1 && milliseconds <= MAX_DURATION_MS;
  return right ? { kind: "duration", milliseconds } : { kind: "out-of-range" };
}

function unread(read: string, problem: string): DurationReading {
  return { kind: "unread", read: read.trimEnd(), problem };
}

/** As many decimals as a text can have, so that sums of decimals are sums of integers. */
const SCALE = 10n ** BigInt(MAX_TEXT_LENGTH);
const PART = /(\d[\d.,_]*)\s*([a-zµμ]*)\s*/iy;

/** Reads the text of a duration, and says how far it was understood where it is none. */
export function readDuration(value: unknown): DurationReading {
  const text = typeof value === "string" ? value.trim() : "";
  if (text === "" || text.length > MAX_TEXT_LENGTH) return unread("", "");
  if (/^[+-]?p[\dt]/i.test(text)) {
    return unread("", 'ISO 8601 is not read: for "PT1H30M" write "1h30m"');
  }
  let scaledMs = 0n;
  let unitMsBefore = Number.POSITIVE_INFINITY;
  for (let at = 0; at < text.length; at = PART.lastIndex) {
    const before = text.slice(0, at);
    PART.lastIndex = at;
    const match = PART.exec(text);
    if (match === null) return unread(before, at === 0 ? "" : `not ${show(text.slice(at))}`);
    const [part, digits = "", unit = ""] = match;
    const number = digits.includes(",") ? undefined : readNumber(digits);
    if (number === undefined) return unread(before, problemOfNumber(digits));
    if (unit === "") return unread(before, at === 0 ? "" : `${show(digits)} has no unit`);
    const unitMs = unit === "M" ? undefined : UNIT_MS.get(unit.toLowerCase());
    if (unitMs === undefined) return unread(before + digits, problemOfUnit(unit));
    if (unitMs >= unitMsBefore) {
      const problem = "units go from the largest to the smallest, each once";
      return unread(before, `then ${show(part.trimEnd())}: ${problem}`);
    }
    unitMsBefore = unitMs;
    scaledMs += (number.digits * BigInt(unitMs) * SCALE) / 10n ** BigInt(number.decimals);
  }
  return scaledMs % SCALE === 0n ? durationOf(Number(scaledMs / SCALE)) : { kind: "out-of-range" };
}

function problemOfNumber(digits: string): string {
  if (!digits.includes(",")) return `${show(digits)} is no number`;
  return `${show(digits)} is ambiguous: the decimal mark is a point, thousands are written "1000" or "1_000"`;
}

function problemOfUnit(unit: string): string {
  if (unit === "M") return '"M" may be minutes or months: write "m" for minutes';
  return REFUSED.get(unit.toLowerCase()) ?? `${show(unit)} is no unit`;
}

const NUMBER = /^(?:\d+|[1-9]\d{0,2}(?:_\d{3})+|[1-9]\d{0,2}(?:,\d{3})+)(?:\.\d+)?$/;

/** A decimal number, exact: digits / 10^decimals. */
export interface DecimalNumber {
  readonly digits: bigint;
  readonly decimals: number;
}

/** Reads "1000", "1_000", "1,000" or "2.5"; anything else, "1,5" too, is undefined. */
export function readNumber(text: string): DecimalNumber | undefined {
  if (!NUMBER.test(text)) return undefined;
  const point = text.indexOf(".");
  return {
    digits: BigInt(text.replace(/[.,_]/g, "")),
    decimals: point < 0 ? 0 : text.length - point - 1,
  };
}

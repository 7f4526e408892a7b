// Reads durations and rates as people write them: "500ms", "1m", "10/s", "100/15m", "1/30d".

import { optionError } from "./options.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** The longest duration: 100 years of 365 days, in milliseconds. Microseconds then stay exact in a double. */
const MAX_DURATION_MS = 36_500 * 86_400_000;

const EXPECTED = 'a duration such as "500ms", "10s", "1m", "2h" or "1d"';

/**
 * Reads a duration: a whole number with ms, s, m, h or d, or a number of milliseconds.
 * @returns whole milliseconds, from 1 to 100 years.
 * @throws TidegateError INVALID_OPTION naming `field`.
 */
export function parseDuration(field: string, value: unknown): number {
  let milliseconds: number;
  if (typeof value === "number") {
    milliseconds = value;
  } else {
    const match =
      typeof value === "string" ? /^(\d{1,15}) ?(ms|s|m|h|d)$/.exec(value.trim()) : null;
    if (match === null) throw optionError(field, EXPECTED, value);
    milliseconds = Number(match[1]) * UNIT_MS[match[2]!]!;
  }
  if (!Number.isInteger(milliseconds) || milliseconds < 1 || milliseconds > MAX_DURATION_MS) {
    throw optionError(field, `${EXPECTED}, from 1ms to 36500d in whole milliseconds`, value);
  }
  return milliseconds;
}

/** So many units every so many microseconds. */
export interface Rate {
  readonly units: number;
  readonly periodUs: number;
}

/**
 * Reads a rate: whole units per duration, "10/s", "100/15m", "1/30d".
 * @throws TidegateError INVALID_OPTION naming `field`.
 */
export function parseRate(field: string, value: unknown): Rate {
  const match =
    typeof value === "string"
      ? /^(\d{1,13}) ?\/ ?(\d{0,13} ?(?:ms|s|m|h|d))$/.exec(value.trim())
      : null;
  const units = match === null ? 0 : Number(match[1]);
  if (match === null || units < 1) {
    throw optionError(field, 'a rate such as "10/s", "100/15m" or "1/30d" (whole units)', value);
  }
  const per = match[2]!;
  try {
    const milliseconds = parseDuration(field, /^\d/.test(per) ? per : `1${per}`);
    return { units, periodUs: milliseconds * 1_000 };
  } catch {
    throw optionError(
      field,
      'a rate over 1ms to 36500d, such as "10/s", "100/15m" or "1/30d"',
      value,
    );
  }
}

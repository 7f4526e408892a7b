// How durations, rates, limits and numbers are said to people.

import type { Limit } from "tidegate";

/** Says a duration, rounded up so that whoever waits that long has waited enough: "812 ms", "12.3 s", "2 m 5 s". */
export function sayDuration(milliseconds: number): string {
  if (milliseconds <= 999) return `${Math.ceil(milliseconds)} ms`;
  if (milliseconds < 60_000) {
    const tenths = Math.ceil(milliseconds / 100);
    if (tenths < 600) return `${tenths / 10} s`;
  }
  const seconds = Math.ceil(milliseconds / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3_600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "m"],
    [seconds % 60, "s"],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** Says a whole number with commas: "1,000". */
export function sayNumber(number: number): string {
  return number.toLocaleString("en-US");
}

/** Says a share: "5 %". */
export function sayPercent(share: number): string {
  return `${Number((100 * share).toPrecision(3))} %`;
}

const UNITS_US = [
  ["s", 1_000_000],
  ["m", 60_000_000],
  ["h", 3_600_000_000],
  ["d", 86_400_000_000],
] as const;

/** Says a limit: "100 at once, refilled at 10/s", "1,000 per month in Europe/Berlin", "5 in any 2s (soft)". */
export function sayLimit(limit: Limit): string {
  return `${sayRule(limit)}${limit.soft ? " (soft)" : ""}`;
}

function sayRule(limit: Limit): string {
  const count = sayNumber(limit.limit);
  switch (limit.algorithm) {
    case "token-bucket":
      return `${count} at once, refilled at ${sayRate(limit.units, limit.periodUs)}`;
    case "fixed-window":
      return `${count} per ${exactDuration(limit.windowUs)}`;
    case "sliding-window":
      return `about ${count} in any ${exactDuration(limit.windowUs)}`;
    case "sliding-log":
      return `${count} in any ${exactDuration(limit.windowUs)}`;
    case "leaky-bucket":
      return `${sayRate(limit.units, limit.periodUs)}, ${sayQueue(limit.limit - 1)} waiting`;
    case "calendar-window":
      return `${count} per ${limit.period} in ${limit.timeZone}`;
    case "concurrency":
      return `${count} at once, each held ${exactDuration(limit.windowUs)} at most`;
  }
}

function sayQueue(queue: number): string {
  return queue === 0 ? "none" : `up to ${sayNumber(queue)}`;
}

function sayRate(units: number, periodUs: number): string {
  for (const [unit, microseconds] of UNITS_US) {
    const count = (units * microseconds) / periodUs;
    if (count >= 1 && Number.isInteger(count)) return `${sayNumber(count)}/${unit}`;
  }
  return `${sayNumber(units)}/${exactDuration(periodUs)}`;
}

/** Writes whole milliseconds in the largest unit that needs no fraction. */
function exactDuration(microseconds: number): string {
  const found = UNITS_US.toReversed().find(([, length]) => microseconds % length === 0);
  return found === undefined
    ? `${microseconds / 1_000}ms`
    : `${microseconds / found[1]}${found[0]}`;
}

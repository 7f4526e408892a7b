// Reads rates as people write them: "10/s", "100/15m", "5 per minute". Where a rate is refused and another text would
// say the same, the message has that text.

import {
  type DecimalNumber,
  MAX_DURATION_MS,
  MAX_TEXT_LENGTH,
  readDuration,
  readNumber,
} from "./duration.ts";
import { optionError, show } from "./options.ts";

/** So many units every so many microseconds. */
export interface Rate {
  readonly units: number;
  readonly periodUs: number;
}

/** The most units of a rate. */
const MAX_RATE_UNITS = 9_999_999_999_999;

type RateReading =
  | { readonly kind: "rate"; readonly rate: Rate }
  | { readonly kind: "out-of-range" }
  | { readonly kind: "unread"; readonly remark: string };

/**
 * Reads a rate: whole units, "/" or "per", and a duration, of which a single unit may leave out its 1: "10/s",
 * "100/15m", "100/1h30m", "5 per minute", "5 per 10 minutes".
 *
 * Thousands may be grouped: "1,000/s", "1_000/s". A comma that does not stand before three digits ("1,5/s") is refused,
 * as are decimals: "2.5/s" is written "5/2s". Units have no name, since one request may cost several: "10rps",
 * "10r/s" and "10 requests per second" are refused with a hint to write "10/s".
 * @throws TidegateError INVALID_OPTION naming `field`, with what was read of a text that was understood in part.
 */
export function parseRate(field: string, value: unknown): Rate {
  const reading = readRate(value);
  if (reading.kind === "rate") return reading.rate;
  if (reading.kind === "out-of-range") {
    const expected =
      'a rate over 1ms to 36500d in whole milliseconds, such as "10/s", "100/15m" or "1/30d"';
    throw optionError(field, expected, value);
  }
  const expected = 'a rate such as "10/s", "100/15m" or "1/30d" (whole units)';
  throw optionError(field, expected, value, reading.remark);
}

function unread(remark: string): RateReading {
  return { kind: "unread", remark };
}

function readRate(value: unknown): RateReading {
  const text = typeof value === "string" ? value.trim() : "";
  const match =
    text.length > MAX_TEXT_LENGTH ? null : /^(\d[\d.,_]*)(?![\d.,_])\s*(.+)$/s.exec(text);
  if (match === null) return unread("");
  const [, amount = "", rest = ""] = match;
  const number = readNumber(amount);
  if (number === undefined) return unread(problemOfAmount(amount));
  const period = periodIn(rest);
  if (period === undefined) {
    return unread(`read ${amount}, but ${show(rest)} does not start with "/" or the word "per"`);
  }
  const { text: per, named } = period;
  if (per === "") return unread(`read ${amount}, but no duration after ${show(rest)}`);
  const reading = readDuration(/^[a-zµμ]+$/i.test(per) ? `1${per}` : per);
  if (reading.kind === "out-of-range") return reading;
  if (reading.kind === "unread") {
    const why = reading.problem === "" ? "" : `: ${reading.problem}`;
    return unread(`read ${amount} per ${show(per)}, which is no duration${why}`);
  }
  const { milliseconds } = reading;
  if (number.digits === 0n) return unread("");
  if (named || number.decimals > 0) {
    const problem = named ? "units have no name" : "units are whole";
    return unread(`${problem}${suggestion(number, milliseconds)}`);
  }
  if (number.digits > MAX_RATE_UNITS) return unread(`units are at most ${MAX_RATE_UNITS}`);
  return {
    kind: "rate",
    rate: { units: Number(number.digits), periodUs: milliseconds * 1_000 },
  };
}

function problemOfAmount(amount: string): string {
  const what = amount.includes(",") ? "ambiguous" : "no number";
  return `${show(amount)} is ${what}: thousands are written "1000", "1,000" or "1_000"`;
}

/** Finds the period after the units, and whether they were named, as in "10 requests per second", "10r/s", "10rps". */
function periodIn(rest: string): { text: string; named: boolean } | undefined {
  const match = /^([a-z]*?)\s*(?:\/|\bper(?![a-z_]))\s*(.*)$/is.exec(rest);
  if (match !== null) return { text: match[2]!, named: match[1] !== "" };
  const short = /^[a-z]p([smhd])$/i.exec(rest);
  return short === null ? undefined : { text: short[1]!.toLowerCase(), named: true };
}

const PERIODS: readonly (readonly [string, bigint])[] = [
  ["d", 86_400_000n],
  ["h", 3_600_000n],
  ["m", 60_000n],
  ["s", 1_000n],
  ["ms", 1n],
];

/** Words the same rate in whole units, or nothing where no rate is the same. */
function suggestion({ digits, decimals }: DecimalNumber, milliseconds: number): string {
  const scale = 10n ** BigInt(decimals);
  const common = greatestCommonDivisor(digits, scale);
  const units = digits / common;
  const periodMs = (scale / common) * BigInt(milliseconds);
  if (units > MAX_RATE_UNITS || periodMs > MAX_DURATION_MS) return "";
  const [unit, unitMs] = PERIODS.find(([, length]) => periodMs % length === 0n)!;
  return `: write "${units}/${periodMs === unitMs ? "" : periodMs / unitMs}${unit}"`;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  return b === 0n ? a : greatestCommonDivisor(b, a % b);
}

// Writes durations and rates in the many ways that people do, for the tests of what reads them.

import assert from "node:assert/strict";
import fc from "fast-check";
import { TidegateError } from "tidegate";

/** The units from the largest, with the words that mean them. */
export const UNITS: readonly { readonly unitMs: number; readonly words: readonly string[] }[] = [
  { unitMs: 604_800_000, words: ["w", "wk", "week", "weeks"] },
  { unitMs: 86_400_000, words: ["d", "day", "days"] },
  { unitMs: 3_600_000, words: ["h", "hr", "hrs", "hour", "hours"] },
  { unitMs: 60_000, words: ["m", "min", "mins", "minute", "minutes"] },
  { unitMs: 1_000, words: ["s", "sec", "secs", "second", "seconds"] },
  { unitMs: 1, words: ["ms", "msec", "millisecond", "milliseconds"] },
];

const lengthMs = fc.oneof(
  fc.integer({ min: 1, max: 100_000 }),
  fc.integer({ min: 1, max: 36_500 * 86_400_000 }),
);
const gap = fc.constantFrom("", " ", "  ");
const spelling = fc.record({ word: fc.nat(), capitals: fc.boolean(), gap, after: gap });
const spellings = fc.array(spelling, { minLength: UNITS.length, maxLength: UNITS.length });

function wordOf(words: readonly string[], { word, capitals }: { word: number; capitals: boolean }) {
  const chosen = words[word % words.length]!;
  return capitals && chosen !== "m" ? chosen.toUpperCase() : chosen;
}

/** A length in its largest units, "1d 2 hours 3ms"; `skip` leaves out units, whose share the next smaller one takes. */
const compound = fc.tuple(lengthMs, spellings, fc.nat(31)).map(([milliseconds, ways, skip]) => {
  let rest = milliseconds;
  const parts = UNITS.map(({ unitMs, words }, index) => {
    if (unitMs > 1 && (skip >> index) & 1) return "";
    const count = Math.floor(rest / unitMs);
    rest -= count * unitMs;
    const way = ways[index]!;
    return count === 0 ? "" : `${count}${way.gap}${wordOf(words, way)}${way.after}`;
  });
  return { milliseconds, text: parts.join("") };
});

const inSeconds = lengthMs.map((milliseconds) => {
  const digits = String(milliseconds).padStart(4, "0");
  return { milliseconds, text: `${digits.slice(0, -3)}.${digits.slice(-3)}s` };
});

const grouped = lengthMs.map((milliseconds) => ({
  milliseconds,
  text: `${String(milliseconds).replace(/\B(?=(\d{3})+$)/g, "_")} ms`,
}));

/** A length and a text that says it. */
export const spelledDuration = fc.oneof({ arbitrary: compound, weight: 3 }, inSeconds, grouped);

/** Texts out of the pieces that durations and rates are made of. */
export const nearlyRight = fc
  .array(
    fc.oneof(
      fc.constantFrom(..."0 1 10 1.5 1,5 1,000 1_000 . , _ - + / per rps requests".split(" ")),
      fc.constantFrom(..."ms s m h d w M sec minutes HOURS month y P PT".split(" ")),
      fc.constantFrom("", " ", "\n", "\u00a0", "µ", "١", "ſ"),
    ),
    { maxLength: 8 },
  )
  .map((pieces) => pieces.join(""));

/** Checks that `act` throws an INVALID_OPTION that names `field`, with this message where one is given. */
export function assertRefused(act: () => unknown, field: string, message?: string): void {
  assert.throws(act, (error) => {
    assert.ok(error instanceof TidegateError, String(error));
    assert.equal(error.code, "INVALID_OPTION");
    assert.equal(error.field, field);
    assert.ok(error.message.startsWith(`${field} must be `), error.message);
    if (message !== undefined) assert.equal(error.message, message);
    return true;
  });
}

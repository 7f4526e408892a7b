// Durations mean what people mean by them, or are refused with a hint; none is guessed at, and none is inexact.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseDuration } from "../../src/policy/duration.ts";
import { assertRefused, nearlyRight, spelledDuration, UNITS } from "./spellings.ts";

const MAX_MS = 36_500 * 86_400_000;
const EXPECTED = 'a duration such as "500ms", "10s", "1m", "2h" or "1d"';
const RANGE = `${EXPECTED}, from 1ms to 36500d in whole milliseconds`;
const CALENDAR =
  "months and years have no fixed length; the algorithm calendar-window counts by the calendar";
const ORDER = "units go from the largest to the smallest, each once";
const COMMA = 'the decimal mark is a point, thousands are written "1000" or "1_000"';
const ISO = 'ISO 8601 is not read: for "PT1H30M" write "1h30m"';

const right: [value: unknown, milliseconds: number][] = [
  ["1ms", 1],
  ["500ms", 500],
  ["10s", 10_000],
  ["1m", 60_000],
  ["15 m", 900_000],
  [" 2h ", 7_200_000],
  ["30d", 2_592_000_000],
  ["1w", 604_800_000],
  ["36500d", MAX_MS],
  ["007s", 7_000],
  [250, 250],
  [MAX_MS, MAX_MS],
  ["1h30m", 5_400_000],
  ["1h 30m", 5_400_000],
  ["1 h 30 m", 5_400_000],
  ["2d12h", 216_000_000],
  ["1m30s", 90_000],
  ["1m\t30s", 90_000],
  ["90m90s", 5_490_000],
  ["1h0m", 3_600_000],
  ["0h1ms", 1],
  ["1w1d1h1m1s1ms", 694_861_001],
  ["30 seconds", 30_000],
  ["1 minute", 60_000],
  ["2 hours", 7_200_000],
  ["90 sec", 90_000],
  ["5 min", 300_000],
  ["1 hr", 3_600_000],
  ["1 day", 86_400_000],
  ["1 week", 604_800_000],
  ["1 hour 30 minutes", 5_400_000],
  ["1hour30minutes", 5_400_000],
  ["5 msec", 5],
  ["1 Minute", 60_000],
  ["2 HOURS", 7_200_000],
  ["5MIN", 300_000],
  ["1H", 3_600_000],
  ["1S", 1_000],
  ["5MS", 5],
  ["1.5h", 5_400_000],
  ["0.5s", 500],
  ["0.001s", 1],
  ["1.500s", 1_500],
  ["0.0009765625d", 84_375],
  ["1h 1.5m", 3_690_000],
  ["1.5h 30m", 7_200_000],
  ["0.0005s 0.5ms", 1],
  // Doubles say 8279999.999999999 and 3960000.0000000005.
  ["2.3h", 8_280_000],
  ["1.1h", 3_960_000],
  ["1_000ms", 1_000],
  ["1_000_000s", 1_000_000_000],
];

for (const [value, milliseconds] of right) {
  test(`reads ${JSON.stringify(value)}`, () => {
    assert.equal(parseDuration("window", value), milliseconds);
  });
}

const wrong: [value: unknown, message: string][] = [
  ["", `${EXPECTED}, got ""`],
  ["1", `${EXPECTED}, got "1"`],
  ["s", `${EXPECTED}, got "s"`],
  ["-1s", `${EXPECTED}, got "-1s"`],
  ["+1s", `${EXPECTED}, got "+1s"`],
  [".5s", `${EXPECTED}, got ".5s"`],
  ["1:30", `${EXPECTED}, got "1:30"`],
  [null, `${EXPECTED}, got null`],
  [undefined, `${EXPECTED}, got undefined`],
  [{}, `${EXPECTED}, got {}`],
  [["1s"], `${EXPECTED}, got ["1s"]`],
  [5n, `${EXPECTED}, got 5n`],
  [0, `${RANGE}, got 0`],
  [-5, `${RANGE}, got -5`],
  [1.5, `${RANGE}, got 1.5`],
  [Number.POSITIVE_INFINITY, `${RANGE}, got Infinity`],
  [Number.NaN, `${RANGE}, got NaN`],
  [MAX_MS + 1, `${RANGE}, got 3153600000001`],
  ["0s", `${RANGE}, got "0s"`],
  ["36501d", `${RANGE}, got "36501d"`],
  ["36500d 1ms", `${RANGE}, got "36500d 1ms"`],
  ["1.5ms", `${RANGE}, got "1.5ms"`],
  ["0.0005s", `${RANGE}, got "0.0005s"`],
  ["0.3333333333m", `${RANGE}, got "0.3333333333m"`],
  ["99999999999999999999999999d", `${RANGE}, got "99999999999999999999999999d"`],
  [
    "1M",
    `${EXPECTED}, got "1M" (read "1", but "M" may be minutes or months: write "m" for minutes)`,
  ],
  [
    "1h 30M",
    `${EXPECTED}, got "1h 30M" (read "1h 30", but "M" may be minutes or months: write "m" for minutes)`,
  ],
  ["1 month", `${EXPECTED}, got "1 month" (read "1", but ${CALENDAR})`],
  ["1mo", `${EXPECTED}, got "1mo" (read "1", but ${CALENDAR})`],
  ["2Years", `${EXPECTED}, got "2Years" (read "2", but ${CALENDAR})`],
  ["1y6mo", `${EXPECTED}, got "1y6mo" (read "1", but ${CALENDAR})`],
  ["5us", `${EXPECTED}, got "5us" (read "5", but 1ms is the shortest)`],
  ["5 µs", `${EXPECTED}, got "5 µs" (read "5", but 1ms is the shortest)`],
  ["PT1H30M", `${EXPECTED}, got "PT1H30M" (${ISO})`],
  ["P1D", `${EXPECTED}, got "P1D" (${ISO})`],
  ["-pt5s", `${EXPECTED}, got "-pt5s" (${ISO})`],
  ["1x", `${EXPECTED}, got "1x" (read "1", but "x" is no unit)`],
  ["1e3s", `${EXPECTED}, got "1e3s" (read "1", but "e" is no unit)`],
  ["1h5 mintues", `${EXPECTED}, got "1h5 mintues" (read "1h5", but "mintues" is no unit)`],
  ["1constructor", `${EXPECTED}, got "1constructor" (read "1", but "constructor" is no unit)`],
  ["1h30", `${EXPECTED}, got "1h30" (read "1h", but "30" has no unit)`],
  ["1h-", `${EXPECTED}, got "1h-" (read "1h", but not "-")`],
  ["1h and 30m", `${EXPECTED}, got "1h and 30m" (read "1h", but not "and 30m")`],
  ["1s 1s", `${EXPECTED}, got "1s 1s" (read "1s", but then "1s": ${ORDER})`],
  ["30m 1 hour", `${EXPECTED}, got "30m 1 hour" (read "30m", but then "1 hour": ${ORDER})`],
  ["1,5h", `${EXPECTED}, got "1,5h" ("1,5" is ambiguous: ${COMMA})`],
  ["1,000ms", `${EXPECTED}, got "1,000ms" ("1,000" is ambiguous: ${COMMA})`],
  ["1d 1,5h", `${EXPECTED}, got "1d 1,5h" (read "1d", but "1,5" is ambiguous: ${COMMA})`],
  ["1.2.3s", `${EXPECTED}, got "1.2.3s" ("1.2.3" is no number)`],
  ["1.s", `${EXPECTED}, got "1.s" ("1." is no number)`],
  ["1_00s", `${EXPECTED}, got "1_00s" ("1_00" is no number)`],
  [`${"1".repeat(90)}s`, `${EXPECTED}, got "${"1".repeat(77)}..."`],
];

for (const [value, message] of wrong) {
  test(`refuses ${typeof value === "bigint" ? "5n" : (JSON.stringify(value) ?? "undefined")}: ${message}`, () => {
    assertRefused(() => parseDuration("window", value), "window", `window must be ${message}`);
  });
}

test("a length reads back however it is spelled", () => {
  fc.assert(
    fc.property(spelledDuration, ({ milliseconds, text }) => {
      assert.equal(parseDuration("window", text), milliseconds, text);
    }),
    { numRuns: 2_000 },
  );
});

test("decimals are exact, or refused", () => {
  const digits = fc.tuple(fc.nat(9_999), fc.stringMatching(/^\d{1,12}$/));
  fc.assert(
    fc.property(digits, fc.constantFrom(...UNITS), ([whole, fraction], { unitMs, words }) => {
      const text = `${whole}.${fraction}${words[0]}`;
      const scale = 10n ** BigInt(fraction.length);
      const scaled = BigInt(whole + fraction) * BigInt(unitMs);
      const milliseconds = Number(scaled / scale);
      if (scaled % scale === 0n && milliseconds >= 1 && milliseconds <= MAX_MS) {
        assert.equal(parseDuration("window", text), milliseconds, text);
      } else {
        const message = `window must be ${RANGE}, got "${text}"`;
        assertRefused(() => parseDuration("window", text), "window", message);
      }
    }),
    { numRuns: 2_000 },
  );
});

test("whatever is written is a whole number of milliseconds or refused", () => {
  fc.assert(
    fc.property(fc.oneof(nearlyRight, fc.string({ unit: "binary" }), fc.anything()), (value) => {
      let read: number;
      try {
        read = parseDuration("window", value);
      } catch {
        assertRefused(() => parseDuration("window", value), "window");
        return;
      }
      assert.ok(Number.isInteger(read) && read >= 1 && read <= MAX_MS);
    }),
    { numRuns: 3_000 },
  );
});

test("a text of a million characters is refused at once", () => {
  for (const part of ["1", "1h", " ", "1 ", "h", "1.", "1,000", "_", "1h ", "µ"]) {
    const text = `1${part.repeat(1_000_000)}x`;
    assertRefused(() => parseDuration("window", text), "window");
  }
});

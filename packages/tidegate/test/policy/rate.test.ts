// Rates mean what people mean by them, or are refused; where another text would say the same, the refusal has it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseRate } from "../../src/policy/rate.ts";
import { assertRefused, nearlyRight, spelledDuration } from "./spellings.ts";

const EXPECTED = 'a rate such as "10/s", "100/15m" or "1/30d" (whole units)';
const RANGE =
  'a rate over 1ms to 36500d in whole milliseconds, such as "10/s", "100/15m" or "1/30d"';
const THOUSANDS = 'thousands are written "1000", "1,000" or "1_000"';

const right: [text: string, units: number, periodMs: number][] = [
  ["10/s", 10, 1_000],
  ["100/15m", 100, 900_000],
  ["100 / 15m", 100, 900_000],
  ["1/30d", 1, 2_592_000_000],
  ["10/ms", 10, 1],
  ["1000000/s", 1_000_000, 1_000],
  ["9999999999999/1s", 9_999_999_999_999, 1_000],
  ["5 per minute", 5, 60_000],
  ["5 per 10 minutes", 5, 600_000],
  ["5 Per Minute", 5, 60_000],
  ["10 per s", 10, 1_000],
  ["5per10m", 5, 600_000],
  ["10/sec", 10, 1_000],
  ["10/second", 10, 1_000],
  ["10/S", 10, 1_000],
  ["100 / minute", 100, 60_000],
  ["1/w", 1, 604_800_000],
  ["100/1h30m", 100, 5_400_000],
  ["100 per 1 hour 30 minutes", 100, 5_400_000],
  ["10/1.5h", 10, 5_400_000],
  ["1,000/s", 1_000, 1_000],
  ["1_000/s", 1_000, 1_000],
  ["12,345,678 per day", 12_345_678, 86_400_000],
  ["1/1_000ms", 1, 1_000],
  ["007/s", 7, 1_000],
  ["  10/s\n", 10, 1_000],
];

for (const [text, units, periodMs] of right) {
  test(`reads ${JSON.stringify(text)}`, () => {
    assert.deepEqual(parseRate("refill", text), { units, periodUs: periodMs * 1_000 });
  });
}

const wrong: [value: unknown, message: string][] = [
  ["", `${EXPECTED}, got ""`],
  ["10", `${EXPECTED}, got "10"`],
  ["/s", `${EXPECTED}, got "/s"`],
  ["-1/s", `${EXPECTED}, got "-1/s"`],
  ["0/s", `${EXPECTED}, got "0/s"`],
  ["0.0/s", `${EXPECTED}, got "0.0/s"`],
  [10, `${EXPECTED}, got 10`],
  [undefined, `${EXPECTED}, got undefined`],
  [["10/s"], `${EXPECTED}, got ["10/s"]`],
  ["10/0s", `${RANGE}, got "10/0s"`],
  ["10/1.5ms", `${RANGE}, got "10/1.5ms"`],
  ["10/36501d", `${RANGE}, got "10/36501d"`],
  ["10/", `${EXPECTED}, got "10/" (read 10, but no duration after "/")`],
  ["10 per", `${EXPECTED}, got "10 per" (read 10, but no duration after "per")`],
  ["10/x", `${EXPECTED}, got "10/x" (read 10 per "x", which is no duration: "x" is no unit)`],
  [
    "10/1.5x",
    `${EXPECTED}, got "10/1.5x" (read 10 per "1.5x", which is no duration: "x" is no unit)`,
  ],
  ["10/5", `${EXPECTED}, got "10/5" (read 10 per "5", which is no duration)`],
  ["1/s/s", `${EXPECTED}, got "1/s/s" (read 1 per "s/s", which is no duration)`],
  ["10/h30m", `${EXPECTED}, got "10/h30m" (read 10 per "h30m", which is no duration)`],
  [
    "10/M",
    `${EXPECTED}, got "10/M" (read 10 per "M", which is no duration: ` +
      '"M" may be minutes or months: write "m" for minutes)',
  ],
  [
    "100 per month",
    `${EXPECTED}, got "100 per month" (read 100 per "month", which is no duration: months and years ` +
      "have no fixed length; the algorithm calendar-window counts by the calendar)",
  ],
  [
    "10/PT1M",
    `${EXPECTED}, got "10/PT1M" (read 10 per "PT1M", which is no duration: ` +
      'ISO 8601 is not read: for "PT1H30M" write "1h30m")',
  ],
  ["10x", `${EXPECTED}, got "10x" (read 10, but "x" does not start with "/" or the word "per")`],
  [
    "1 000/s",
    `${EXPECTED}, got "1 000/s" (read 1, but "000/s" does not start with "/" or the word "per")`,
  ],
  ["1,5/s", `${EXPECTED}, got "1,5/s" ("1,5" is ambiguous: ${THOUSANDS})`],
  ["0,100/s", `${EXPECTED}, got "0,100/s" ("0,100" is ambiguous: ${THOUSANDS})`],
  ["10,00/s", `${EXPECTED}, got "10,00/s" ("10,00" is ambiguous: ${THOUSANDS})`],
  ["1,000_000/s", `${EXPECTED}, got "1,000_000/s" ("1,000_000" is ambiguous: ${THOUSANDS})`],
  ["1_00/s", `${EXPECTED}, got "1_00/s" ("1_00" is no number: ${THOUSANDS})`],
  ["1.000.000/s", `${EXPECTED}, got "1.000.000/s" ("1.000.000" is no number: ${THOUSANDS})`],
  ["2.5/s", `${EXPECTED}, got "2.5/s" (units are whole: write "5/2s")`],
  ["0.5/s", `${EXPECTED}, got "0.5/s" (units are whole: write "1/2s")`],
  ["2.0 per minute", `${EXPECTED}, got "2.0 per minute" (units are whole: write "2/m")`],
  ["2.5/1h30m", `${EXPECTED}, got "2.5/1h30m" (units are whole: write "5/3h")`],
  ["0.1/36500d", `${EXPECTED}, got "0.1/36500d" (units are whole)`],
  ["10rps", `${EXPECTED}, got "10rps" (units have no name: write "10/s")`],
  ["1,000 RPM", `${EXPECTED}, got "1,000 RPM" (units have no name: write "1000/m")`],
  ["10r/s", `${EXPECTED}, got "10r/s" (units have no name: write "10/s")`],
  [
    "10 requests per 2 minutes",
    `${EXPECTED}, got "10 requests per 2 minutes" (units have no name: write "10/2m")`,
  ],
  ["1.5 req/s", `${EXPECTED}, got "1.5 req/s" (units have no name: write "3/2s")`],
  ["10000000000000/s", `${EXPECTED}, got "10000000000000/s" (units are at most 9999999999999)`],
];

for (const [value, message] of wrong) {
  test(`refuses ${JSON.stringify(value) ?? "undefined"}: ${message}`, () => {
    assertRefused(() => parseRate("refill", value), "refill", `refill must be ${message}`);
  });
}

const separator = fc.constantFrom("/", " / ", " per ", " PER ");

test("a rate reads back however it is spelled", () => {
  const amount = fc.tuple(
    fc.integer({ min: 1, max: 9_999_999_999_999 }),
    fc.constantFrom("", ",", "_"),
  );
  fc.assert(
    fc.property(
      amount,
      separator,
      spelledDuration,
      ([units, mark], per, { milliseconds, text }) => {
        const written = String(units).replace(/\B(?=(\d{3})+$)/g, mark) + per + text;
        fc.pre(written.length <= 80);
        const read = parseRate("refill", written);
        assert.deepEqual(read, { units, periodUs: milliseconds * 1_000 }, written);
      },
    ),
    { numRuns: 2_000 },
  );
});

test("what a refusal says to write is the same rate", () => {
  const amount = fc.tuple(fc.integer({ min: 1, max: 9_999 }), fc.stringMatching(/^\d{1,4}$/));
  const periodMs = fc.integer({ min: 1, max: 100_000_000 });
  fc.assert(
    fc.property(amount, separator, periodMs, ([whole, fraction], per, milliseconds) => {
      let hint: string | undefined;
      try {
        parseRate("refill", `${whole}.${fraction}${per}${milliseconds}ms`);
      } catch (error) {
        hint = /write "(.*)"\)$/.exec((error as Error).message)?.[1];
      }
      const { units, periodUs } = parseRate("refill", hint);
      const scale = 10n ** BigInt(fraction.length);
      // units / period = digits / scale / milliseconds, without a division.
      const left = BigInt(units) * scale * BigInt(milliseconds) * 1_000n;
      assert.equal(left, BigInt(whole + fraction) * BigInt(periodUs), hint);
    }),
  );
});

test("whatever is written is a rate or refused", () => {
  fc.assert(
    fc.property(fc.oneof(nearlyRight, fc.string({ unit: "binary" }), fc.anything()), (value) => {
      let read: { units: number; periodUs: number };
      try {
        read = parseRate("refill", value);
      } catch {
        assertRefused(() => parseRate("refill", value), "refill");
        return;
      }
      assert.ok(Number.isInteger(read.units) && read.units >= 1);
      assert.ok(Number.isInteger(read.periodUs) && read.periodUs >= 1_000);
    }),
    { numRuns: 3_000 },
  );
});

test("a text of a million characters is refused at once", () => {
  for (const part of ["1", "1/", " ", "/ ", "s", " per ", "1,000", "_", "r"]) {
    assertRefused(() => parseRate("refill", `1${part.repeat(1_000_000)}x`), "refill");
  }
});

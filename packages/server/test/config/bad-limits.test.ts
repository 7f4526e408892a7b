// Every way in which a limit can be wrong, with the exact message and the place that it names.

import assert from "node:assert/strict";
import { test } from "node:test";
import { load, refused } from "./support.ts";

const DURATION = 'a duration such as "500ms", "10s", "1m", "2h" or "1d"';
const WITH_UNIT = 'a duration with its unit, such as "500ms", "10s", "1m", "2h" or "1d"';
const NAME = '1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit';
const RATE = 'a rate such as "10/s", "100/15m" or "1/30d" (whole units)';
const LIMIT = "{ algorithm: token-bucket, capacity: 100, refill: 10/s }";
const ALGORITHMS =
  "token-bucket, fixed-window, sliding-window, sliding-log, leaky-bucket, calendar-window, concurrency or burst";

/** A file with one limit, at line 1, column 28. */
const limit = (text: string) => `policies: { api: { limits: [${text}] } }\n`;
const L = "policies.api.limits[0]";

const cases: readonly (readonly [string, string, ...string[]])[] = [
  ["limit a text", limit("100/s"), `1:29: ${L} must be a map such as ${LIMIT}, got a text`],
  [
    "algorithm missing",
    limit("{ limit: 1, window: 1s }"),
    `1:29: ${L}.algorithm is missing: write ${ALGORITHMS}`,
  ],
  [
    "algorithm misspelt",
    limit("{ algorithm: fixed-windw, limit: 1, window: 1s }"),
    `1:42: ${L}.algorithm must be ${ALGORITHMS}, got "fixed-windw"; did you mean fixed-window?`,
  ],
  [
    "algorithm of the future",
    limit("{ algorithm: adaptive, limit: 1, window: 1s }"),
    `1:42: ${L}.algorithm must be ${ALGORITHMS}, got "adaptive"`,
  ],
  [
    "capacity 0",
    limit("{ algorithm: token-bucket, capacity: 0, refill: 1/s }"),
    `1:66: ${L}.capacity must be a positive integer, got 0`,
  ],
  [
    "capacity -1",
    limit("{ algorithm: token-bucket, capacity: -1, refill: 1/s }"),
    `1:66: ${L}.capacity must be a positive integer, got -1`,
  ],
  [
    "capacity 1.5",
    limit("{ algorithm: token-bucket, capacity: 1.5, refill: 1/s }"),
    `1:66: ${L}.capacity must be a positive integer, got 1.5`,
  ],
  [
    "capacity a text",
    limit('{ algorithm: token-bucket, capacity: "9", refill: 1/s }'),
    `1:66: ${L}.capacity must be a positive integer, got "9"`,
  ],
  [
    "capacity with underscores",
    limit("{ algorithm: token-bucket, capacity: 1_000, refill: 1/s }"),
    `1:66: ${L}.capacity must be a positive integer, got "1_000"`,
  ],
  [
    "capacity infinite",
    limit("{ algorithm: token-bucket, capacity: .inf, refill: 1/s }"),
    `1:66: ${L}.capacity must be a positive integer, got Infinity`,
  ],
  [
    "capacity too high",
    limit("{ algorithm: token-bucket, capacity: 1000000001, refill: 1/s }"),
    `1:66: ${L}.capacity must be at most 1000000000, got 1000000001`,
  ],
  [
    "refill a number",
    limit("{ algorithm: token-bucket, capacity: 1, refill: 10 }"),
    `1:77: ${L}.refill must be ${RATE}, got 10`,
  ],
  [
    "refill of none",
    limit("{ algorithm: token-bucket, capacity: 1, refill: 0/s }"),
    `1:77: ${L}.refill must be ${RATE}, got "0/s"`,
  ],
  [
    "refill too slow",
    limit("{ algorithm: token-bucket, capacity: 2, refill: 1/36500d }"),
    `1:77: ${L}.refill must fill the capacity of 2 within 36500d, got "1/36500d"`,
  ],
  [
    "a bucket's both missing",
    limit("{ algorithm: token-bucket }"),
    `1:29: ${L}.capacity is missing: write how many units it holds, such as capacity: 100`,
    `1:29: ${L}.refill is missing: write how fast units come back, such as refill: 10/s`,
  ],
  [
    "a window's both missing",
    limit("{ algorithm: fixed-window }"),
    `1:29: ${L}.limit is missing: write how many units a window admits, such as limit: 1000`,
    `1:29: ${L}.window is missing: write how long a window is, such as window: 1m`,
  ],
  [
    "window without unit",
    limit("{ algorithm: fixed-window, limit: 1, window: 60 }"),
    `1:74: ${L}.window must be ${WITH_UNIT}, got 60`,
  ],
  [
    "window of nothing",
    limit("{ algorithm: fixed-window, limit: 1, window: 0s }"),
    `1:74: ${L}.window must be ${DURATION}, from 1ms to 36500d in whole milliseconds, got "0s"`,
  ],
  [
    "another algorithm's key",
    limit("{ algorithm: token-bucket, capacity: 1, refill: 1/s, window: 1s }"),
    `1:82: unknown key ${L}.window; known are algorithm, capacity, refill, soft, name`,
  ],
  [
    "limit's name",
    limit("{ algorithm: fixed-window, limit: 1, window: 1s, name: a/b }"),
    `1:84: ${L}.name must be ${NAME}, got "a/b"`,
  ],
  [
    "several at once",
    limit("{ algorithm: token-bucket, capacty: 1, refill: 1 }"),
    `1:29: ${L}.capacity is missing: write how many units it holds, such as capacity: 100`,
    `1:56: unknown key ${L}.capacty; did you mean capacity?`,
    `1:76: ${L}.refill must be ${RATE}, got 1`,
  ],
  [
    "unknown key of an unknown algorithm",
    limit("{ algorithm: x, quueu: 1 }"),
    `1:42: ${L}.algorithm must be ${ALGORITHMS}, got "x"`,
    `1:45: unknown key ${L}.quueu; did you mean queue?`,
  ],
  [
    "soft a text",
    limit('{ algorithm: sliding-log, limit: 1, window: 1s, soft: "yes" }'),
    `1:83: ${L}.soft must be true or false, got "yes"`,
  ],
  [
    "soft nothing",
    limit("{ algorithm: sliding-window, limit: 1, window: 1s, soft: }"),
    `1:86: ${L}.soft must be true or false, got nothing`,
  ],
  [
    "a log too long",
    limit("{ algorithm: sliding-log, limit: 1000001, window: 1s }"),
    `1:62: ${L}.limit must be at most 1000000, since every unit may take memory of its own ` +
      "(slidingWindow() counts), got 1000001",
  ],
  [
    "a leaky bucket's both missing",
    limit("{ algorithm: leaky-bucket }"),
    `1:29: ${L}.rate is missing: write how fast requests may go, such as rate: 10/s`,
    `1:29: ${L}.queue is missing: write how many may wait, such as queue: 50`,
  ],
  [
    "a leaky bucket's both wrong",
    limit("{ algorithm: leaky-bucket, rate: 10, queue: -1 }"),
    `1:62: ${L}.rate must be ${RATE}, got 10`,
    `1:73: ${L}.queue must be a whole number from 0 to 999999999, got -1`,
  ],
  [
    "a soft leaky bucket",
    limit("{ algorithm: leaky-bucket, rate: 10/s, queue: 1, soft: true }"),
    `1:78: unknown key ${L}.soft; known are algorithm, rate, queue, name`,
  ],
  [
    "a queue that takes too long",
    limit("{ algorithm: leaky-bucket, rate: 1/36500d, queue: 2 }"),
    `1:62: ${L}.rate must fill a queue of 2 within 36500d, got "1/36500d"`,
  ],
  [
    "a calendar's period and time zone",
    limit("{ algorithm: calendar-window, limit: 1, per: moth, timeZone: Europe/Berln }"),
    `1:74: ${L}.per must be day, week or month, got "moth"; did you mean month?`,
    `1:90: ${L}.timeZone must be a time zone such as "Europe/Berlin" or "UTC", got "Europe/Berln"`,
  ],
  [
    "a calendar's both missing",
    limit("{ algorithm: calendar-window }"),
    `1:29: ${L}.limit is missing: write how many units a window admits, such as limit: 1000`,
    `1:29: ${L}.per is missing: write day, week or month`,
  ],
  [
    "a lease without unit",
    limit("{ algorithm: concurrency, limit: 3, lease: 30 }"),
    `1:72: ${L}.lease must be ${WITH_UNIT}, got 30`,
  ],
  [
    "permits' both missing",
    limit("{ algorithm: concurrency }"),
    `1:29: ${L}.limit is missing: write how many may be held at once, such as limit: 3`,
    `1:29: ${L}.lease is missing: write how long each is held at most, such as lease: 30s`,
  ],
  [
    "a burst's all missing",
    limit("{ algorithm: burst }"),
    `1:29: ${L}.rate is missing: write the rate in the long run, such as rate: 100/s`,
    `1:29: ${L}.upTo is missing: write the rate of a burst, such as upTo: 150/s`,
    `1:29: ${L}.for is missing: write how long a burst may last, such as for: 5s`,
  ],
  [
    "a burst below its rate",
    limit("{ algorithm: burst, rate: 100/s, upTo: 100/s, for: 5s }"),
    `1:68: ${L}.upTo must be a rate above 100/s, got "100/s"`,
  ],
  [
    "a burst's all wrong",
    limit("{ algorithm: burst, rate: 100, upTo: x, for: 5 }"),
    `1:55: ${L}.rate must be ${RATE}, got 100`,
    `1:66: ${L}.upTo must be ${RATE}, got "x"`,
    `1:74: ${L}.for must be ${WITH_UNIT}, got 5`,
  ],
  [
    "bursts that make nine",
    limit(
      Array(4).fill("{ algorithm: burst, rate: 1/s, upTo: 2/s, for: 5s }").join(", ") +
        `, ${LIMIT}`,
    ),
    `1:28: policies.api.limits must be a list of 1 to 8 limits such as [${LIMIT}], got 9 of them, a burst being two`,
  ],
];

for (const [name, text, ...expected] of cases) {
  test(`refuses: ${name}`, async () => {
    const problems = refused(await load(text));
    assert.deepEqual(
      problems,
      expected.map((line) => `tidegate.yaml:${line}`),
    );
  });
}

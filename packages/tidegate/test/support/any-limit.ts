// Random limits of every algorithm, for properties that hold of all of them.

import fc from "fast-check";
import {
  calendarWindow,
  concurrency,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";

/** An algorithm's name in configuration. */
export type Algorithm = Limit["algorithm"];

const unitsArbitrary = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 12 }), weight: 6 },
  { arbitrary: fc.integer({ min: 13, max: 1_000_000 }), weight: 1 },
);

/** Windows in milliseconds, many of which no rate divides. */
const windowArbitrary = fc.oneof(
  fc.constantFrom(1, 1_000, 60_000, 3_600_000, 86_400_000),
  fc.integer({ min: 1, max: 100_000 }),
);

const softArbitrary = (soft: boolean | undefined) =>
  soft === undefined
    ? fc.oneof(
        { arbitrary: fc.constant(false), weight: 4 },
        { arbitrary: fc.constant(true), weight: 1 },
      )
    : fc.constant(soft);

/** Rates at which a bucket is full again within a month. */
const rateArbitrary = fc
  .record({
    capacity: unitsArbitrary,
    units: fc.constantFrom(1, 2, 3, 7, 100, 999_983),
    periodMs: windowArbitrary,
  })
  .filter(({ capacity, units, periodMs }) => (capacity / units) * periodMs <= 30 * 86_400_000);

function windowsArbitrary(soft: boolean | undefined) {
  return fc.record({ limit: unitsArbitrary, window: windowArbitrary, soft: softArbitrary(soft) });
}

/** Time zones whose days have 23, 23.5, 24, 24.5 and 25 hours. */
export const ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"] as const;

/**
 * Creates arbitraries of limits by algorithm.
 * @param soft whether they are soft, where they can be; left out, some are.
 */
export function limitArbitraries(soft?: boolean): Readonly<Record<Algorithm, fc.Arbitrary<Limit>>> {
  return {
    "token-bucket": fc
      .tuple(rateArbitrary, softArbitrary(soft))
      .map(([{ capacity, units, periodMs }, isSoft]) => {
        return tokenBucket({ capacity, refill: `${units}/${periodMs}ms`, soft: isSoft });
      }),
    "leaky-bucket": rateArbitrary.map(({ capacity, units, periodMs }) => {
      return leakyBucket({ queue: capacity - 1, rate: `${units}/${periodMs}ms` });
    }),
    "fixed-window": windowsArbitrary(soft).map((rule) => fixedWindow(rule)),
    "sliding-window": windowsArbitrary(soft).map((rule) => slidingWindow(rule)),
    "sliding-log": windowsArbitrary(soft).map((rule) => slidingLog(rule)),
    "calendar-window": fc
      .record({
        limit: unitsArbitrary,
        per: fc.constantFrom("day", "week", "month"),
        timeZone: fc.constantFrom(...ZONES),
        soft: softArbitrary(soft),
      })
      .map((rule) => calendarWindow(rule)),
    concurrency: fc
      .record({ limit: unitsArbitrary, lease: windowArbitrary })
      .map((rule) => concurrency(rule)),
  };
}

/** Every algorithm. */
export const ALGORITHMS = Object.keys(limitArbitraries()) as readonly Algorithm[];

/** Those that can be soft, and give back what was taken. */
export const COUNTING: readonly Algorithm[] = ALGORITHMS.filter((name) => {
  return name !== "leaky-bucket" && name !== "concurrency";
});

/** A hard limit of any algorithm. */
export const hardLimit: fc.Arbitrary<Limit> = fc.oneof(...Object.values(limitArbitraries(false)));

/** A hard limit of any algorithm that is checked, and not acquired. */
export const checkedLimit: fc.Arbitrary<Limit> = hardLimit.filter(
  ({ algorithm }) => algorithm !== "concurrency",
);

// A bucket in exact integers, the oracle of token and leaky buckets, and the rules that they are tried with.

import fc from "fast-check";

/** A bucket of `capacity` units, of which `units` come back every `periodMs`. */
export interface Rule {
  readonly capacity: number;
  readonly units: number;
  readonly periodMs: number;
}

/** The products that a bucket's arithmetic must keep exact, and the longest time to fill. */
const MAX_PRODUCT = 2 ** 52;
const MAX_FILL_MS = 36_500 * 86_400_000;

function isAccepted({ capacity, units, periodMs }: Rule): boolean {
  return capacity * units <= MAX_PRODUCT && (capacity * periodMs) / units <= MAX_FILL_MS;
}

/** Rules as people write them, and some of any kind. */
export const ruleArbitrary: fc.Arbitrary<Rule> = fc
  .record({
    capacity: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 1_000_000 })),
    units: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constantFrom(999_983, 1_000_000)),
    periodMs: fc.oneof(
      fc.constantFrom(1, 1_000, 60_000, 3_600_000, 2_592_000_000),
      fc.integer({ min: 1, max: 100_000 }),
    ),
  })
  .filter(isAccepted);

/** Rules whose numbers are as large as they may be: a billion units, a century to fill, millions of units a tick. */
export const largeRuleArbitrary: fc.Arbitrary<Rule> = fc
  .record({
    capacity: fc.oneof(fc.constant(1_000_000_000), fc.integer({ min: 1, max: 1_000_000_000 })),
    units: fc.oneof(
      fc.integer({ min: 1, max: 4_503_599 }),
      fc.constantFrom(3, 7, 4_503_599, 999_999_999_989, 9_999_999_999_999),
    ),
    periodMs: fc.oneof(
      fc.constantFrom(1, 3, 1_000, 86_400_000, MAX_FILL_MS),
      fc.integer({ min: 1, max: MAX_FILL_MS }),
    ),
  })
  .filter(isAccepted);

/** An instant in microseconds, times the units of the rate. */
export type Scaled = bigint;

/** The oracle: the theoretical arrival time of GCRA, scaled so that one unit takes `period`. */
export function createBucketOracle({ capacity, units, periodMs }: Rule) {
  const perUs = BigInt(units);
  const period = BigInt(periodMs) * 1_000n;
  const full = BigInt(capacity) * period;
  let arrival: Scaled = 0n;
  const excessAt = (nowUs: number) => {
    const excess = arrival - BigInt(nowUs) * perUs;
    return excess > 0n ? excess : 0n;
  };
  return {
    perUs,
    period,
    /** Takes `cost` units where they are there, and returns when they go. */
    take(nowUs: number, cost: number): Scaled | undefined {
      const excess = excessAt(nowUs);
      if (cost > 0 && excess + BigInt(cost) * period > full) return undefined;
      const goes = BigInt(nowUs) * perUs + excess;
      if (cost > 0) arrival = goes + BigInt(cost) * period;
      return goes;
    },
    remaining: (nowUs: number) => Number((full - excessAt(nowUs)) / period),
    resetAfterMs: (nowUs: number) => Number(ceilDivide(excessAt(nowUs), perUs * 1_000n)),
    /** Milliseconds from an instant until another, rounded up. */
    msUntil: (goes: Scaled, nowUs: number) => {
      return Number(ceilDivide(goes - BigInt(nowUs) * perUs, perUs * 1_000n));
    },
  };
}

/** Divides what is not negative, rounding up. */
export function ceilDivide(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

// Random histories of everything that a store does, for tests that hold two stores equal: policies of all algorithms
// mixed, changed limits, steps of the clock, batches, reservations, permits, ids, leases, and limiters that begin anew.

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
import { createPolicy, type Policy } from "../../packages/tidegate/src/policy/policy.ts";

/** One step of a history. */
export interface Step {
  readonly gapUs: number;
  readonly act: Act;
  readonly key: string;
  readonly cost: number;
  /** Which of the history's policies decides: mostly the first, now and then the limit has been changed. */
  readonly policy: number;
  /** Which of the ids, reservations or permits is meant. */
  readonly id: number;
  /** For "every" and "whole": the parts besides. */
  readonly others: readonly { readonly key: string; readonly cost: number }[];
}

export type Act =
  | "check"
  | "peek"
  | "reset"
  | "refund"
  | "named"
  | "every"
  | "undo"
  | "whole"
  | "again"
  | "borrow"
  | "restart"
  | "reserve"
  | "settle"
  | "acquire"
  | "release"
  | "extend";

export interface History {
  /** Definitions of one policy, which it has one after the other. */
  readonly policies: readonly Policy[];
  /** Another policy, whose checks go out in the same script calls. */
  readonly other: Policy;
  readonly steps: readonly Step[];
}

const capacityArbitrary = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 20 }), weight: 4 },
  { arbitrary: fc.constantFrom(1_000, 1_000_000), weight: 1 },
);
const windowArbitrary = fc.constantFrom("10ms", "1s", "7s", "1m", "1h");
const rateArbitrary = fc
  .record({
    capacity: capacityArbitrary,
    units: fc.constantFrom(1, 2, 3, 7, 10, 100, 1_000_000),
    per: fc.constantFrom("1s", "1s", "7s", "1m", "1h", "30d", "13ms"),
  })
  .filter(({ capacity, units, per }) => !/[hd]$/.test(per) || capacity <= 1_000 * units);
const softArbitrary = fc.oneof(
  { arbitrary: fc.constant(false), weight: 5 },
  { arbitrary: fc.constant(true), weight: 1 },
);
const windowRuleArbitrary = fc.record({
  limit: capacityArbitrary,
  window: windowArbitrary,
  soft: softArbitrary,
});

/** The limits of each algorithm by its name in configuration. */
export const LIMIT_ARBITRARIES = {
  "token-bucket": fc.tuple(rateArbitrary, softArbitrary).map(([{ capacity, units, per }, soft]) => {
    return tokenBucket({ capacity, refill: `${units}/${per}`, soft });
  }),
  "leaky-bucket": rateArbitrary.map(({ capacity, units, per }) => {
    return leakyBucket({ queue: capacity - 1, rate: `${units}/${per}` });
  }),
  "fixed-window": windowRuleArbitrary.map((rule) => fixedWindow(rule)),
  "sliding-window": windowRuleArbitrary.map((rule) => slidingWindow(rule)),
  "sliding-log": windowRuleArbitrary.map((rule) => slidingLog(rule)),
  "calendar-window": fc
    .record({
      limit: capacityArbitrary,
      per: fc.constantFrom("day", "week", "month"),
      timeZone: fc.constantFrom("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu"),
      soft: softArbitrary,
    })
    .map((rule) => calendarWindow(rule)),
  concurrency: fc
    .record({ limit: capacityArbitrary, lease: windowArbitrary })
    .map((rule) => concurrency(rule)),
} as const satisfies Record<Limit["algorithm"], fc.Arbitrary<Limit>>;

export const ALGORITHMS = Object.keys(LIMIT_ARBITRARIES) as Limit["algorithm"][];

const NOT_HELD = ALGORITHMS.filter((algorithm) => algorithm !== "concurrency");

/** Limits of any algorithm but permits, which are acquired and not checked. */
const checkedLimit: fc.Arbitrary<Limit> = fc.oneof(
  ...NOT_HELD.map((algorithm): fc.Arbitrary<Limit> => LIMIT_ARBITRARIES[algorithm]),
);

function policyArbitrary(name: string, limits: fc.Arbitrary<Limit[]>): fc.Arbitrary<Policy> {
  return fc
    .tuple(
      limits,
      fc.oneof(
        { arbitrary: fc.constant(false), weight: 9 },
        { arbitrary: fc.constant(true), weight: 1 },
      ),
    )
    .map(([list, shadow]) => createPolicy(name, { limits: list, shadow, idTtl: "5s" }));
}

const gapArbitrary = fc.oneof(
  { arbitrary: fc.constant(0), weight: 3 },
  { arbitrary: fc.integer({ min: 1, max: 2_000 }), weight: 2 },
  { arbitrary: fc.integer({ min: 1_000, max: 2_000_000 }), weight: 4 },
  { arbitrary: fc.integer({ min: 1_000_000, max: 7_200_000_000 }), weight: 1 },
  { arbitrary: fc.integer({ min: 1, max: 40 * 86_400_000_000 }), weight: 1 },
  { arbitrary: fc.integer({ min: -2_000_000, max: -1 }), weight: 1 },
  { arbitrary: fc.integer({ min: -7_200_000_000, max: -2_000_000 }), weight: 1 },
);

const keyArbitrary = fc.constantFrom("a", "b");
const costArbitrary = fc.oneof(
  { arbitrary: fc.constant(1), weight: 4 },
  { arbitrary: fc.integer({ min: 0, max: 25 }), weight: 3 },
  { arbitrary: fc.constantFrom(999, 1_000_000, 1_000_000_000), weight: 1 },
);

const CHECKED_ACTS: readonly Act[] = [
  ...(["check", "check", "check", "check", "peek", "reset", "refund", "named"] as const),
  ...(["every", "undo", "reserve", "settle", "settle"] as const),
];
const HELD_ACTS: readonly Act[] = [
  ...(["acquire", "acquire", "acquire", "release", "extend", "peek", "reset"] as const),
];
/** Those that seeds of before do not know. */
const LIMITER_ACTS: readonly Act[] = [
  ...(["restart", "whole", "whole", "again", "borrow", "borrow", "borrow", "borrow"] as const),
];

function stepsArbitrary(acts: readonly Act[]): fc.Arbitrary<Step[]> {
  return fc.array(
    fc.record({
      gapUs: gapArbitrary,
      act: fc.constantFrom(...acts),
      key: keyArbitrary,
      cost: costArbitrary,
      policy: fc.oneof(
        { arbitrary: fc.constant(0), weight: 6 },
        { arbitrary: fc.nat(2), weight: 1 },
      ),
      id: fc.nat(3),
      others: fc.array(fc.record({ key: keyArbitrary, cost: costArbitrary }), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 25 },
  );
}

/**
 * Histories of policies with an algorithm among their limits, mixed with others or alone.
 * @param restarts whether limiters begin anew meanwhile, repeat what they decided as one, and borrow.
 */
export function historyArbitrary(
  algorithm: Limit["algorithm"],
  restarts: boolean,
): fc.Arbitrary<History> {
  const own: fc.Arbitrary<Limit> = LIMIT_ARBITRARIES[algorithm];
  const held = algorithm === "concurrency";
  const alone = own.map((limit) => [limit]);
  const mixed = fc
    .tuple(own, fc.array(checkedLimit, { maxLength: 2 }), fc.nat(2))
    .map(([limit, rest, at]) => [...rest.slice(0, at), limit, ...rest.slice(at)]);
  const acts = held ? HELD_ACTS : CHECKED_ACTS;
  const restart: readonly Act[] = held ? ["restart"] : LIMITER_ACTS;
  const changed = held ? mixed : fc.array(checkedLimit, { minLength: 1, maxLength: 3 });
  return fc.record({
    policies: fc.tuple(
      policyArbitrary("api", fc.oneof(alone, mixed)),
      policyArbitrary("api", changed),
      policyArbitrary("api", changed),
    ),
    other: policyArbitrary("web", fc.array(checkedLimit, { minLength: 1, maxLength: 2 })),
    steps: stepsArbitrary(restarts ? [...acts, ...restart] : acts),
  });
}

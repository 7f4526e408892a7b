// What each algorithm promises, over random histories; the token bucket beside an oracle in exact integers.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fixedWindow, type Limit, memoryStore, tokenBucket } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import { createManualClock } from "../support/manual-clock.ts";

const START_US = Date.UTC(2026, 6, 1, 12, 34, 56, 789) * 1_000;

interface Rule {
  capacity: number;
  units: number;
  periodMs: number;
}

const ruleArbitrary: fc.Arbitrary<Rule> = fc
  .record({
    capacity: fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 1_000_000 })),
    units: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constantFrom(999_983, 1_000_000)),
    periodMs: fc.oneof(
      fc.constantFrom(1, 1_000, 60_000, 3_600_000, 2_592_000_000),
      fc.integer({ min: 1, max: 100_000 }),
    ),
  })
  .filter(({ capacity, units, periodMs }) => {
    return (capacity * periodMs) / units < 1e12 && capacity * units < 2 ** 52;
  });

/** Gaps between requests in microseconds, many of them short against the refill. */
const gapArbitrary = fc.oneof(
  { arbitrary: fc.constant(0), weight: 2 },
  { arbitrary: fc.integer({ min: 1, max: 50_000 }), weight: 3 },
  { arbitrary: fc.integer({ min: 1, max: 5_000_000 }), weight: 2 },
  { arbitrary: fc.integer({ min: 1, max: 4_000_000_000 }), weight: 1 },
);

const historyArbitrary = fc.array(
  fc.record({ gapUs: gapArbitrary, cost: fc.integer({ min: 0, max: 40 }) }),
  { minLength: 1, maxLength: 60 },
);

function bucketOf({ capacity, units, periodMs }: Rule): Limit {
  return tokenBucket({ capacity, refill: `${units}/${periodMs}ms` });
}

/** A bucket in exact integers: a level in units times the period, which each microsecond lifts by `units`. */
function createOracle({ capacity, units, periodMs }: Rule) {
  const period = BigInt(periodMs) * 1_000n;
  const full = BigInt(capacity) * period;
  let level = full;
  return {
    pass(us: number) {
      level += BigInt(units) * BigInt(us);
      if (level > full) level = full;
    },
    take(cost: number): boolean {
      if (BigInt(cost) * period > level) return false;
      level -= BigInt(cost) * period;
      return true;
    },
    remaining: () => Number(level / period),
    resetAfterMs: () =>
      Number((full - level + BigInt(units) * 1_000n - 1n) / (BigInt(units) * 1_000n)),
  };
}

test("token bucket: equal to exact integers, at every rate", () => {
  fc.assert(
    fc.property(ruleArbitrary, historyArbitrary, (rule, history) => {
      const clock = createManualClock(START_US);
      const store = memoryStore({ clock });
      const policy = createPolicy("api", { limits: [bucketOf(rule)] });
      const oracle = createOracle(rule);
      for (const { gapUs, cost } of history) {
        clock.setUs(clock.now() + gapUs);
        oracle.pass(gapUs);
        const decision = store.decide(policy, "k", cost, true);
        assert.equal(decision.allowed, oracle.take(cost));
        assert.equal(decision.remaining, oracle.remaining());
        // The state is kept in whole microseconds and a fraction, so only the rounding up to ms may show.
        assert.ok(Math.abs(decision.resetAfterMs - oracle.resetAfterMs()) <= 1);
      }
    }),
    { numRuns: 1_000 },
  );
});

test("token bucket: no drift over a hundred thousand admissions at 7 a second", () => {
  const rule = { capacity: 5, units: 7, periodMs: 1_000 };
  const clock = createManualClock(START_US);
  const store = memoryStore({ clock });
  const policy = createPolicy("api", { limits: [bucketOf(rule)] });
  let admitted = 0;
  // Asked every 10 ms, 14 times as often as the rate: what is admitted is exactly capacity + 7 a second.
  const seconds = 15_000;
  for (let at = 0; at <= seconds * 100; at += 1) {
    clock.setUs(START_US + at * 10_000);
    if (store.decide(policy, "k", 1, true).allowed) admitted += 1;
  }
  assert.equal(admitted, rule.capacity + 7 * seconds);
});

test("token bucket: in any span at most the capacity and what is refilled", () => {
  fc.assert(
    fc.property(ruleArbitrary, historyArbitrary, (rule, history) => {
      const admitted = admissions([bucketOf(rule)], history);
      for (let from = 0; from < admitted.length; from += 1) {
        let sum = 0n;
        for (let to = from; to < admitted.length; to += 1) {
          sum += BigInt(admitted[to]!.cost);
          const spanUs = BigInt(admitted[to]!.at - admitted[from]!.at);
          const period = BigInt(rule.periodMs) * 1_000n;
          assert.ok(sum * period <= BigInt(rule.capacity) * period + BigInt(rule.units) * spanUs);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("fixed window: in any aligned window at most the limit", () => {
  const arbitrary = fc.record({
    limit: fc.integer({ min: 1, max: 50 }),
    windowMs: fc.integer({ min: 1, max: 10_000 }),
  });
  fc.assert(
    fc.property(arbitrary, historyArbitrary, ({ limit, windowMs }, history) => {
      const perWindow = new Map<number, number>();
      for (const { at, cost } of admissions([fixedWindow({ limit, window: windowMs })], history)) {
        const index = Math.floor(at / (windowMs * 1_000));
        perWindow.set(index, (perWindow.get(index) ?? 0) + cost);
      }
      for (const sum of perWindow.values()) assert.ok(sum <= limit);
    }),
    { numRuns: 500 },
  );
});

/** What is admitted of a history: when, and how much. */
function admissions(limits: Limit[], history: { gapUs: number; cost: number }[]) {
  const clock = createManualClock(START_US);
  const store = memoryStore({ clock });
  const policy = createPolicy("api", { limits });
  const admitted: { at: number; cost: number }[] = [];
  for (const { gapUs, cost } of history) {
    clock.setUs(clock.now() + gapUs);
    if (store.decide(policy, "k", cost, true).allowed) admitted.push({ at: clock.now(), cost });
  }
  return admitted;
}

const limitsArbitrary = fc.array(
  fc.oneof(
    ruleArbitrary.map(bucketOf),
    fc
      .record({
        limit: fc.integer({ min: 1, max: 50 }),
        window: fc.integer({ min: 1, max: 90_000 }),
      })
      .map((options) => fixedWindow(options)),
  ),
  { minLength: 1, maxLength: 3 },
);

test("retryAfterMs: admitted exactly then, denied one millisecond before", () => {
  let tried = 0;
  fc.assert(
    fc.property(limitsArbitrary, historyArbitrary, (limits, history) => {
      const clock = createManualClock(START_US);
      const store = memoryStore({ clock });
      const policy = createPolicy("api", { limits });
      for (const { gapUs, cost } of history) {
        clock.setUs(clock.now() + gapUs);
        const decision = store.decide(policy, "k", cost, true);
        if (decision.allowed) continue;
        const largest = Math.min(...limits.map(({ limit }) => limit));
        assert.equal(decision.retryAfterMs === null, cost > largest);
        if (decision.retryAfterMs === null) continue;
        tried += 1;
        const now = clock.now();
        clock.setUs(now + decision.retryAfterMs * 1_000 - 1_000);
        assert.equal(store.decide(policy, "k", cost, false).allowed, false, "1 ms before");
        clock.setUs(now + decision.retryAfterMs * 1_000);
        assert.equal(store.decide(policy, "k", cost, false).allowed, true, "at retryAfterMs");
        return;
      }
    }),
    { numRuns: 2_000 },
  );
  assert.ok(tried > 200, `${tried} denials were waited for`);
});

test("after resetAfterMs of every limit the key decides as if never used", () => {
  fc.assert(
    fc.property(limitsArbitrary, historyArbitrary, historyArbitrary, (limits, before, later) => {
      const clock = createManualClock(START_US);
      const store = memoryStore({ clock });
      const policy = createPolicy("api", { limits });
      for (const { gapUs, cost } of before) {
        clock.setUs(clock.now() + gapUs);
        store.decide(policy, "used", cost, true);
      }
      const longest = Math.max(...limits.map(({ windowUs }) => windowUs));
      clock.setUs(clock.now() + longest);
      for (const { gapUs, cost } of later) {
        clock.setUs(clock.now() + gapUs);
        const used = store.decide(policy, "used", cost, true);
        const fresh = store.decide(policy, "fresh", cost, true);
        assert.deepEqual({ ...used, key: "" }, { ...fresh, key: "" });
      }
    }),
    { numRuns: 500 },
  );
});

test("a peek answers what the check then does, and takes nothing", () => {
  fc.assert(
    fc.property(limitsArbitrary, historyArbitrary, (limits, history) => {
      const clock = createManualClock(START_US);
      const store = memoryStore({ clock });
      const policy = createPolicy("api", { limits });
      for (const { gapUs, cost } of history) {
        clock.setUs(clock.now() + gapUs);
        const seen = store.decide(policy, "k", cost, false);
        const again = store.decide(policy, "k", cost, false);
        const done = store.decide(policy, "k", cost, true);
        assert.deepEqual(seen, again);
        assert.equal(done.allowed, seen.allowed);
        if (!done.allowed) assert.deepEqual(done, seen);
      }
    }),
    { numRuns: 500 },
  );
});

// The token bucket beside an oracle in exact integers, and what it promises: in any span of length s at most the
// capacity and what comes back in s, and that much it does admit.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Limit, memoryStore, tokenBucket } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { admissionsOf, createTestKey } from "../support/test-key.ts";
import { replay, START_US, trafficArbitrary } from "../support/traffic.ts";
import {
  createBucketOracle,
  largeRuleArbitrary,
  type Rule,
  ruleArbitrary,
} from "./bucket-oracle.ts";

function bucketOf({ capacity, units, periodMs }: Rule): Limit {
  return tokenBucket({ capacity, refill: `${units}/${periodMs}ms` });
}

for (const [name, rules, numRuns] of [
  ["at every rate", ruleArbitrary, 800],
  ["with the largest numbers that are accepted", largeRuleArbitrary, 800],
] as const) {
  test(`equal to exact integers, ${name}`, () => {
    let denied = 0;
    let inParts = 0;
    fc.assert(
      fc.property(rules, trafficArbitrary, (rule, traffic) => {
        const limit = bucketOf(rule);
        const key = createTestKey([limit]);
        const oracle = createBucketOracle(rule);
        replay(traffic, limit, key.clock, (cost) => {
          const now = key.clock.now();
          const decision = key.check(cost);
          assert.equal(decision.allowed, oracle.take(now, cost) !== undefined);
          assert.equal(decision.remaining, oracle.remaining(now));
          // Rounded up to whole microseconds first, and then to milliseconds, which comes to the same.
          assert.equal(decision.resetAfterMs, oracle.resetAfterMs(now));
          if (!decision.allowed && decision.retryAfterMs !== null) denied += 1;
        });
        if ((rule.periodMs * 1_000) % rule.units !== 0) inParts += 1;
      }),
      { numRuns },
    );
    assert.ok(denied > numRuns, `${denied} were denied for now`);
    assert.ok(inParts > numRuns / 4, `${inParts} rates take a fraction of a microsecond a unit`);
  });
}

test("in any span at most the capacity and what comes back in it", () => {
  let beyond = 0;
  fc.assert(
    fc.property(ruleArbitrary, trafficArbitrary, (rule, traffic) => {
      const period = BigInt(rule.periodMs) * 1_000n;
      const capacity = BigInt(rule.capacity) * period;
      // Units admitted so far, less what came back in the time: the most that it rises from any instant to a later.
      let level = 0n;
      let lowest: bigint | undefined;
      let total = 0n;
      let lastUs: number | undefined;
      for (const { at, cost } of admissionsOf([bucketOf(rule)], traffic)) {
        level -= BigInt(rule.units) * BigInt(at - (lastUs ?? at));
        lastUs = at;
        if (lowest === undefined || level < lowest) lowest = level;
        level += BigInt(cost) * period;
        total += BigInt(cost) * period;
        assert.ok(level - lowest <= capacity, `${level - lowest} of ${capacity}`);
      }
      if (total > capacity) beyond += 1;
    }),
    { numRuns: 500 },
  );
  assert.ok(beyond > 100, `${beyond} histories admitted more than the capacity`);
});

test("tight: the capacity at once, and after any span all that came back in it", () => {
  let cameBack = 0;
  fc.assert(
    fc.property(ruleArbitrary, fc.integer({ min: 1, max: 1_000 }), (rule, thousandths) => {
      const limit = bucketOf(rule);
      const key = createTestKey([limit]);
      const spanUs = Math.floor((limit.windowUs / 1_000) * thousandths);
      assert.ok(key.check(rule.capacity).allowed);
      key.clock.setUs(START_US + spanUs);
      const back = (BigInt(rule.units) * BigInt(spanUs)) / (BigInt(rule.periodMs) * 1_000n);
      const expected = Math.min(Number(back), rule.capacity);
      assert.ok(expected === 0 || key.check(expected).allowed);
      assert.equal(key.check(1).allowed, false, "and no more");
      if (expected > 0) cameBack += 1;
    }),
    { numRuns: 500 },
  );
  assert.ok(cameBack > 300, `of ${cameBack} buckets something had come back`);
});

test("no drift over a hundred thousand admissions at 7 a second", () => {
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

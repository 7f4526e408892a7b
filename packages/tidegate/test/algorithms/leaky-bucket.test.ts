// The leaky bucket beside an oracle in exact integers, and what it promises: what goes out in any span of length s is
// at most the largest single cost and the rate times s, in the order of admission, and at most `queue` units wait.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Limit, leakyBucket } from "tidegate";
import { createTestKey } from "../support/test-key.ts";
import { type Burst, replay, START_US, trafficArbitrary } from "../support/traffic.ts";
import {
  createBucketOracle,
  largeRuleArbitrary,
  type Rule,
  ruleArbitrary,
  type Scaled,
} from "./bucket-oracle.ts";

/** The capacity of the rule is the queue and the unit that goes. */
function queueOf({ capacity, units, periodMs }: Rule): Limit {
  return leakyBucket({ queue: capacity - 1, rate: `${units}/${periodMs}ms` });
}

interface Departure {
  readonly at: number;
  readonly cost: number;
  /** Exactly when it goes. */
  readonly goes: Scaled;
  /** When it was told to go, in microseconds: up to 1 ms later. */
  readonly toldUs: number;
}

/** Runs a history, holds every decision equal to the oracle's, and returns what was admitted at a cost. */
function departuresOf(rule: Rule, traffic: readonly Burst[]) {
  const limit = queueOf(rule);
  const key = createTestKey([limit]);
  const oracle = createBucketOracle(rule);
  const departures: Departure[] = [];
  let full = 0;
  replay(traffic, limit, key.clock, (cost) => {
    const at = key.clock.now();
    const goes = oracle.take(at, cost);
    const decision = key.check(cost);
    assert.equal(decision.allowed, goes !== undefined);
    assert.equal(decision.remaining, oracle.remaining(at));
    assert.equal(decision.delayMs, goes === undefined ? 0 : oracle.msUntil(goes, at));
    if (!decision.allowed && decision.retryAfterMs !== null) full += 1;
    if (goes === undefined || cost === 0) return;
    departures.push({ at, cost, goes, toldUs: at + decision.delayMs * 1_000 });
  });
  return { departures, oracle, full };
}

for (const [name, rules] of [
  ["at every rate", ruleArbitrary],
  ["with the largest numbers that are accepted", largeRuleArbitrary],
] as const) {
  test(`equal to exact integers, delays included, ${name}`, () => {
    let waited = 0;
    let denied = 0;
    fc.assert(
      fc.property(rules, trafficArbitrary, (rule, traffic) => {
        const { departures, full } = departuresOf(rule, traffic);
        waited += departures.filter(({ at, toldUs }) => toldUs > at).length;
        denied += full;
      }),
      { numRuns: 600 },
    );
    assert.ok(waited > 600, `${waited} had to wait`);
    assert.ok(denied > 600, `${denied} found it full`);
  });
}

test("goes out in the order of admission; in any span the largest cost and the rate, and 1 ms of it as told", () => {
  let spans = 0;
  fc.assert(
    fc.property(ruleArbitrary, trafficArbitrary, (rule, traffic) => {
      const { departures, oracle } = departuresOf(rule, traffic);
      const { perUs, period } = oracle;
      for (let from = 0; from < departures.length; from += 1) {
        let sum = 0n;
        let largest = 0n;
        const first = departures[from]!;
        for (let to = from; to < departures.length; to += 1) {
          const { goes, cost, toldUs } = departures[to]!;
          assert.ok(goes >= first.goes, "never before one that was admitted earlier");
          assert.ok(toldUs > first.toldUs - 1_000, "nor told to by a whole millisecond");
          sum += BigInt(cost);
          if (BigInt(cost) > largest) largest = BigInt(cost);
          assert.ok(sum * period <= largest * period + goes - first.goes);
          const toldSpan = BigInt(toldUs - first.toldUs + 1_000) * perUs;
          assert.ok(sum * period <= largest * period + toldSpan);
          if (to > from) spans += 1;
        }
      }
    }),
    { numRuns: 200 },
  );
  assert.ok(spans > 2_000, `${spans} spans held more than one`);
});

test("at most `queue` units wait, and where a cost of 1 is denied after costs of 1, as many do", () => {
  let filled = 0;
  fc.assert(
    fc.property(ruleArbitrary, trafficArbitrary, (rule, traffic) => {
      const limit = queueOf(rule);
      const single = traffic.map((burst) => ({ ...burst, share: 0, cost: 1 }));
      for (const history of [traffic, single]) {
        const key = createTestKey([limit]);
        const oracle = createBucketOracle(rule);
        let waiting: { cost: number; goes: Scaled }[] = [];
        replay(history, limit, key.clock, (cost) => {
          const now = key.clock.now();
          const goes = oracle.take(now, cost);
          if (key.check(cost).allowed && cost > 0) waiting.push({ cost, goes: goes! });
          waiting = waiting.filter((one) => one.goes > BigInt(now) * oracle.perUs);
          const units = waiting.reduce((sum, one) => sum + one.cost, 0);
          assert.ok(units <= rule.capacity - 1, `${units} wait`);
          if (history !== single || goes !== undefined) return;
          assert.equal(units, rule.capacity - 1, "denied while there was room");
          filled += 1;
        });
      }
    }),
    { numRuns: 300 },
  );
  assert.ok(filled > 200, `${filled} were denied because the queue was full`);
});

test("tight: one goes at once, `queue` wait, spaced by exactly the rate; a large cost goes together", () => {
  fc.assert(
    fc.property(ruleArbitrary, fc.integer({ min: 1, max: 200 }), (rule, most) => {
      const capacity = Math.min(rule.capacity, most);
      const burst = { windows: 0, units: 0, aligned: false, us: 0, share: 0, cost: 1 };
      const one = departuresOf({ ...rule, capacity }, [{ ...burst, times: capacity + 1 }]);
      assert.equal(one.departures.length, capacity);
      assert.equal(one.full, 1);
      const { perUs, period } = one.oracle;
      one.departures.forEach(({ goes }, index) => {
        assert.equal(goes, BigInt(START_US) * perUs + BigInt(index) * period);
      });
      if (capacity === 1) return;
      // Both within the time of one unit, the bound for that span: the largest cost and 1.
      const last = { ...burst, cost: capacity - 1, times: 1 };
      const two = departuresOf({ ...rule, capacity }, [{ ...burst, times: 1 }, last]);
      const [first, second] = two.departures;
      assert.equal(second!.goes - first!.goes, period);
    }),
    { numRuns: 200 },
  );
});

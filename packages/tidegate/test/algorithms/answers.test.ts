// What every decision promises, of each algorithm alone and of policies that mix them: what remains is what is
// admitted, retryAfterMs and resetAfterMs are exact, a peek answers what the check then does.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Decision, Limit } from "tidegate";
import { ALGORITHMS, checkedLimit, hardLimit, limitArbitraries } from "../support/any-limit.ts";
import { createOpenKey, createTestKey } from "../support/test-key.ts";
import {
  type Burst,
  costOf,
  instantOf,
  replay,
  START_US,
  trafficArbitrary,
} from "../support/traffic.ts";

/** Limits of a policy: each algorithm alone, then mixes. */
const POLICIES: [string, fc.Arbitrary<Limit[]>, number][] = [
  ...ALGORITHMS.map((algorithm): [string, fc.Arbitrary<Limit[]>, number] => {
    return [algorithm, limitArbitraries(false)[algorithm].map((limit) => [limit]), 150];
  }),
  ["any mixed", fc.array(hardLimit, { minLength: 2, maxLength: 4 }), 400],
];

for (const [name, limitsArbitrary, numRuns] of POLICIES) {
  test(`${name}: admitted exactly at retryAfterMs, denied one millisecond before`, () => {
    let waited = 0;
    let never = 0;
    fc.assert(
      fc.property(limitsArbitrary, trafficArbitrary, (limits, traffic) => {
        const key = createTestKey(limits);
        const smallest = Math.min(...limits.map(({ limit }) => limit));
        replay(traffic, limits[0]!, key.clock, (cost) => {
          const decision = key.check(cost);
          assert.equal(decision.retryAfterMs === 0, decision.allowed);
          assert.equal(decision.retryAfterMs === null, cost > smallest);
          if (decision.allowed || decision.retryAfterMs === null) {
            if (!decision.allowed) never += 1;
            return;
          }
          key.clock.advanceMs(decision.retryAfterMs - 1);
          assert.equal(key.peek(cost).allowed, false, "1 ms before");
          key.clock.advanceMs(1);
          assert.equal(key.check(cost).allowed, true, "at retryAfterMs");
          waited += 1;
        });
      }),
      { numRuns },
    );
    assert.ok(waited > numRuns, `${waited} denials were waited for`);
    assert.ok(never > numRuns / 4, `${never} costs were above the limit`);
  });

  test(`${name}: a peek answers what the check does, and takes nothing`, () => {
    const seen = { allowed: 0, denied: 0 };
    fc.assert(
      fc.property(limitsArbitrary, trafficArbitrary, (limits, traffic) => {
        const key = createTestKey(limits);
        replay(traffic, limits[0]!, key.clock, (cost) => {
          // One takes a permit for a unit at least.
          if (cost === 0) return;
          const peeked = key.peek(cost);
          assert.deepEqual(key.peek(cost), peeked);
          const checked = key.check(cost);
          if (!peeked.allowed) {
            assert.deepEqual(checked, peeked);
            seen.denied += 1;
            return;
          }
          assert.equal(checked.allowed, true);
          assert.equal(checked.delayMs, peeked.delayMs);
          const looked = key.peek(0);
          assert.deepEqual(
            { ...looked, delayMs: checked.delayMs },
            checked,
            "what a look says then",
          );
          seen.allowed += 1;
        });
      }),
      { numRuns: numRuns / 2 },
    );
    assert.ok(seen.allowed > numRuns && seen.denied > numRuns, JSON.stringify(seen));
  });
}

for (const algorithm of ALGORITHMS) {
  test(`${algorithm}: admitted exactly where the cost is at most what a look says remains`, () => {
    const seen = { allowed: 0, denied: 0 };
    fc.assert(
      fc.property(limitArbitraries(false)[algorithm], trafficArbitrary, (limit, traffic) => {
        const key = createTestKey([limit]);
        replay(traffic, limit, key.clock, (cost) => {
          if (cost === 0) return;
          const { remaining } = key.peek(0);
          const decision = key.check(cost);
          assert.equal(decision.allowed, cost <= remaining);
          assert.equal(decision.remaining, decision.allowed ? remaining - cost : remaining);
          seen[decision.allowed ? "allowed" : "denied"] += 1;
        });
      }),
      { numRuns: 150 },
    );
    assert.ok(seen.allowed > 300 && seen.denied > 300, JSON.stringify(seen));
  });

  test(`${algorithm}: waits are exact to the microsecond`, () => {
    let waited = 0;
    fc.assert(
      fc.property(limitArbitraries(false)[algorithm], trafficArbitrary, (limit, traffic) => {
        const key = createOpenKey(limit);
        let now = START_US;
        traffic.forEach((burst, index) => {
          now = instantOf(burst, limit, now);
          const cost = costOf(burst, limit);
          for (let time = 0; time < burst.times; time += 1) {
            if (key.take(now, cost, `p${index}.${time}`)) continue;
            const wait = key.waitUs(now, cost);
            if (wait === Number.POSITIVE_INFINITY) return;
            assert.notEqual(key.waitUs(now + wait - 1, cost), 0, "a microsecond before");
            now += wait;
            assert.equal(key.waitUs(now, cost), 0);
            waited += 1;
          }
        });
      }),
      { numRuns: 150 },
    );
    assert.ok(waited > 150, `${waited} denials were waited for`);
  });

  test(`${algorithm}: as if never used exactly at resetAfterMs, and a unit is missing one millisecond before`, () => {
    let reset = 0;
    let again = 0;
    const used = fc.tuple(trafficArbitrary, trafficArbitrary);
    fc.assert(
      fc.property(limitArbitraries(false)[algorithm], used, (limit, [before, later]) => {
        const key = createTestKey([limit]);
        replay(before, limit, key.clock, (cost) => cost > 0 && key.check(cost));
        const { resetAfterMs, remaining } = key.peek(0);
        assert.equal(resetAfterMs === 0, remaining === limit.limit);
        if (resetAfterMs === 0) return;
        reset += 1;
        key.clock.advanceMs(resetAfterMs - 1);
        assert.ok(key.peek(0).remaining < limit.limit, "1 ms before");
        key.clock.advanceMs(1);
        const fresh = key.sibling("fresh");
        assert.deepEqual(unnamed(key.peek(0)), unnamed(fresh.peek(0)));
        again += sameAnswers(limit, later, key, fresh);
      }),
      { numRuns: 100 },
    );
    assert.ok(reset > 70, `${reset} keys were used`);
    assert.ok(again > 70, `${again} were admitted afterwards`);
  });
}

function unnamed(decision: Decision): Decision {
  return { ...decision, key: "" };
}

/** Holds what two keys answer to a history equal, and returns how many were admitted. */
function sameAnswers(
  limit: Limit,
  traffic: readonly Burst[],
  one: ReturnType<typeof createTestKey>,
  other: ReturnType<typeof createTestKey>,
): number {
  let admitted = 0;
  replay(traffic, limit, one.clock, (cost) => {
    if (cost === 0) return;
    const answer = unnamed(one.check(cost));
    assert.deepEqual(unnamed(other.check(cost)), answer);
    if (answer.allowed) admitted += 1;
  });
  return admitted;
}

test("mixed: after the longest reset of all limits the key decides as if never used", () => {
  let admitted = 0;
  const mixed = fc.array(checkedLimit, { minLength: 2, maxLength: 4 });
  const used = fc.tuple(trafficArbitrary, trafficArbitrary);
  fc.assert(
    fc.property(mixed, used, (limits, [before, later]) => {
      const key = createTestKey(limits);
      // What is taken is the same of all of them, so that each alone tells when it is reset.
      const alone = limits.map((limit) => createOpenKey(limit));
      replay(before, limits[0]!, key.clock, (cost) => {
        if (!key.check(cost).allowed) return;
        for (const one of alone) assert.ok(one.take(key.clock.now(), cost));
      });
      const now = key.clock.now();
      key.clock.setUs(now + Math.max(...alone.map((one) => one.resetUs(now))));
      admitted += sameAnswers(limits[0]!, later, key, key.sibling("fresh"));
    }),
    { numRuns: 200 },
  );
  assert.ok(admitted > 500, `${admitted} were admitted afterwards`);
});

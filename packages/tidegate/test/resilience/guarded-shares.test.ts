// Nodes that decide by their share while the store is away: whatever the limit, and whatever is asked of whom, all of
// them together admit at most what the limit promises, and one unit more for each node.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fixedWindow, type Limit, memoryStore } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import { FailureAnswers } from "../../src/resilience/failure-answers.ts";
import { ALGORITHMS, limitArbitraries } from "../support/any-limit.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { settled } from "../support/manual-timer.ts";
import { type Burst, costOf, instantOf, START_US, trafficArbitrary } from "../support/traffic.ts";
import { createGuardedLimiter } from "./guarded-limiter.ts";

/** The most units that a limit of so many promises to admit from one instant to another, both included. */
function mostOf(limit: Limit, units: number, fromUs: number, toUs: number): number {
  switch (limit.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      return units + Math.floor(((toUs - fromUs) * limit.units) / limit.periodUs) + 1;
    case "calendar-window": {
      let windows = 1;
      for (let at = fromUs; ; windows += 1) {
        at = limit.calendar.boundariesAround(at)[2]!;
        if (at > toUs) return units * windows;
      }
    }
    case "fixed-window":
    case "sliding-window": {
      const windowOf = (us: number) => Math.floor(us / limit.windowUs);
      return units * (windowOf(toUs) - windowOf(fromUs) + 1);
    }
    default:
      return units * (Math.floor((toUs - fromUs) / limit.windowUs) + 1);
  }
}

/** Asks nodes in turn through a history, and returns what all of them admitted together. */
function admittedBy(limit: Limit, nodes: number, traffic: readonly Burst[], first: number) {
  const clock = createManualClock(START_US);
  const policy = createPolicy("api", { limits: [limit], onStoreFailure: "local" });
  const answers = Array.from({ length: nodes }, () => {
    return new FailureAnswers(memoryStore({ clock }), clock, () => nodes);
  });
  let admitted = 0;
  let asked = first;
  const ask = (cost: number) => {
    asked += 1;
    const own = answers[asked % nodes]!;
    const parts = [{ policy, key: "k", cost }];
    const permit = policy.holds ? { permit: `p${asked}` } : {};
    if (own.take({ kind: "take", parts, ...permit }, 0).done) admitted += cost;
  };
  for (const burst of traffic) {
    clock.setUs(instantOf(burst, limit, clock.now()));
    const cost = costOf(burst, limit);
    // Each node is asked for what all are asked for, and for its whole share in single units.
    for (let time = 0; time < burst.times * nodes; time += 1) ask(Math.ceil(cost / nodes));
    for (let time = 0; time < Math.min(limit.limit, 12) + nodes; time += 1) ask(1);
  }
  return { admitted, endUs: clock.now() };
}

for (const name of ALGORITHMS) {
  test(`${name}: 1 to 10 nodes together keep the limit, and one unit for each node`, () => {
    const arbitrary = fc.tuple(
      limitArbitraries(false)[name],
      fc.integer({ min: 1, max: 10 }),
      trafficArbitrary,
      fc.nat({ max: 9 }),
    );
    fc.assert(
      fc.property(arbitrary, ([limit, nodes, traffic, first]) => {
        const { admitted, endUs } = admittedBy(limit, nodes, traffic.slice(0, 8), first);
        // In each window or refill: where nodes are more than units, a unit of each.
        const units = Math.max(limit.limit, nodes);
        const most = mostOf(limit, units, START_US, endUs) + nodes;
        assert.ok(admitted <= most, `${admitted} of ${most}`);
      }),
      { numRuns: 60 },
    );
  });
}

test("through limiters: by the count that the store told before it went away, exactly", async () => {
  for (let nodes = 1; nodes <= 10; nodes += 1) {
    const policies = {
      api: { limits: [fixedWindow({ limit: 23, window: "1h" })], onStoreFailure: "local" },
    } as const;
    let admitted = 0;
    for (let node = 0; node < nodes; node += 1) {
      const one = createGuardedLimiter(policies, { nodes });
      await settled();
      await one.goAway("api", "other");
      for (let time = 0; time < 30; time += 1) {
        const { allowed, source } = await one.limiter.check({ policy: "api", key: "k" });
        assert.equal(source, "fallback");
        if (allowed) admitted += 1;
      }
    }
    assert.equal(admitted, Math.floor(23 / nodes) * nodes, `${nodes} nodes`);
  }
});

test("a node that could not be counted, since it started during the outage, has the expected share", async () => {
  const one = createGuardedLimiter(
    { api: { limits: [fixedWindow({ limit: 23, window: "1h" })], onStoreFailure: "local" } },
    { expectedNodes: 4, mode: "down" },
  );
  await settled();
  const decision = await one.limiter.check({ policy: "api", key: "k" });
  assert.deepEqual([decision.limit, decision.remaining], [5, 4]);
});

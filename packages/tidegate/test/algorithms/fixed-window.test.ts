// What a fixed window promises: at most the limit from one boundary to the next, and so at most n + 1 times the limit
// in any span of n windows, twice in one. That much two bursts beside a boundary do get.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fixedWindow } from "tidegate";
import { admissionsOf, createTestKey } from "../support/test-key.ts";
import { boundaryFrom, busiestSpan, START_US, trafficArbitrary } from "../support/traffic.ts";

const ruleArbitrary = fc.record({
  limit: fc.oneof(fc.integer({ min: 1, max: 10 }), fc.integer({ min: 1, max: 1_000_000_000 })),
  window: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.constantFrom(60_000, 86_400_000)),
});

test("from one boundary to the next at most the limit; in any span of n windows n + 1 times that", () => {
  let beyond = 0;
  fc.assert(
    fc.property(ruleArbitrary, trafficArbitrary, (rule, traffic) => {
      const limit = fixedWindow(rule);
      const admitted = admissionsOf([limit], traffic);
      const perWindow = new Map<number, number>();
      for (const { at, cost } of admitted) {
        const index = Math.floor(at / limit.windowUs);
        perWindow.set(index, (perWindow.get(index) ?? 0) + cost);
      }
      for (const sum of perWindow.values()) assert.ok(sum <= rule.limit);
      for (const windows of [1, 2, 5]) {
        const most = busiestSpan(admitted, windows * limit.windowUs);
        assert.ok(most <= (windows + 1) * rule.limit, `${most} in ${windows} windows`);
        if (windows === 1 && most > rule.limit) beyond += 1;
      }
    }),
    { numRuns: 600 },
  );
  assert.ok(beyond > 100, `${beyond} histories had more than the limit in a window's length`);
});

test("tight: twice the limit within a microsecond, n + 1 times within n - 1 windows and one", () => {
  fc.assert(
    fc.property(ruleArbitrary, fc.integer({ min: 1, max: 5 }), (rule, windows) => {
      const limit = fixedWindow(rule);
      const key = createTestKey([limit]);
      const boundary = boundaryFrom(limit, START_US);
      const instants = [boundary - 1];
      for (let index = 0; index < windows; index += 1) {
        instants.push(boundary + index * limit.windowUs);
      }
      for (const instant of instants) {
        key.clock.setUs(instant);
        assert.ok(key.check(rule.limit).allowed);
        assert.equal(key.check(1).allowed, false, "and no more");
      }
      assert.equal(instants.length, windows + 1);
      assert.equal(instants.at(-1)! - instants[0]!, (windows - 1) * limit.windowUs + 1);
    }),
    { numRuns: 100 },
  );
});

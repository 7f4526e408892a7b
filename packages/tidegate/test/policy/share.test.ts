// A node's share of a limit: what it is of every algorithm, and that all shares together are no more than the limit.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  calendarWindow,
  concurrency,
  fixedWindow,
  type Limit,
  leakyBucket,
  memoryStore,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { createPolicy, shareOfPolicy } from "../../src/policy/policy.ts";
import { shareOfLimit } from "../../src/policy/share.ts";
import { hardLimit } from "../support/any-limit.ts";
import { createManualClock } from "../support/manual-clock.ts";

const nodesArbitrary = fc.integer({ min: 1, max: 10 });

test("the units are divided and rounded down, one at least; window, lease and name stay", () => {
  const table: [limit: Limit, nodes: number, units: number][] = [
    [fixedWindow({ limit: 10, window: "1m", name: "a" }), 1, 10],
    [fixedWindow({ limit: 10, window: "1m", name: "a" }), 3, 3],
    [slidingWindow({ limit: 10, window: "1m", soft: true }), 10, 1],
    [slidingLog({ limit: 10, window: "1m" }), 11, 1],
    [calendarWindow({ limit: 1_000, per: "month", timeZone: "Europe/Berlin" }), 7, 142],
    [concurrency({ limit: 5, lease: "30s" }), 2, 2],
  ];
  for (const [limit, nodes, units] of table) {
    assert.deepEqual(shareOfLimit(limit, nodes), { ...limit, limit: units });
  }
});

test("of a bucket the rate is divided too, exactly, also where its units cannot be", () => {
  const rateOf = (limit: Limit) => {
    assert.ok("periodUs" in limit);
    return { limit: limit.limit, unitUs: limit.periodUs / limit.units };
  };
  const bucket = tokenBucket({ capacity: 100, refill: "10/s", name: "b", soft: true });
  assert.deepEqual(rateOf(shareOfLimit(bucket, 4)), { limit: 25, unitUs: 400_000 });
  assert.deepEqual(rateOf(shareOfLimit(bucket, 200)), { limit: 1, unitUs: 20_000_000 });
  const { algorithm, name, soft } = shareOfLimit(bucket, 4);
  assert.deepEqual({ algorithm, name, soft }, { algorithm: "token-bucket", name: "b", soft: true });
  const queue = shareOfLimit(leakyBucket({ rate: "3/s", queue: 9 }), 3);
  assert.deepEqual(rateOf(queue), { limit: 3, unitUs: 1_000_000 });
  assert.equal(queue.algorithm, "leaky-bucket");
});

test("a bucket that takes long to fill has a share that is exact in a double", () => {
  const bucket = tokenBucket({ capacity: 1, refill: "1/30d" });
  const share = shareOfLimit(bucket, 10_000);
  assert.equal(share.limit, 1);
  assert.ok(Number.isSafeInteger(share.windowUs) && share.windowUs >= bucket.windowUs);
});

test("all shares together are at most the limit, or one unit for each node", () => {
  fc.assert(
    fc.property(hardLimit, fc.integer({ min: 1, max: 10_000 }), (limit, nodes) => {
      const share = shareOfLimit(limit, nodes);
      assert.ok(Number.isInteger(share.limit) && share.limit >= 1);
      assert.ok(share.limit * nodes <= Math.max(limit.limit, nodes));
      assert.ok(share.windowUs > 0 && Object.isFrozen(share));
    }),
  );
});

test("a share can be shared again, as where a node more has come, and of one node it is the limit", () => {
  fc.assert(
    fc.property(hardLimit, nodesArbitrary, (limit, nodes) => {
      const again = shareOfLimit(shareOfLimit(limit, nodes), 1);
      assert.deepEqual(again, shareOfLimit(limit, nodes));
      assert.equal(shareOfLimit(limit, 1).limit, limit.limit);
    }),
  );
});

test("the share of a policy keeps its name and its settings; that of one node is the policy", () => {
  const limits = [
    fixedWindow({ limit: 100, window: "1m", name: "minute" }),
    tokenBucket({ capacity: 10, refill: "1/s", name: "burst" }),
  ];
  const policy = createPolicy("api", { limits, nearLimit: "75%", shadow: true, deadline: "20ms" });
  assert.equal(shareOfPolicy(policy, 1), policy);
  const share = shareOfPolicy(policy, 4);
  assert.deepEqual(share.limitNames, ["minute", "burst"]);
  assert.deepEqual(
    share.limits.map(({ limit }) => limit),
    [25, 2],
  );
  assert.deepEqual(share.nearRemaining, [6, 0]);
  assert.deepEqual(
    [share.name, share.shadow, share.deadlineMs, share.width],
    ["api", true, 20, policy.width],
  );
  assert.notEqual(share.identity, policy.identity);
  assert.notEqual(share.identity, shareOfPolicy(policy, 3).identity);
});

test("what was consumed under one share counts under the next", () => {
  fc.assert(
    fc.property(hardLimit, nodesArbitrary, nodesArbitrary, (limit, before, after) => {
      const policy = createPolicy("api", { limits: [limit] });
      const store = memoryStore({ clock: createManualClock() });
      let permits = 0;
      const admit = (nodes: number) => {
        const share = shareOfPolicy(policy, nodes);
        const parts = [{ policy: share, key: "k", cost: share.limits[0]!.limit }];
        permits += 1;
        return store.run({ kind: "take", parts, permit: `p${permits}` }).done ? parts[0]!.cost : 0;
      };
      const [first, second] = [admit(before), admit(after)];
      assert.ok(first > 0);
      // All of one share is gone, so there is no whole one left.
      assert.equal(second, 0);
    }),
  );
});

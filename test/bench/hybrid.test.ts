// The benchmark of coordination, small: its ideal limiter, its load, and that real nodes on a real Redis are counted as
// they are. Nothing here depends on how fast the machine is.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runWorkload } from "../../bench/src/hybrid/run-workload.ts";
import { CONTENDERS, type Workload } from "../../bench/src/hybrid/workloads.ts";
import { admittedByIdeal } from "../../bench/src/traffic/ideal.ts";
import { createSchedule } from "../../bench/src/traffic/schedule.ts";
import { withoutRedis } from "../support/redis-server.ts";

const WORKLOAD: Workload = {
  title: "Small",
  ...{ keys: 3, zipf: 1, capacity: 40, refillPerSecond: 10, commandsAtMost: 1 },
};

test("the ideal limiter sees all nodes' requests in the order of time, each key by itself", () => {
  const workload = { ...WORKLOAD, keys: 2, capacity: 2, refillPerSecond: 1 };
  const asked = (...requests: readonly (readonly [atMs: number, key: number])[]) => ({
    askedUs: Uint32Array.from(requests, ([atMs]) => 1_000 * atMs),
    keys: Uint16Array.from(requests, ([, key]) => key),
  });
  const rows = [
    { nodes: [], admitted: [0, 0] },
    { nodes: [asked([0, 0], [0, 0], [0, 0])], admitted: [2, 0] },
    { nodes: [asked([0, 0], [0, 1]), asked([0, 0], [0, 1], [0, 1])], admitted: [2, 2] },
    // The other node's two come first, and a unit has come back at 1,001 ms but not at 999.
    { nodes: [asked([999, 0], [1_001, 0]), asked([0, 0], [1, 0])], admitted: [3, 0] },
    { nodes: [asked([0, 1], [1, 1], [10_000, 1], [10_001, 1], [10_002, 1])], admitted: [0, 4] },
  ];
  for (const { nodes, admitted } of rows) {
    assert.deepEqual([...admittedByIdeal(workload, nodes)], admitted);
  }
});

test("a schedule has as many requests as its rate says, in the order of time, by Zipf's law", () => {
  const options = { seed: 7, perSecond: 6_000, durationMs: 1_000, keys: 3, zipf: 1 };
  const { dueUs, keys } = createSchedule(options);
  assert.equal(dueUs.length, 6_000);
  assert.deepEqual(dueUs, dueUs.toSorted());
  assert.ok(dueUs.at(-1)! < 1e6 && dueUs.at(-1)! > 0.99e6);
  const counts = [0, 1, 2].map((key) => keys.filter((one) => one === key).length);
  // 6, 3 and 2 of 11.
  for (const [key, share] of [6, 3, 2].entries()) {
    assert.ok(Math.abs(counts[key]! - (6_000 * share) / 11) < 200, `${counts}`);
  }
  assert.deepEqual(createSchedule(options), { dueUs, keys });
  assert.notDeepEqual(createSchedule({ ...options, seed: 8 }).dueUs, dueUs);
});

for (const contender of CONTENDERS) {
  test(`${contender}: nodes are asked, and what they admit is counted`, {
    skip: withoutRedis,
  }, async () => {
    const result = await runWorkload({
      ...{ contender, workload: WORKLOAD, nodes: 2, perSecond: 600, durationMs: 1_000 },
      ...{ warmUpMs: 200, settleMs: 0, latencyFromMs: 0, seed: 1 },
    });
    const { admitted, ideal, over, redis, bySource, latency } = result;
    assert.equal(result.rejection, undefined);
    assert.equal(result.requests, 600);
    const answers = Object.values(bySource).reduce((sum, count) => sum + count, 0);
    assert.equal(answers, 600);
    assert.equal(
      latency.counts.reduce((sum, count) => sum + count, 0),
      600,
    );
    assert.ok(ideal >= 120 && ideal < 600, `the ideal admits ${ideal} of 600`);
    assert.ok(admitted >= 120 && admitted < 600, `${admitted} of 600`);
    assert.ok(redis.calls > 0 && redis.calls <= 600, `${redis.calls} calls`);
    assert.ok(redis.updates > 0 && redis.updates < redis.inside, `${JSON.stringify(redis)}`);
    assert.ok(redis.cpuUs >= 0);
    // Two full buckets for each key, and the one in Redis: the recipe is seen to break the limit.
    if (contender === "recipe") assert.ok(over > 0, "nothing over the limit");
    else assert.equal(over, 0);
  });
}

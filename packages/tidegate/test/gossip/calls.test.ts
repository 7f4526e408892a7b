// What a limiter can do, over nodes that gossip: every kind of limit, several limits, overrides, shadows, reservations,
// refunds, ids, several keys as one, looks, resets, and limits changed at run time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { calendarWindow, fixedWindow, slidingWindow, tokenBucket } from "../../src/index.ts";
import type { PolicyOptions } from "../../src/policy/policy.ts";
import { createSeededRandom } from "../../src/simulation/seeded-random.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";

const DAY_US = 86_400_000_000;
const NOON_US = 1_767_225_600_000_000 + DAY_US / 2;

/** A cluster that has met; at noon, when no window ends. */
async function createCluster(
  policies: Readonly<Record<string, PolicyOptions>>,
  options: Partial<ClusterOptions> = {},
): Promise<Cluster> {
  const random = createSeededRandom(17);
  const cluster = new Cluster({ policies, nodes: 3, random, startUs: NOON_US, ...options });
  await cluster.pass(1_000);
  return cluster;
}

/** Has a node admit so many units, in as many rounds as it takes. */
async function take(cluster: Cluster, node: number, units: number, policy = "api", key = "k") {
  let left = units;
  for (let round = 0; round < 50 && left > 0; round += 1) {
    left -= await cluster.ask(node, policy, key, left);
    await cluster.pass(100);
  }
  assert.equal(left, 0, "admitted in the end");
}

const remainingAt = async (cluster: Cluster, node: number, policy: string, key = "k") => {
  const { remaining } = await cluster.nodes[node]!.limiter.peek({ policy, key, cost: 0 });
  return remaining;
};

/** What remains in the eyes of each node, once all know. */
async function remaining(cluster: Cluster, policy: string, key = "k"): Promise<number[]> {
  await cluster.pass(600);
  return Promise.all(cluster.nodes.map((_, node) => remainingAt(cluster, node, policy, key)));
}

const day = (limit: number) => [fixedWindow({ limit, window: "1d" })];

const LIMITS = {
  "fixed window": fixedWindow({ limit: 100, window: "1d" }),
  "sliding window": slidingWindow({ limit: 100, window: "1d" }),
  "calendar window": calendarWindow({ limit: 100, per: "day" }),
  bucket: tokenBucket({ capacity: 100, refill: "1/d" }),
};

for (const [name, limit] of Object.entries(LIMITS)) {
  test(`${name}: what each node admits all count, and together they keep the limit`, async () => {
    const cluster = await createCluster({ api: { limits: [limit] } });
    await take(cluster, 0, 10);
    assert.deepEqual(await remaining(cluster, "api"), [90, 90, 90]);
    await take(cluster, 1, 20);
    assert.deepEqual(await remaining(cluster, "api"), [70, 70, 70]);
    let admitted = 30;
    for (let round = 0; round < 60; round += 1) {
      for (const node of [0, 1, 2]) admitted += await cluster.ask(node, "api", "k", 5);
      await cluster.pass(100);
    }
    assert.ok(admitted >= 98 && admitted <= 103, `${admitted} admitted`);
    assert.equal(await cluster.ask(1, "api", "other", 10, 3), 30, "another key is another");
  });

  test(`${name}: a node that joins knows the state before its ping is answered`, async () => {
    const cluster = await createCluster({ api: { limits: [limit] } });
    await take(cluster, 0, 60);
    cluster.members.push("node-3");
    const joined = cluster.start(3).limiter.ping();
    await cluster.pass(200);
    await joined;
    const known = await remainingAt(cluster, 3, "api");
    assert.ok(known >= 38 && known <= 40, `${known} remain`);
  });
}

test("windows end: what was admitted in one does not count in the next", async () => {
  const cluster = await createCluster({
    api: { limits: [fixedWindow({ limit: 30, window: "10s" })] },
  });
  await cluster.pass(9_000);
  for (let window = 0; window < 3; window += 1) {
    let admitted = 0;
    for (let round = 0; round < 50; round += 1) {
      for (const node of [0, 1, 2]) admitted += await cluster.ask(node, "api", "k", 2);
      await cluster.pass(200);
    }
    assert.ok(admitted >= 29 && admitted <= 34, `${admitted} in window ${window}`);
  }
});

test("several limits of a policy hold together, each by what all nodes admitted", async () => {
  const cluster = await createCluster({
    api: {
      limits: [
        tokenBucket({ capacity: 50, refill: "50/s", name: "burst" }),
        fixedWindow({ limit: 120, window: "1d", name: "day" }),
      ],
    },
  });
  let admitted = 0;
  for (let round = 0; round < 50; round += 1) {
    for (const node of [0, 1, 2]) admitted += await cluster.ask(node, "api", "k", 3);
    await cluster.pass(100);
  }
  assert.ok(admitted >= 118 && admitted <= 124, `${admitted} admitted`);
  const denied = await cluster.nodes[1]!.limiter.check({ policy: "api", key: "k" });
  assert.deepEqual([denied.allowed, denied.limitName], [false, "day"]);
});

test("overrides: unlimited, blocked and other limits, and what comes after one that ends", async () => {
  const endsMs = (NOON_US + 5_000_000) / 1_000;
  const cluster = await createCluster({
    api: {
      limits: day(10),
      overrides: [
        { key: "free", unlimited: true },
        { key: "evil", blocked: true },
        { key: "vip-*", limits: day(50) },
        { key: "trial", unlimited: true, until: endsMs },
      ],
    },
  });
  assert.equal(await cluster.ask(0, "api", "free", 100), 100);
  assert.equal(await cluster.ask(0, "api", "evil", 3), 0);
  await take(cluster, 0, 30, "api", "vip-1");
  assert.deepEqual(await remaining(cluster, "api", "vip-1"), [20, 20, 20]);
  assert.equal(await cluster.ask(0, "api", "trial", 100), 100);
  // Another node is told of the key while it is unlimited there, and must count it afterwards all the same.
  await cluster.pass(5_000);
  await take(cluster, 0, 6, "api", "trial");
  const [first, ...others] = await remaining(cluster, "api", "trial");
  assert.deepEqual(others, [first, first]);
});

test("a shadow admits all, and charges what the limits would have admitted", async () => {
  const cluster = await createCluster({ api: { limits: day(10), shadow: true } });
  assert.equal(await cluster.ask(0, "api", "k", 4), 4);
  assert.deepEqual(await remaining(cluster, "api"), [6, 6, 6]);
  assert.equal(await cluster.ask(1, "api", "k", 20), 20);
  assert.deepEqual(await remaining(cluster, "api"), [0, 0, 0]);
});

test("reserved, settled and refunded units count on all nodes", async () => {
  const cluster = await createCluster({ api: { limits: day(100) } });
  const request = { policy: "api", key: "k" };
  const { limiter } = cluster.nodes[0]!;
  const first = await limiter.reserve({ ...request, cost: 30 });
  assert.deepEqual(await remaining(cluster, "api"), [70, 70, 70]);
  await limiter.settle(first, 10);
  assert.deepEqual(await remaining(cluster, "api"), [90, 90, 90]);
  const second = await limiter.reserve({ ...request, cost: 5 });
  await limiter.settle(second, 25);
  assert.deepEqual(await remaining(cluster, "api"), [65, 65, 65]);
  await limiter.refund({ ...request, cost: 15 });
  assert.deepEqual(await remaining(cluster, "api"), [80, 80, 80]);
});

test("what is given back is there at once on the node that gave it", async () => {
  const cluster = await createCluster({ api: { limits: day(10) } });
  const { limiter } = cluster.nodes[0]!;
  const request = { policy: "api", key: "k" };
  await cluster.pass(500);
  for (let round = 0; round < 20; round += 1) {
    await cluster.ask(0, "api", "k", 3);
    await cluster.pass(100);
  }
  assert.equal((await limiter.check(request)).allowed, false);
  await limiter.refund({ ...request, cost: 4 });
  assert.equal(await cluster.ask(0, "api", "k", 6), 4);
  assert.deepEqual(await remaining(cluster, "api"), [0, 0, 0]);
});

test("a request by the same id is charged once, and told once", async () => {
  const cluster = await createCluster({ api: { limits: day(100) } });
  const { limiter } = cluster.nodes[0]!;
  for (let time = 0; time < 5; time += 1) {
    const { allowed } = await limiter.check({ policy: "api", key: "k", cost: 7, id: "one" });
    assert.equal(allowed, true);
  }
  assert.deepEqual(await remaining(cluster, "api"), [93, 93, 93]);
});

test("several keys as one: all are charged on all nodes, or none", async () => {
  const cluster = await createCluster({ user: { limits: day(10) }, org: { limits: day(15) } });
  const both = [
    { policy: "user", key: "u", cost: 4 },
    { policy: "org", key: "o", cost: 4 },
  ];
  assert.equal((await cluster.nodes[0]!.limiter.checkEvery(both)).allowed, true);
  // Until the first is believed to want no more.
  await cluster.pass(1_500);
  assert.equal((await cluster.nodes[1]!.limiter.checkEvery(both)).allowed, true);
  await cluster.pass(600);
  assert.equal((await cluster.nodes[2]!.limiter.checkEvery(both)).allowed, false);
  assert.deepEqual(await remaining(cluster, "user", "u"), [2, 2, 2]);
  assert.deepEqual(await remaining(cluster, "org", "o"), [7, 7, 7]);
});

test("a look takes nothing and tells what a check would answer", async () => {
  const cluster = await createCluster({ api: { limits: day(10) } });
  const { limiter } = cluster.nodes[0]!;
  const look = await limiter.peek({ policy: "api", key: "k", cost: 10 });
  assert.equal(look.allowed, true);
  assert.equal(cluster.nodes[0]!.status().keys, 0, "a key that was only looked at is not counted");
  assert.equal((await limiter.peek({ policy: "api", key: "k", cost: 11 })).retryAfterMs, null);
  await take(cluster, 0, 10);
  await cluster.pass(600);
  const denied = await cluster.nodes[1]!.limiter.peek({ policy: "api", key: "k" });
  assert.deepEqual([denied.allowed, denied.remaining, denied.source], [false, 0, "local"]);
});

test("a reset counts on all nodes, and what is admitted after it", async () => {
  const cluster = await createCluster({ api: { limits: day(10) } });
  for (const node of [0, 1, 2]) await cluster.ask(node, "api", "k", 3);
  await cluster.pass(600);
  await cluster.nodes[2]!.limiter.reset({ policy: "api", key: "k" });
  assert.deepEqual(await remaining(cluster, "api"), [10, 10, 10]);
  assert.equal(await cluster.ask(2, "api", "k", 2), 2);
  assert.deepEqual(await remaining(cluster, "api"), [8, 8, 8]);
});

test("limits changed at run time keep what was admitted, and go on to be told", async () => {
  const cluster = await createCluster({ api: { limits: day(10) } });
  const change = (limits: PolicyOptions["limits"]) => {
    for (const { limiter } of cluster.nodes) limiter.setPolicy("api", { limits });
  };
  await take(cluster, 0, 6);
  change(day(20));
  assert.deepEqual(await remaining(cluster, "api"), [14, 14, 14]);
  await cluster.ask(1, "api", "k", 2);
  assert.deepEqual(await remaining(cluster, "api"), [12, 12, 12]);
  change([...day(20), tokenBucket({ capacity: 50, refill: "1/d" })]);
  await cluster.ask(2, "api", "k", 3);
  assert.deepEqual(await remaining(cluster, "api"), [9, 9, 9]);
  change(day(20));
  await cluster.ask(2, "api", "k", 1);
  assert.deepEqual(await remaining(cluster, "api"), [8, 8, 8]);
});

test("a key that was reset once is not reset again by limits that change", async () => {
  const cluster = await createCluster({ api: { limits: day(10) } });
  await cluster.nodes[0]!.limiter.reset({ policy: "api", key: "k" });
  await cluster.pass(600);
  for (const node of [0, 1, 2]) await cluster.ask(node, "api", "k", 2);
  await cluster.pass(600);
  for (const { limiter } of cluster.nodes) {
    limiter.setPolicy("api", {
      limits: [...day(10), tokenBucket({ capacity: 50, refill: "1/d" })],
    });
  }
  await cluster.ask(0, "api", "k", 1);
  assert.deepEqual(await remaining(cluster, "api"), [3, 3, 3]);
});

test("a policy that one node alone has is told of by the others, and counted where it is", async () => {
  const cluster = await createCluster({ api: { limits: day(10) } });
  for (const node of [0, 2]) cluster.nodes[node]!.limiter.setPolicy("new", { limits: day(10) });
  await take(cluster, 0, 4, "new");
  await cluster.pass(600);
  assert.equal(await remainingAt(cluster, 2, "new"), 6);
  assert.equal(cluster.nodes[1]!.status().keys, 1);
  cluster.nodes[1]!.limiter.setPolicy("new", { limits: day(10) });
  await cluster.ask(0, "new", "k", 1);
  await cluster.pass(600);
  assert.equal(
    await remainingAt(cluster, 1, "new"),
    9,
    "what it was told of before it had the policy",
  );
});

test("a cost that is never admitted is denied for ever and counted by nobody", async () => {
  const cluster = await createCluster({ api: { limits: day(10) } });
  const { allowed, retryAfterMs } = await cluster.nodes[0]!.limiter.check({
    ...{ policy: "api", key: "k", cost: 11 },
  });
  assert.deepEqual([allowed, retryAfterMs], [false, null]);
  assert.deepEqual(await remaining(cluster, "api"), [10, 10, 10]);
});

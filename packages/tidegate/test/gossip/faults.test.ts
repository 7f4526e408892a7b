// Nodes that gossip through faults: nodes that start again, leave, sleep; networks that lose and repeat; clocks that
// differ and step. What is promised is held through all of it.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow, tokenBucket } from "../../src/index.ts";
import { createSeededRandom } from "../../src/simulation/seeded-random.ts";
import { Cluster, type ClusterOptions } from "./cluster.ts";
import { ask, idealOf } from "./load.ts";

const CAPACITY = 100;
const RATE = 100;
const bucket = { limits: [tokenBucket({ capacity: CAPACITY, refill: `${RATE}/s` })] };
const day = { limits: [fixedWindow({ limit: 100, window: "1d" })] };
const NOON_US = 1_767_225_600_000_000 + 43_200_000_000;

async function createCluster(options: Partial<ClusterOptions> = {}, seed = 5): Promise<Cluster> {
  const random = createSeededRandom(seed);
  const policies = { api: bucket, day };
  const cluster = new Cluster({ policies, nodes: 5, random, startUs: NOON_US, ...options });
  await cluster.pass(1_000);
  return cluster;
}

const loadOf = (perSecond: number, keys = ["k"], seed = 5) => {
  return { policy: "api", keys, perSecond, random: createSeededRandom(seed, 1) };
};

const remainingAt = async (cluster: Cluster, node: number, policy: string, key = "k") => {
  const { remaining } = await cluster.nodes[node]!.limiter.peek({ policy, key, cost: 0 });
  return remaining;
};

/** Has a node admit so many units, in as many rounds as it takes. */
async function take(cluster: Cluster, node: number, units: number, policy: string, key = "k") {
  let left = units;
  for (let round = 0; round < 50 && left > 0; round += 1) {
    left -= await cluster.ask(node, policy, key, left);
    await cluster.pass(100);
  }
  assert.equal(left, 0, "admitted in the end");
}

test("in steady overload all nodes together admit the limit, in every second", async () => {
  const cluster = await createCluster();
  const keys = Array.from({ length: 20 }, (_, index) => `user:${index}`);
  const ideal = idealOf(cluster, []);
  const load = loadOf(1_200, keys);
  await ask(cluster, load, 4_000, ideal);
  const { units, ideal: most, worstSecond, idealSecond } = await ask(cluster, load, 8_000, ideal);
  assert.ok(Math.abs(units / most - 1) <= 0.01, `${units} of ${most}`);
  assert.ok(worstSecond / idealSecond <= 1.04, `${worstSecond} of ${idealSecond} in a second`);
});

test("a third of all messages lost, and a third of the rest twice: the same", async () => {
  const cluster = await createCluster();
  Object.assign(cluster.weather, { loss: 0.3, repeats: 0.3, latencyUs: 5_000 });
  const load = loadOf(1_000, ["a", "b", "c", "d", "e"]);
  await ask(cluster, load, 3_000);
  const { units } = await ask(cluster, load, 10_000);
  assert.ok(Math.abs(units / (5 * 10 * RATE) - 1) <= 0.03, `${units}`);
  assert.equal(
    cluster.nodes[0]!.changes.filter(({ peer }) => peer.state === "away").length,
    0,
    "nobody is away for it",
  );
});

test("a node that is gone is away after a second, however long messages take", async () => {
  for (const latencyUs of [500, 45_000]) {
    const cluster = await createCluster();
    cluster.weather.latencyUs = latencyUs;
    await cluster.pass(2_000);
    cluster.kill(4);
    await cluster.pass(1_700);
    for (const { changes } of cluster.nodes.slice(0, 4)) {
      const [last] = changes.slice(-1);
      assert.deepEqual(
        [last?.peer.address, last?.peer.state],
        ["node-4", "away"],
        `${latencyUs} us`,
      );
    }
  }
});

test("a node that starts again with an empty memory learns what it had admitted, and goes on", async () => {
  const cluster = await createCluster();
  await take(cluster, 4, 60, "day");
  await cluster.pass(500);
  cluster.kill(4);
  await cluster.pass(300);
  const { limiter } = cluster.start(4);
  const joined = limiter.ping();
  await cluster.pass(500);
  await joined;
  assert.equal(await remainingAt(cluster, 4, "day"), 40);
  await take(cluster, 4, 10, "day");
  await cluster.pass(500);
  for (const node of [0, 1, 2, 3]) assert.equal(await remainingAt(cluster, node, "day"), 30);
  assert.equal(cluster.nodes[0]!.status().peers.length, 4);
  assert.ok(cluster.nodes[0]!.status().peers.every(({ state }) => state === "reachable"));
});

test("a node that starts anew each second is no burden, and its admissions stay counted", async () => {
  const cluster = await createCluster();
  for (let life = 0; life < 9; life += 1) {
    await take(cluster, 4, 10, "day");
    await cluster.pass(400);
    cluster.kill(4);
    cluster.start(4);
    await cluster.pass(600);
  }
  for (const node of [0, 1, 2, 3, 4]) assert.equal(await remainingAt(cluster, node, "day"), 10);
});

test("a node that leaves hands over what it had not told", async () => {
  const cluster = await createCluster();
  await take(cluster, 2, 5, "day");
  // Within a round, of more keys than a message has room for.
  let admitted = 0;
  for (let key = 0; key < 300; key += 1) admitted += await cluster.ask(2, "day", `key:${key}`);
  admitted += await cluster.ask(2, "day", "k", 10);
  const closed = cluster.nodes[2]!.limiter.close();
  await cluster.pass(600);
  await closed;
  await cluster.pass(500);
  let counted = 0;
  for (let key = 0; key < 300; key += 1) {
    counted += 100 - (await remainingAt(cluster, 0, "day", `key:${key}`));
  }
  counted += 95 - (await remainingAt(cluster, 0, "day"));
  assert.equal(counted, admitted);
  const change = cluster.nodes[0]!.changes.at(-1)!;
  assert.deepEqual([change.peer.state, change.reachable, change.nodes], ["left", 4, 4]);
});

test("a node that leaves through small messages over a bad network hands over all the same", async () => {
  const cluster = await createCluster({ maxMessageBytes: 1_024, nodes: 3 });
  Object.assign(cluster.weather, { loss: 0.2, latencyUs: 2_000 });
  for (let key = 0; key < 400; key += 1) await cluster.ask(2, "day", `key:${key}`);
  const closed = cluster.nodes[2]!.limiter.close();
  await cluster.pass(1_000);
  await closed;
  await cluster.pass(3_000);
  for (const node of [0, 1]) {
    let counted = 0;
    for (let key = 0; key < 400; key += 1) {
      counted += 100 - (await remainingAt(cluster, node, "day", `key:${key}`));
    }
    assert.equal(counted, 400);
  }
});

test("closed, a node sends nothing more and answers nothing", async () => {
  const cluster = await createCluster({ nodes: 2 });
  const closed = cluster.nodes[1]!.limiter.close();
  await cluster.pass(600);
  await closed;
  let sent = 0;
  cluster.sent = (from) => {
    if (from === "node-1") sent += 1;
  };
  cluster.nodes[1]!.isDown = false;
  await cluster.pass(5_000);
  assert.equal(sent, 0);
});

test("a node that slept for 30 s goes on, and locks nobody out nor in", async () => {
  const cluster = await createCluster();
  const load = loadOf(60);
  await ask(cluster, load, 3_000);
  const sleeper = cluster.nodes[3]!;
  sleeper.isAsleep = true;
  await ask(cluster, { ...load, nodes: [0, 1, 2, 4] }, 30_000);
  cluster.wake(sleeper);
  const first = await ask(cluster, load, 2_000);
  assert.ok(first.units <= 2 * RATE + 2 * CAPACITY, `${first.units}`);
  assert.equal(sleeper.changes.filter(({ peer }) => peer.state === "away").length, 0);
  const then = await ask(cluster, load, 5_000);
  assert.ok(Math.abs(then.units / (5 * RATE) - 1) <= 0.03, `${then.units}`);
});

test("clocks that differ, and one that is stepped, change nothing for buckets and little for windows", async () => {
  const skews = [0, 40_000, -250_000, 3_600_000_000, 7];
  const policies = {
    api: bucket,
    day,
    minute: { limits: [fixedWindow({ limit: 300, window: "1m" })] },
  };
  const cluster = await createCluster({ policies, skewUs: (node) => skews[node]! });
  const load = loadOf(60);
  await ask(cluster, load, 3_000);
  const before = await ask(cluster, load, 5_000);
  assert.ok(Math.abs(before.units / (5 * RATE) - 1) <= 0.03, `${before.units}`);
  for (const step of [-7_200_000_000, 90_000_000, 20 * 60_000_000]) {
    skews[1]! += step;
    const { units } = await ask(cluster, load, 10_000);
    const most = 10 * RATE + CAPACITY;
    assert.ok(units >= 9.5 * RATE && units <= most, `${units} after a step of ${step}`);
  }
  for (let node = 0; node < 5; node += 1) await take(cluster, node, 20, "minute");
  await cluster.pass(500);
  const left = await Promise.all(
    [0, 1, 2, 3, 4].map((node) => remainingAt(cluster, node, "minute")),
  );
  // Node 3's clock is an hour ahead, and so in the same minute.
  for (const node of [0, 2, 3, 4]) assert.equal(left[node], 200, `${left}`);
});

test("a clock that is stepped back an hour and knows no other does not stop the rounds", async () => {
  let stepUs = 0;
  const cluster = await createCluster({ skewUs: () => stepUs, hasSteadyClock: false, nodes: 3 });
  stepUs = -3_600_000_000;
  await cluster.pass(500);
  cluster.kill(2);
  await cluster.pass(2_000);
  assert.equal(cluster.nodes[0]!.changes.at(-1)!.peer.state, "away");
  await take(cluster, 0, 10, "day");
  await cluster.pass(500);
  assert.equal(await remainingAt(cluster, 1, "day"), 90);
});

test("keys that nobody asks for are forgotten everywhere, after a while", async () => {
  const cluster = await createCluster();
  for (let key = 0; key < 500; key += 1) await cluster.ask(key % 5, "api", `key:${key}`);
  await cluster.pass(500);
  for (const { status } of cluster.nodes) assert.equal(status().keys, 500);
  await cluster.pass(180_000);
  for (const { status } of cluster.nodes) {
    assert.deepEqual([status().keys, status().keysInDebt, status().keysWaiting], [0, 0, 0]);
  }
});

test("a key that slept and wakes is told of by itself: not all that its node ever said", async () => {
  const slow = { limits: [tokenBucket({ capacity: 100, refill: "1/m" })] };
  const cluster = await createCluster({ policies: { api: bucket, day, slow }, nodes: 3 });
  for (let key = 0; key < 400; key += 1) await cluster.ask(0, "slow", `key:${key}`, 2);
  // Another believes it to be unused before the node does that told of it, and forgets it.
  await cluster.pass(1_000);
  for (let key = 0; key < 50; key += 1) {
    await cluster.nodes[1]!.limiter.refund({ policy: "slow", key: `key:${key}`, cost: 1 });
  }
  cluster.weather.blocks = (from) => from === "node-1";
  await cluster.pass(100_000);
  cluster.weather.blocks = () => false;
  await cluster.pass(2_000);
  cluster.bytes = 0;
  for (let key = 0; key < 50; key += 1) await cluster.ask(0, "slow", `key:${key}`);
  await cluster.pass(1_000);
  assert.ok(cluster.bytes < 40_000, `${cluster.bytes} bytes`);
});

test("a hundred nodes know of an admission after some rounds more than their logarithm", async () => {
  const cluster = new Cluster({
    ...{ policies: { api: bucket, day }, nodes: 100, random: createSeededRandom(3) },
    startUs: NOON_US,
  });
  await cluster.pass(2_000);
  assert.equal(await cluster.ask(17, "day", "k"), 1);
  let rounds = 0;
  for (let ignorant = 99; ignorant > 0 && rounds < 20; rounds += 1) {
    await cluster.pass(100);
    const known = await Promise.all(
      cluster.nodes.map((_, node) => remainingAt(cluster, node, "day")),
    );
    ignorant = known.filter((remaining) => remaining === 100).length;
  }
  assert.ok(rounds <= 9, `${rounds} rounds`);
});

test("a transport that cannot be opened: ping says why, and the node decides alone", async () => {
  const cluster = await createCluster({ nodes: 2 });
  cluster.openError = new Error("the address is in use");
  const { limiter, status } = cluster.start(1);
  await assert.rejects(limiter.ping(), /the address is in use/);
  await cluster.pass(2_000);
  const fast = { policy: "day", key: "k" };
  let admitted = 0;
  for (let time = 0; time < 120; time += 1) if ((await limiter.check(fast)).allowed) admitted += 1;
  assert.equal(admitted, 100);
  await limiter.refund({ ...fast, cost: 5 });
  assert.equal((await limiter.check({ ...fast, cost: 5 })).allowed, true);
  for (let key = 0; key < 50; key += 1) await limiter.check({ policy: "api", key: `key:${key}` });
  await cluster.pass(180_000);
  assert.equal(status().keys, 1, "and it forgets what is unused");
  await limiter.close();
});

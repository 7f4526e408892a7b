// Partitions, with both policies: what all sides admit together is bounded, and after healing the cluster is one again
// within a few rounds, with no key locked for longer than its bucket takes to fill.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow, tokenBucket } from "../../src/index.ts";
import type { Partition } from "../../src/policy/policy.ts";
import { createSeededRandom } from "../../src/simulation/seeded-random.ts";
import { Cluster } from "./cluster.ts";
import { ask } from "./load.ts";

const CAPACITY = 100;
const RATE = 100;
const NOON_US = 1_767_225_600_000_000 + 43_200_000_000;

const SIDES = {
  "two sides": [
    ["node-0", "node-1", "node-2"],
    ["node-3", "node-4"],
  ],
  "three sides": [["node-0", "node-1"], ["node-2"], ["node-3", "node-4"]],
  "every node alone": [["node-0"], ["node-1"], ["node-2"], ["node-3"], ["node-4"]],
};

async function createCluster(partition: Partition, seed: number): Promise<Cluster> {
  const cluster = new Cluster({
    policies: {
      api: { limits: [tokenBucket({ capacity: CAPACITY, refill: `${RATE}/s` })], partition },
      day: { limits: [fixedWindow({ limit: 300, window: "1d" })], partition },
    },
    ...{ nodes: 5, random: createSeededRandom(seed), startUs: NOON_US },
  });
  await cluster.pass(1_000);
  return cluster;
}

const loadOf = (seed: number, perSecond = 100, policy = "api") => {
  return { policy, keys: ["k"], perSecond, random: createSeededRandom(seed, 1) };
};

/** After healing: the limit again, within 2 % once the debt is repaid and five rounds are over. */
async function requireHealed(cluster: Cluster, load: ReturnType<typeof loadOf>): Promise<void> {
  cluster.weather.sides = [];
  cluster.weather.blocks = () => false;
  // A debt is the capacity at most, and repaid in the time that takes to fill.
  const repaying = await ask(cluster, load, (1_000 * CAPACITY) / RATE + 500);
  assert.ok(repaying.units <= 1.5 * RATE + CAPACITY, `${repaying.units} while it is repaid`);
  const { units } = await ask(cluster, load, 10_000);
  assert.ok(Math.abs(units / (10 * RATE) - 1) <= 0.02, `${units} of ${10 * RATE} when healed`);
  for (const { status } of cluster.nodes) {
    assert.ok(status().peers.every(({ state }) => state === "reachable"));
    assert.ok(status().debtUnits <= CAPACITY);
  }
}

for (const [name, sides] of Object.entries(SIDES)) {
  test(`${name}, "full": each side enforces the limit, and none more`, async () => {
    for (const seed of [1, 2]) {
      const cluster = await createCluster("full", seed);
      const load = loadOf(seed);
      await ask(cluster, load, 3_000);
      cluster.weather.sides = sides;
      // Until a side knows that it is one.
      await ask(cluster, load, 2_000);
      const { units } = await ask(cluster, load, 20_000);
      const asked = 20 * 500;
      const most = sides.length * (CAPACITY + 20 * RATE);
      assert.ok(units <= most, `${units} of ${most}`);
      // No side denies what it has: a side is asked for more than the limit where it has more nodes than one.
      const wanted = sides.reduce((sum, side) => sum + Math.min(side.length * 100, RATE), 0) * 20;
      assert.ok(units >= 0.93 * Math.min(wanted, asked), `${units} of ${wanted} wanted`);
      await requireHealed(cluster, load);
    }
  });

  test(`${name}, "share": all sides together keep the limit`, async () => {
    for (const seed of [1, 2]) {
      const cluster = await createCluster("share", seed);
      const load = loadOf(seed);
      await ask(cluster, load, 3_000);
      cluster.weather.sides = sides;
      const { units } = await ask(cluster, load, 20_000);
      // Four rounds and the lag of one go by until the silence is noted.
      const most = CAPACITY + 20 * RATE + 0.5 * RATE * (sides.length - 1);
      assert.ok(units <= most, `${units} of ${most}`);
      assert.ok(units >= 0.7 * 20 * RATE, `${units} of ${most}`);
      await requireHealed(cluster, load);
    }
  });
}

test('a window in a partition: "full" admits it on each side at most, "share" once', async () => {
  for (const [partition, most] of [
    ["full", 600],
    ["share", 330],
  ] as const) {
    const cluster = await createCluster(partition, 4);
    const load = loadOf(4, 20, "day");
    const before = await ask(cluster, load, 1_500);
    cluster.weather.sides = SIDES["two sides"];
    const { units } = await ask(cluster, load, 20_000);
    const all = before.units + units;
    assert.ok(all <= most && all >= 200, `${partition}: ${all} of ${most}`);
    cluster.weather.sides = [];
    await cluster.pass(1_000);
    const healed = await ask(cluster, load, 3_000);
    assert.ok(healed.units <= Math.max(300 - all, 0) + 15, `${healed.units} more after healing`);
  }
});

test("messages that pass one way only: no more than if none passed, and it heals", async () => {
  for (const partition of ["full", "share"] as const) {
    const cluster = await createCluster(partition, 6);
    const load = loadOf(6);
    await ask(cluster, load, 3_000);
    const far = new Set(["node-3", "node-4"]);
    cluster.weather.blocks = (from, to) => far.has(from) && !far.has(to);
    const { units } = await ask(cluster, load, 20_000);
    const most = (partition === "full" ? 2 : 1) * (CAPACITY + 20 * RATE) + RATE;
    assert.ok(units <= most, `${partition}: ${units} of ${most}`);
    assert.ok(units >= 0.9 * 20 * RATE * (partition === "full" ? 1 : 0.8), `${units} of ${most}`);
    await requireHealed(cluster, load);
  }
});

test("sides that change while they last are bounded as the worst of them", async () => {
  const cluster = await createCluster("full", 7);
  const load = loadOf(7);
  await ask(cluster, load, 3_000);
  let units = 0;
  for (const sides of [...Object.values(SIDES), []]) {
    cluster.weather.sides = sides;
    units += (await ask(cluster, load, 5_000)).units;
  }
  const most = [2, 3, 5, 1].reduce((sum, sides) => sum + sides * (CAPACITY + 5 * RATE), 0);
  assert.ok(units <= most, `${units} of ${most}`);
  await requireHealed(cluster, load);
});

test('a side that is asked for nothing keeps its part under "share", and has it when it is asked', async () => {
  const cluster = await createCluster("share", 8);
  const load = loadOf(8);
  await ask(cluster, load, 3_000);
  cluster.weather.sides = SIDES["two sides"];
  await ask(cluster, load, 2_000);
  const one = await ask(cluster, { ...load, nodes: [0, 1, 2] }, 10_000);
  assert.ok(one.units <= 0.65 * 10 * RATE + CAPACITY, `${one.units} by one side alone`);
  const other = await ask(cluster, { ...load, nodes: [3, 4] }, 10_000);
  assert.ok(other.units >= 0.3 * 10 * RATE, `${other.units} by the other`);
  await requireHealed(cluster, load);
});

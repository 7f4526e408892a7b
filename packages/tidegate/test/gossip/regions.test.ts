// Regions: within one nodes gossip closely; between them few do, and seldom. Limits are split by demand over all, or by
// fixed weights, and then nothing travels.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow, tokenBucket } from "../../src/index.ts";
import type { PolicyOptions } from "../../src/policy/policy.ts";
import { createSeededRandom } from "../../src/simulation/seeded-random.ts";
import { Cluster } from "./cluster.ts";
import { ask } from "./load.ts";

const RATE = 100;
const bucket = tokenBucket({ capacity: RATE, refill: `${RATE}/s` });
const regionOf = (node: number) => (node < 4 ? "eu" : "us");
const NOON_US = 1_767_225_600_000_000 + 43_200_000_000;

async function createCluster(api: PolicyOptions): Promise<Cluster> {
  const day = { limits: [fixedWindow({ limit: 100, window: "1d" })] };
  const cluster = new Cluster({
    ...{ policies: { api, day }, nodes: 8, random: createSeededRandom(9), startUs: NOON_US },
    ...{ region: regionOf, regionInterval: "1s" },
  });
  await cluster.pass(4_000);
  return cluster;
}

const nodeOf = (address: string) => Number(address.slice(5));

/** Counts messages between regions, the nodes that send them, and those within one. */
function countMessages(cluster: Cluster) {
  const count = { between: 0, within: 0, senders: new Set<string>(), policies: new Set<string>() };
  cluster.sent = (from, to, message) => {
    if (regionOf(nodeOf(from)) === regionOf(nodeOf(to))) {
      count.within += 1;
      return;
    }
    count.between += 1;
    count.senders.add(from);
    const text = new TextDecoder().decode(message);
    for (const name of ["api", "day"]) if (text.includes(name)) count.policies.add(name);
  };
  return count;
}

test("regions exchange through two nodes of each, once per interval", async () => {
  const cluster = await createCluster({ limits: [bucket] });
  const count = countMessages(cluster);
  await ask(
    cluster,
    { policy: "api", keys: ["k"], perSecond: 50, random: createSeededRandom(2) },
    10_000,
  );
  // Two nodes of each region ask once a second, and each is answered: three messages at most.
  assert.ok(count.between >= 40 && count.between <= 150, `${count.between} messages`);
  assert.ok(count.within > 10 * count.between, `${count.within} within`);
  const asking = new Set<string>();
  cluster.sent = (from, to, message) => {
    if (regionOf(nodeOf(from)) !== regionOf(nodeOf(to)) && message[3] === 0) asking.add(from);
  };
  await cluster.pass(10_000);
  assert.equal(asking.size, 4);
});

test("every region asks every other, however many there are and however long their answers take", async () => {
  const regionOf = (node: number) => `region-${Math.floor(node / 2)}`;
  const cluster = new Cluster({
    ...{ policies: { api: { limits: [bucket] } }, nodes: 12, random: createSeededRandom(9) },
    ...{ region: regionOf, regionInterval: "1s" },
  });
  await cluster.pass(4_000);
  Object.assign(cluster.weather, { latencyUs: 80_000 });
  const pairs = new Set<string>();
  cluster.sent = (from, to, message) => {
    if (message[3] === 0) pairs.add([from, to].map((node) => regionOf(nodeOf(node))).join(" "));
  };
  await cluster.pass(10_000);
  assert.equal(pairs.size, 6 * 6);
});

test("split by demand: all regions together admit the limit, and one alone all of it", async () => {
  const cluster = await createCluster({ limits: [bucket] });
  const load = { policy: "api", keys: ["k"], perSecond: 60, random: createSeededRandom(3) };
  await ask(cluster, load, 8_000);
  const { units } = await ask(cluster, load, 15_000);
  assert.ok(Math.abs(units / (15 * RATE) - 1) <= 0.05, `${units} of both`);
  const alone = { ...load, nodes: [4, 5, 6, 7] };
  await ask(cluster, alone, 8_000);
  const one = await ask(cluster, alone, 10_000);
  assert.ok(Math.abs(one.units / (10 * RATE) - 1) <= 0.05, `${one.units} of one`);
});

test("cut apart, regions go on with their parts until each finds the other gone, as far as they know", async () => {
  for (const seed of [5, 6, 7]) {
    const cluster = await createCluster({ limits: [bucket] });
    const load = { policy: "api", keys: ["k"], perSecond: 60, random: createSeededRandom(seed) };
    await ask(cluster, load, 10_000);
    cluster.weather.blocks = (from, to) => regionOf(nodeOf(from)) !== regionOf(nodeOf(to));
    for (let second = 1; second <= 7; second += 1) {
      const { units } = await ask(cluster, load, 1_000);
      assert.ok(units >= 0.85 * RATE && units <= 1.25 * RATE, `${units} in second ${second}`);
    }
  }
});

test("what one region admits another counts within a few of its intervals", async () => {
  const cluster = await createCluster({ limits: [bucket] });
  for (let time = 0; time < 30; time += 1) {
    await cluster.ask(0, "day", "k", 1);
    await cluster.pass(100);
  }
  await cluster.pass(3_000);
  const left = await Promise.all(
    cluster.nodes.map(({ limiter }) => limiter.peek({ policy: "day", key: "k", cost: 0 })),
  );
  assert.deepEqual(
    left.map(({ remaining }) => remaining),
    cluster.nodes.map(() => 70),
  );
});

test("split by weights: each region admits its part, and nothing of it travels", async () => {
  const cluster = await createCluster({ limits: [bucket], regions: { eu: 3, us: 1 } });
  const load = { policy: "api", keys: ["k"], perSecond: 60, random: createSeededRandom(4) };
  await ask(cluster, load, 3_000);
  const count = countMessages(cluster);
  const { byNode } = await ask(cluster, load, 10_000);
  const sum = (nodes: readonly number[]) => nodes.reduce((all, one) => all + one, 0);
  const [eu, us] = [sum(byNode.slice(0, 4)), sum(byNode.slice(4))];
  assert.ok(Math.abs(eu / (7.5 * RATE) - 1) <= 0.04, `${eu} in eu`);
  assert.ok(Math.abs(us / (2.5 * RATE) - 1) <= 0.06, `${us} in us`);
  assert.deepEqual([...count.policies], []);
  await cluster.ask(0, "day", "k", 1);
  await cluster.pass(3_000);
  assert.deepEqual([...count.policies], ["day"], "others travel");
});

test("regions that are cut apart each go on, and are one again when it heals", async () => {
  const cluster = await createCluster({ limits: [bucket] });
  const load = { policy: "api", keys: ["k"], perSecond: 60, random: createSeededRandom(5) };
  await ask(cluster, load, 5_000);
  cluster.weather.blocks = (from, to) => regionOf(nodeOf(from)) !== regionOf(nodeOf(to));
  await ask(cluster, load, 10_000);
  const apart = await ask(cluster, load, 10_000);
  assert.ok(apart.units <= 2 * 11 * RATE && apart.units >= 1.9 * 10 * RATE, `${apart.units}`);
  cluster.weather.blocks = () => false;
  await ask(cluster, load, 5_000);
  const { units } = await ask(cluster, load, 10_000);
  assert.ok(Math.abs(units / (10 * RATE) - 1) <= 0.05, `${units} when healed`);
});

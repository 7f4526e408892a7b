// Traps of nodes that agree without a store: what they exchange, and what a partition leaves behind.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { fixedWindow, tokenBucket } from "tidegate";
import { Cluster } from "../../packages/tidegate/test/gossip/cluster.ts";
import { createSeededRandom } from "../support/seeded-random.ts";

const NODES = 5;
const CAPACITY = 100;
const RATE = 100;
const INTERVAL_MS = 100;
const SECONDS = 20;
/** Requests of each node in each millisecond: five times the limit, all nodes together. */
const EACH_MS = 1;

const randomOf = (seed: number) => {
  const random = createSeededRandom(seed);
  return { next: () => random.below(2 ** 32) / 2 ** 32 };
};

/** What is often published: a bucket of its own on each node, which takes over the most tokens that a peer has. */
class LargerBucket {
  tokens = CAPACITY;
  #filledMs = 0;

  fill(nowMs: number): void {
    this.tokens = Math.min(this.tokens + ((nowMs - this.#filledMs) * RATE) / 1_000, CAPACITY);
    this.#filledMs = nowMs;
  }

  take(): boolean {
    if (this.tokens < 1) return false;
    this.tokens -= 1;
    return true;
  }

  merge(other: LargerBucket): void {
    this.tokens = Math.max(this.tokens, other.tokens);
  }
}

function admittedByLarger(): number {
  const { next } = randomOf(1);
  const nodes = Array.from({ length: NODES }, () => new LargerBucket());
  let admitted = 0;
  for (let nowMs = 0; nowMs < 1_000 * SECONDS; nowMs += 1) {
    for (const node of nodes) {
      node.fill(nowMs);
      for (let time = 0; time < EACH_MS; time += 1) if (node.take()) admitted += 1;
    }
    if (nowMs % INTERVAL_MS > 0) continue;
    for (const node of nodes) {
      for (let peer = 0; peer < 2; peer += 1) node.merge(nodes[Math.floor(next() * NODES)]!);
    }
  }
  return admitted;
}

async function admittedByGossip(): Promise<number> {
  const cluster = new Cluster({
    policies: { api: { limits: [tokenBucket({ capacity: CAPACITY, refill: `${RATE}/s` })] } },
    ...{ nodes: NODES, random: randomOf(1), interval: `${INTERVAL_MS}ms` },
  });
  await cluster.pass(1_000);
  let admitted = 0;
  for (let ms = 0; ms < 1_000 * SECONDS; ms += 10) {
    for (let node = 0; node < NODES; node += 1) {
      admitted += await cluster.ask(node, "api", "k", 10 * EACH_MS);
    }
    await cluster.pass(10);
  }
  return admitted;
}

describe("gossip", () => {
  test("trap 16: remaining tokens, the larger kept, enforce no limit; what was admitted does", async () => {
    const ideal = CAPACITY + RATE * SECONDS;
    const larger = admittedByLarger() / ideal;
    assert.ok(larger > 1.9, `the larger of remaining tokens admits ${larger} of the limit`);
    const ours = (await admittedByGossip()) / ideal;
    assert.ok(Math.abs(ours - 1) <= 0.02, `gossip admits ${ours} of the limit`);
  });

  test("trap 17: a partition that heals locks no key out for longer than it takes to fill", async () => {
    for (const minutes of [1, 10]) {
      const cluster = new Cluster({
        policies: {
          api: { limits: [tokenBucket({ capacity: CAPACITY, refill: `${RATE}/s` })] },
          window: { limits: [fixedWindow({ limit: CAPACITY, window: "10s" })] },
        },
        ...{ nodes: 4, random: randomOf(2), interval: "1s" },
      });
      await cluster.pass(5_000);
      cluster.weather.sides = [["node-0"], ["node-1"], ["node-2"], ["node-3"]];
      for (let second = 0; second < 60 * minutes; second += 1) {
        for (let node = 0; node < 4; node += 1) {
          await cluster.ask(node, "api", "k", 200);
          await cluster.ask(node, "window", "k", 20);
        }
        await cluster.pass(1_000);
      }
      cluster.weather.sides = [];
      // Each learns of what the others admitted in all that time.
      await cluster.pass(2_500);
      for (const { limiter, status } of cluster.nodes) {
        const { retryAfterMs } = await limiter.peek({ policy: "api", key: "k" });
        assert.ok(retryAfterMs! <= (1_000 * CAPACITY) / RATE, `${retryAfterMs} ms of debt`);
        assert.ok(status().debtUnits <= 2 * CAPACITY);
      }
      await cluster.pass(1_500 + (2_000 * CAPACITY) / RATE);
      let admitted = 0;
      for (let round = 0; round < 5; round += 1) {
        for (let node = 0; node < 4; node += 1)
          admitted += await cluster.ask(node, "api", "k", 200);
        await cluster.pass(1_000);
      }
      assert.ok(admitted >= 3 * RATE, `${admitted} in five seconds`);
      await cluster.pass(10_000);
      let inWindow = 0;
      for (let round = 0; round < 9; round += 1) {
        for (let node = 0; node < 4; node += 1) {
          inWindow += await cluster.ask(node, "window", "k", 200);
        }
        await cluster.pass(1_000);
      }
      assert.ok(inWindow >= 0.9 * CAPACITY, `${inWindow} in a window after it`);
    }
  });
});

// In how many rounds all nodes know what one admitted, in the model: as the logarithm of their number.

import { tokenBucket } from "tidegate";
import type { Section } from "../report/section.ts";
import { median } from "../report/statistics.ts";
import { ModelCluster } from "./model-cluster.ts";

const SIZES = [5, 10, 30, 100];
const LARGEST = 100;
const INTERVAL_MS = 100;
/** Looks within a round. */
const LOOK_MS = 10;
const CAPACITY = 1_000;
const TAKEN = 500;
const SETTLE_MS = 5_000;
const MOST_ROUNDS = 100;

/** Counts rounds, over some seeds. */
export async function convergenceSection(quick: boolean): Promise<Section> {
  const seeds = quick ? [1, 2] : [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];
  const measurements = [];
  for (const nodes of SIZES) {
    const rounds: number[] = [];
    for (const seed of seeds) rounds.push(await roundsUntilAllKnow(nodes, seed));
    measurements.push({
      contender: `${nodes} nodes`,
      unit: "commands" as const,
      values: rounds,
      columns: [
        { title: "at worst", unit: "commands" as const, value: Math.max(...rounds) },
        { title: "log₂ of the nodes", unit: "commands" as const, value: Math.log2(nodes) },
        {
          title: "median ÷ log₂",
          unit: "per request" as const,
          value: median(rounds) / Math.log2(nodes),
        },
      ],
    });
  }
  return {
    title: "Gossip: rounds until all nodes know",
    how:
      `In the model: one node takes ${TAKEN} of the ${CAPACITY} units of a key, and after so many rounds of ` +
      `${INTERVAL_MS} ms every other one knows. ${seeds.length} seeds; \`fanout: 2\`.`,
    valuesTitle: "rounds, median [min – max]",
    measurements,
    goals: [
      {
        contender: `${LARGEST} nodes`,
        column: "at worst",
        atMost: Math.ceil(Math.log2(LARGEST)) + 2,
      },
    ],
  };
}

async function roundsUntilAllKnow(nodes: number, seed: number): Promise<number> {
  const limits = [tokenBucket({ capacity: CAPACITY, refill: "1/h" })];
  const policies = { shared: { limits } };
  const cluster = new ModelCluster({ nodes, intervalMs: INTERVAL_MS, policies, seed });
  await cluster.until(SETTLE_MS);
  const [teller] = cluster.nodes;
  const key = { policy: "shared", key: "one" };
  await teller!.limiter.check({ ...key, cost: 1 });
  let taken = 1;
  // A new key has equal shares at first, so that it is taken bit by bit until it is this node's alone.
  while (taken < TAKEN) {
    const { allowed } = await teller!.limiter.check({ ...key, cost: 1 });
    if (allowed) taken += 1;
    else await cluster.until(cluster.nowMs + INTERVAL_MS);
  }
  const beganMs = cluster.nowMs;
  for (let ms = 0; ms <= MOST_ROUNDS * INTERVAL_MS; ms += LOOK_MS) {
    await cluster.until(beganMs + ms);
    const views = await Promise.all(cluster.nodes.map(({ limiter }) => limiter.peek(key)));
    if (views.every(({ remaining }) => remaining <= CAPACITY - TAKEN)) return ms / INTERVAL_MS;
  }
  throw new Error(`${nodes} nodes do not all know after ${MOST_ROUNDS} rounds`);
}

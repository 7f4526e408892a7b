// Load on a cluster in virtual time, and what of it was admitted, beside what one limiter that sees all would admit.

import type { Limit } from "../../src/index.ts";
import { createLimiter, memoryStore } from "../../src/index.ts";
import type { Random } from "../../src/ports/random.ts";
import { exponential } from "../../src/simulation/seeded-random.ts";
import type { Cluster } from "./cluster.ts";

/** Requests as they come: a Poisson process for each node. */
export interface Load {
  readonly policy: string;
  readonly keys: readonly string[];
  /** Requests per second at each node, over all keys. */
  readonly perSecond: number;
  readonly random: Random;
  /** Nodes that are asked; left out, all. */
  readonly nodes?: readonly number[];
  readonly cost?: number;
}

/** What became of it, by second and key. */
export interface Admitted {
  readonly units: number;
  /** The same of the one limiter that saw every request. */
  readonly ideal: number;
  /** The most that was admitted within a second, over all keys, and of the one limiter. */
  readonly worstSecond: number;
  readonly idealSecond: number;
  readonly byNode: readonly number[];
}

/** Asks for a while; the limiter that sees all goes on from one call to the next where one is passed. */
export async function ask(
  cluster: Cluster,
  load: Load,
  milliseconds: number,
  ideal = idealOf(cluster, []),
): Promise<Admitted> {
  const { policy, keys, perSecond, random, cost = 1 } = load;
  const { time } = cluster;
  const beganUs = time.nowUs;
  const endUs = beganUs + 1_000 * milliseconds;
  const nodes = load.nodes ?? cluster.nodes.map((_, index) => index);
  const byNode = cluster.nodes.map(() => 0);
  const seconds: number[] = [];
  const idealSeconds: number[] = [];
  let units = 0;
  let idealUnits = 0;
  const next = (node: number) => {
    const atUs = time.nowUs + exponential(random, 1_000_000 / perSecond);
    if (atUs > endUs) return;
    time.at(Math.ceil(atUs), () => {
      next(node);
      if (cluster.nodes[node]!.isDown) return;
      const key = keys[Math.floor(random.next() * keys.length)]!;
      const second = Math.floor((time.nowUs - beganUs) / 1_000_000);
      void ideal.check({ policy, key, cost }).then(({ allowed }) => {
        if (!allowed) return;
        idealUnits += cost;
        idealSeconds[second] = (idealSeconds[second] ?? 0) + cost;
      });
      void cluster.nodes[node]!.limiter.check({ policy, key, cost }).then(({ allowed }) => {
        if (!allowed) return;
        units += cost;
        byNode[node]! += cost;
        seconds[second] = (seconds[second] ?? 0) + cost;
      });
    });
  };
  for (const node of nodes) next(node);
  await cluster.pass(milliseconds);
  const worst = (list: readonly number[]) => list.reduce((most, one) => Math.max(most, one), 0);
  const [worstSecond, idealSecond] = [worst(seconds), worst(idealSeconds)];
  return { units, ideal: idealUnits, worstSecond, idealSecond, byNode };
}

/** Creates the limiter that sees every request. */
export function idealOf(cluster: Cluster, limits: readonly Limit[]) {
  const clock = { now: () => cluster.time.nowUs };
  const policies = limits.length > 0 ? { api: { limits } } : cluster.localPolicies();
  return createLimiter({ store: memoryStore({ clock }), policies });
}

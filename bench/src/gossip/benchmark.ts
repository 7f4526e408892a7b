// Gossip measured: five services through a partition and the death of a node, beside the model; how fast news spreads;
// and what it costs.

import type { Benchmark } from "../benchmark.ts";
import { convergenceSection } from "./convergence.ts";
import { costsSection } from "./costs.ts";
import { throughputSection } from "./in-process.ts";
import { createNamespaces } from "./places.ts";
import { NODES, phasesOf } from "./scenario.ts";
import { cpuWithoutGossip, scenarioSection } from "./scenario-section.ts";
import { steadySection } from "./steady.ts";

const SEED = 1;

/** The benchmark "gossip". */
export const gossipBenchmark: Benchmark = {
  name: "gossip",
  page: "coordination.md",
  async *run(effort) {
    const { quick } = effort;
    const phases = phasesOf(quick);
    const places = createNamespaces(NODES);
    try {
      const cpuWithout = places === undefined ? Number.NaN : await cpuWithoutGossip(places);
      for (const intervalMs of [100, 1_000]) {
        for (const partition of ["full", "share"] as const) {
          const scenario = { intervalMs, partition, phases, seed: SEED };
          yield await scenarioSection({ scenario, places, cpuWithout });
        }
      }
    } finally {
      places?.remove();
    }
    yield await steadySection(quick);
    yield await convergenceSection(quick);
    yield await throughputSection(effort);
    yield await costsSection(quick);
  },
};

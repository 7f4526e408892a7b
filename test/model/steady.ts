// Scenarios in which nothing goes wrong, by which is measured how much of the ideal is admitted, how fairly, and at how
// many calls of the store.

import { tokenBucket } from "tidegate";
import { NO_FAULTS, type Scenario } from "./scenario.ts";
import { equalShares, oneOf, zipfShares } from "./shares.ts";

/** A whole day of 2026. */
export const DAY_US = Date.UTC(2026, 0, 1) * 1_000;

interface SteadyOptions {
  readonly name: string;
  readonly nodes?: number;
  readonly keys?: number;
  readonly capacity: number;
  readonly refill: string;
  readonly rate: number;
  readonly latencyMs?: number;
  readonly seconds?: number;
  readonly nodeShares?: readonly number[];
  readonly costs?: readonly number[];
}

/** A scenario in which nothing goes wrong. */
export interface SteadyScenario extends Scenario {
  /** Whether each node is asked so often for a key that the store is asked for one request in a hundred at most. */
  readonly isHot: boolean;
}

function steady(options: SteadyOptions): SteadyScenario {
  const {
    name,
    nodes = 5,
    keys = 1,
    capacity,
    refill,
    rate,
    latencyMs = 0.5,
    seconds = 20,
  } = options;
  return {
    name,
    isHot: rate / nodes / keys >= 1_000,
    policy: { limits: [tokenBucket({ capacity, refill })] },
    leaseUs: 1_000_000,
    quietUs: 100_000,
    nodes,
    keyShares: zipfShares(keys),
    nodeShares: options.nodeShares ?? equalShares(nodes),
    rate: () => rate,
    seconds,
    costs: options.costs ?? [1],
    isInTime: true,
    network: {
      latencyUs: [latencyMs * 250, latencyMs * 750],
      lostQuestions: 0,
      lostAnswers: 0,
      overtakes: false,
      lateCountsUs: 0,
    },
    faults: NO_FAULTS,
    losesUnits: false,
    startUs: DAY_US,
  };
}

/** Keys over their limits, in which at least 99 % of the ideal is admitted. */
export const OVERLOADED: readonly SteadyScenario[] = [
  steady({ name: "one hot key", capacity: 7_000, refill: "7000/s", rate: 15_000 }),
  steady({
    name: "one hot key, 5 ms",
    capacity: 7_000,
    refill: "7000/s",
    rate: 15_000,
    latencyMs: 5,
  }),
  steady({ name: "one node", nodes: 1, capacity: 100, refill: "100/s", rate: 300 }),
  steady({
    name: "two nodes, 2 ms",
    nodes: 2,
    capacity: 100,
    refill: "100/s",
    rate: 1_000,
    latencyMs: 2,
  }),
  steady({ name: "50 nodes", nodes: 50, capacity: 7_000, refill: "7000/s", rate: 15_000 }),
  steady({
    name: "50 nodes, small",
    nodes: 50,
    capacity: 100,
    refill: "100/s",
    rate: 3_000,
    seconds: 60,
  }),
  steady({ name: "small bucket", capacity: 20, refill: "10/s", rate: 100, seconds: 60 }),
  steady({ name: "slow", capacity: 5, refill: "5/m", rate: 5, seconds: 6_000 }),
  steady({ name: "20 users, over", keys: 20, capacity: 100, refill: "100/s", rate: 15_000 }),
  steady({
    name: "one node has 90 %",
    capacity: 7_000,
    refill: "7000/s",
    rate: 15_000,
    nodeShares: oneOf(5, 0.9),
  }),
  steady({
    name: "costs of 1 to 10",
    capacity: 1_000,
    refill: "1000/s",
    rate: 1_000,
    seconds: 60,
    costs: [1, 2, 5, 10],
  }),
  steady({ name: "a little over", capacity: 1_000, refill: "1000/s", rate: 1_100, seconds: 60 }),
];

/** Keys under their limits, of which nearly nothing is denied. */
export const UNDERLOADED: readonly SteadyScenario[] = [
  steady({ name: "one hot key", capacity: 15_000, refill: "20000/s", rate: 15_000 }),
  steady({
    name: "one hot key, 5 ms",
    capacity: 15_000,
    refill: "20000/s",
    rate: 15_000,
    latencyMs: 5,
  }),
  steady({ name: "near the limit", capacity: 1_000, refill: "1000/s", rate: 900 }),
  steady({ name: "half of a small bucket", capacity: 20, refill: "10/s", rate: 5, seconds: 120 }),
  steady({
    name: "50 nodes, half",
    nodes: 50,
    capacity: 100,
    refill: "100/s",
    rate: 50,
    seconds: 60,
  }),
  steady({
    name: "a handful over 50 nodes",
    nodes: 50,
    capacity: 100,
    refill: "10/s",
    rate: 2,
    seconds: 120,
  }),
  steady({
    name: "login, 5 a minute",
    nodes: 5,
    capacity: 5,
    refill: "5/m",
    rate: 0.03,
    seconds: 3_600,
  }),
];

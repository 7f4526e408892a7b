// Scenarios of the simulator in which anything goes wrong, drawn from a seed: small ones, each with every coordination
// side by side.

import {
  calendarWindow,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import {
  type ConfigurationOptions,
  checkScenario,
  type FaultOptions,
  type NetworkOptions,
  type NodesOptions,
  type Scenario,
  type TrafficOptions,
} from "tidegate/simulation";
import { chance, ratioBetween } from "../model/chance.ts";
import { createSeededRandom, type SeededRandom } from "../support/seeded-random.ts";

const MAX_RATE = 800;

/** Draws a scenario: mostly one in which anything goes wrong, else one long enough to see what a steady load gets. */
export function drawScenario(seed: number): Scenario {
  const random = createSeededRandom(seed);
  return chance(random) < 0.1 ? drawSteady(seed, random) : drawAny(seed, random);
}

/** A few users above their limit on all nodes alike, and at most one partition, with time to heal. */
function drawSteady(seed: number, random: SeededRandom): Scenario {
  const count = random.between(2, 5);
  const units = random.between(50, 200);
  // Of fewer units in all, chance has too large a part to judge convergence by.
  const keys = Math.ceil(random.between(750, 1_000) / units);
  const limits = [tokenBucket({ capacity: units, refill: `${units}/s` })];
  const half = Math.ceil(count / 2);
  const nodes = Array.from({ length: count }, (_, node) => node + 1);
  const sides = [nodes.slice(0, half), nodes.slice(half)];
  const isCut = chance(random) < 0.5;
  const configurations = drawConfigurations(random, limits, { count });
  const { gossip } = configurations;
  return {
    name: `seed ${seed}: a steady load on ${units} units a second`,
    seed,
    duration: "9s",
    nodes: { count },
    traffic: [{ rate: keys * units * ratioBetween(random, 2, 3), keys: { count: keys } }],
    configurations: { ...configurations, gossip: { ...gossip!, gossip: { interval: "100ms" } } },
    faults: isCut ? [{ fault: "partition", at: "2s", for: "2s", sides }] : [],
  };
}

function drawAny(seed: number, random: SeededRandom): Scenario {
  const seconds = random.between(2, 6);
  const nodes = drawNodes(random);
  const count = nodeCount(nodes);
  const isCalm = chance(random) < 0.25;
  const limits = drawLimits(random);
  const scenario: Scenario = {
    name: `seed ${seed}: ${limits.map(({ limit, rule }) => `${limit} of ${rule}`).join(" and ")}`,
    seed,
    duration: `${seconds}s`,
    nodes,
    network: drawNetwork(random, isCalm),
    traffic: Array.from({ length: random.pick([1, 1, 2]) }, () => {
      return drawTraffic(random, limits, seconds, count);
    }),
    configurations: drawConfigurations(random, limits, nodes),
  };
  if (isCalm) return scenario;
  const faults: FaultOptions[] = [];
  const wanted = random.between(1, 5);
  for (let turn = 0; turn < wanted; turn += 1) {
    const fault = drawFault(random, seconds, count);
    // Those of one kind must not overlap.
    if ("checked" in checkScenario({ ...scenario, faults: [...faults, fault] })) faults.push(fault);
  }
  return { ...scenario, faults };
}

function drawNodes(random: SeededRandom): NodesOptions {
  const clockSkewMs = random.pick([0, 0, 5, 3_600_000]);
  if (chance(random) < 0.2) {
    return { regions: { eu: random.between(1, 3), us: random.between(1, 3) }, clockSkewMs };
  }
  return { count: random.pick([1, 2, 3, 4, 5, 8]), clockSkewMs };
}

function nodeCount({ count, regions = {} }: NodesOptions): number {
  return count ?? Object.values(regions).reduce((sum, nodes) => sum + nodes, 0);
}

function drawLimits(random: SeededRandom): Limit[] {
  const units = () => Math.ceil(ratioBetween(random, 1, 300));
  const window = () => random.pick(["200ms", "1s", "3s", "1m"]);
  const bucket = () => tokenBucket({ capacity: units(), refill: `${units()}/s` });
  const draws: readonly (() => Limit)[] = [
    bucket,
    bucket,
    bucket,
    () => fixedWindow({ limit: units(), window: window() }),
    () => slidingWindow({ limit: units(), window: window() }),
    () => calendarWindow({ limit: units(), per: "day" }),
    () => slidingLog({ limit: units(), window: window() }),
    () => leakyBucket({ rate: `${units()}/s`, queue: units() }),
  ];
  const first = random.pick(draws)();
  return chance(random) < 0.2 ? [first, random.pick(draws)()] : [first];
}

/** All that can be coordinated so; logs and queues can neither be leased nor counted by gossip. */
function drawConfigurations(
  random: SeededRandom,
  limits: readonly Limit[],
  nodes: NodesOptions,
): Record<string, ConfigurationOptions> {
  const regions = Object.keys(nodes.regions ?? {});
  const isSplit = regions.length > 0 && chance(random) < 0.3;
  const weights = isSplit ? { regions: weightsOf(random, regions) } : {};
  const store = {
    limits,
    ...weights,
    onStoreFailure: random.pick(["allow", "deny", "local"] as const),
    deadline: random.pick(["5ms", "50ms", "500ms"]),
  } as const;
  const all: Record<string, ConfigurationOptions> = {
    local: { limits, coordination: "local" },
    central: { ...store, coordination: "central" },
    hybrid: {
      ...store,
      coordination: "hybrid",
      syncInterval: random.pick(["10ms", "100ms", "100ms", "1s"]),
      leaseFraction: random.pick([0, 0.25, 1]),
      maxOvershoot: random.pick([0, 0, 0.1, 1]),
    },
  };
  const gossip = {
    limits,
    coordination: "gossip",
    partition: random.pick(["full", "full", "share"] as const),
    ...weights,
    gossip: {
      interval: random.pick(["50ms", "100ms", "300ms", "1s"]),
      fanout: random.between(1, 3),
      maxMessageBytes: random.pick([1_024, 262_144]),
    },
  } as const;
  const isWrong = (configuration: ConfigurationOptions) => {
    return "problems" in checkScenario({ ...PROBE, nodes, configurations: { configuration } });
  };
  return Object.fromEntries(Object.entries({ ...all, gossip }).filter(([, one]) => !isWrong(one)));
}

/** A scenario that nothing is wrong with but, maybe, its configurations. */
const PROBE: Omit<Scenario, "configurations" | "nodes"> = {
  name: "probe",
  duration: "1s",
  traffic: [{ rate: 1, keys: ["a"] }],
};

function weightsOf(random: SeededRandom, regions: readonly string[]): Record<string, number> {
  return Object.fromEntries(regions.map((region) => [region, random.between(1, 3)]));
}

function drawTraffic(
  random: SeededRandom,
  limits: readonly Limit[],
  seconds: number,
  nodes: number,
): TrafficOptions {
  const count = random.pick([1, 1, 2, 5]);
  const ofLimit = Math.min(...limits.map(({ limit, windowUs }) => (limit * 1e6) / windowUs));
  const asked = ofLimit * ratioBetween(random, 0.3, 20) * count;
  const from = random.between(0, seconds - 1);
  const spread = random.pick(["random", "random", "round-robin", "by-key"] as const);
  return {
    rate: Math.min(Math.max(asked, 5), MAX_RATE),
    arrivals: random.pick(["poisson", "constant"]),
    ...(chance(random) < 0.3
      ? { burst: { every: random.pick(["300ms", "2s"]), requests: random.between(1, 100) } }
      : {}),
    keys: { count, distribution: random.pick(["even", "zipf"]) },
    spread,
    ...(spread === "random" && chance(random) < 0.2 ? { weights: skewedWeights(nodes) } : {}),
    cost: random.pick([1, 1, 1, 3]),
    ...(chance(random) < 0.2 ? { from: from === 0 ? 0 : `${from}s` } : {}),
  };
}

function skewedWeights(nodes: number): number[] {
  return Array.from({ length: nodes }, (_, node) => (node === 0 ? 10 : 1));
}

function drawNetwork(random: SeededRandom, isCalm: boolean): NetworkOptions {
  const often = () => (isCalm ? 0 : random.pick([0, 0, 0.01, 0.1]));
  return {
    latencyMs: ratioBetween(random, 0.05, 5),
    jitterMs: random.pick([0, 0.1, 1]),
    loss: often(),
    duplication: often(),
    reordering: often(),
  };
}

function drawFault(random: SeededRandom, seconds: number, nodes: number): FaultOptions {
  const time = {
    at: Math.ceil(chance(random) * (seconds * 1_000 - 1)),
    for: Math.ceil(ratioBetween(random, 10, 2_000)),
  };
  const some = Array.from({ length: nodes }, (_, node) => node + 1).filter(() => {
    return chance(random) < 0.4;
  });
  const hit = some.length === 0 ? [random.between(1, nodes)] : some;
  const forgets = chance(random) < 0.3;
  const draws: readonly (() => FaultOptions)[] = [
    () => ({ ...time, fault: "store-refuses", forgets }),
    () => ({ ...time, fault: "store-hangs", forgets }),
    () => ({ ...time, fault: "store-freezes", forgets }),
    () => ({ ...time, fault: "store-refuses", loses: Math.ceil(ratioBetween(random, 1, 3_000)) }),
    () => ({ ...time, fault: "store-hangs", loses: Math.ceil(ratioBetween(random, 1, 3_000)) }),
    () => ({ ...time, fault: "crash", nodes: hit }),
    () => ({ ...time, fault: "pause", nodes: hit }),
    () => {
      const lost = random.pick(["both", "questions", "answers"] as const);
      return { ...time, fault: "partition", nodes: hit, lost };
    },
    () => drawSides(random, time, nodes),
    () => ({ ...time, fault: "network", ...drawNetwork(random, false), loss: 0.3 }),
    () => {
      const stepMs = random.pick([-3_600_000, -500, 20, 3_600_000]);
      return { fault: "clock-step", at: time.at, nodes: hit, stepMs };
    },
  ];
  return random.pick(draws)();
}

/** A partition into two or three sides, of which some nodes may be on none. */
function drawSides(
  random: SeededRandom,
  time: { readonly at: number; readonly for: number },
  nodes: number,
): FaultOptions {
  const sides: number[][] = [[], [], []];
  for (let node = 1; node <= nodes; node += 1) {
    const side = random.pick([0, 0, 1, 1, 2, undefined]);
    if (side !== undefined) sides[side]!.push(node);
  }
  const lost = random.pick(["both", "both", "forward", "back"] as const);
  const filled = sides.filter((side) => side.length > 0);
  return {
    ...time,
    fault: "partition",
    sides: filled,
    lost,
    ...(chance(random) < 0.5 ? { store: 1 } : {}),
  };
}

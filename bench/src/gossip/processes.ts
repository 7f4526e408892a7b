// The scenario with service processes, each in a network namespace of its own, and a load process that asks them.

import { setTimeout as sleep } from "node:timers/promises";
import type { PhaseTraffic, Run } from "./judge.ts";
import type { LoadOrder, LoadReport } from "./load-orders.ts";
import { type Load, startLoad } from "./load-process.ts";
import type { Places } from "./places.ts";
import {
  bordersOf,
  CUT_OFF,
  durationOf,
  type Event,
  KILLED,
  type Scenario,
  USERS,
} from "./scenario.ts";
import { type ServiceCounts, type ServiceProcess, startServices, whenAllSeen } from "./services.ts";

const LOAD_FILE = new URL("./load.ts", import.meta.url);

/** A run, and how well it could be asked. */
export interface ProcessRun extends Run {
  /** How late a request was asked, at worst, in milliseconds. */
  readonly latestMs: number;
}

/** Runs a scenario with processes. */
export async function runProcesses(
  scenario: Scenario,
  places: Places,
  coordination: "gossip" | "local" = "gossip",
): Promise<ProcessRun> {
  const { capacity, refillPerSecond } = USERS;
  const limits = `[{ algorithm: token-bucket, capacity: ${capacity}, refill: ${refillPerSecond}/s }]`;
  const gossip = coordination === "gossip" ? `partition: ${scenario.partition}, ` : "";
  places.heal();
  const services = await startServices({
    ...{ places: places.places, coordination, intervalMs: scenario.intervalMs },
    policy: `{ ${gossip}limits: ${limits} }`,
  });
  let load: Load<LoadReport> | undefined;
  try {
    load = await startLoad<LoadReport>(LOAD_FILE, {
      targets: services.map(({ host, grpcPort }) => ({ host, port: grpcPort })),
      seed: scenario.seed,
      durationMs: durationOf(scenario.phases),
    } satisfies LoadOrder);
    const traffic = await passPhases(scenario, { places, services, load });
    return { ...(await load.report), traffic };
  } finally {
    load?.kill();
    await Promise.all(services.map((service) => service.kill()));
  }
}

interface Stage {
  readonly places: Places;
  readonly services: readonly ServiceProcess[];
  readonly load: Load<LoadReport>;
}

async function passPhases({ phases }: Scenario, stage: Stage): Promise<PhaseTraffic[]> {
  const startedMs = performance.now();
  const borders = bordersOf(phases);
  const traffic: PhaseTraffic[] = [];
  for (const [phase, { begins, seconds }] of phases.entries()) {
    const beganMs = performance.now();
    const before = await countsOf(stage.services);
    let allSeenMs = Number.NaN;
    const begun = begin(stage, begins).then(async () => {
      if (begins !== "heal" && begins !== "start") return;
      await whenAllSeen(stage.services);
      allSeenMs = performance.now() - beganMs;
    });
    await sleep(startedMs + borders[phase + 1]! - performance.now());
    // Of a node that is killed in the next phase this is the last word.
    const after = await countsOf(stage.services);
    await begun;
    traffic.push({ ...difference(before, after, seconds), allSeenMs });
  }
  return traffic;
}

async function begin({ places, services, load }: Stage, event: Event): Promise<void> {
  if (event === "cut") places.cut(CUT_OFF);
  if (event === "heal") places.heal();
  if (event === "kill") await services[KILLED]!.kill();
  if (event === "start") {
    await services[KILLED]!.start();
    load.send({ back: KILLED });
  }
}

function countsOf(services: readonly ServiceProcess[]): Promise<ServiceCounts[]> {
  return Promise.all(services.map((service) => service.counts()));
}

/** On average over the nodes that were there all the time. */
function difference(
  before: readonly ServiceCounts[],
  after: readonly ServiceCounts[],
  seconds: number,
): Omit<PhaseTraffic, "allSeenMs"> {
  const there = [...after.keys()].filter((place) => {
    return before[place]!.cpuMs > 0 && after[place]!.cpuMs >= before[place]!.cpuMs;
  });
  const mean = (field: keyof ServiceCounts) => {
    const grown = there.map((place) => after[place]![field] - before[place]![field]);
    return grown.reduce((sum, value) => sum + value, 0) / there.length / seconds;
  };
  return {
    bytesPerSecond: mean("bytes"),
    messagesPerSecond: mean("messages"),
    cpu: mean("cpuMs") / 10,
  };
}

// What gossip costs: processor time and bytes of five services that keep many keys in use, beside the same services
// under the same load that do not gossip.

import { setTimeout as sleep } from "node:timers/promises";
import type { Measurement, Section } from "../report/section.ts";
import type { CostsOrder, CostsReport } from "./costs-orders.ts";
import { type Load, startLoad } from "./load-process.ts";
import { loopbackPlaces } from "./places.ts";
import { NODES } from "./scenario.ts";
import { type ServiceCounts, startServices } from "./services.ts";

/** One case. */
interface Case {
  readonly name: string;
  readonly keys: number;
  readonly times: number;
  readonly onAll: boolean;
}

const INTERVAL_MS = 1_000;
const ONE = "100,000 keys, each on one node";
/** As many counts. */
const ALL = "20,000 keys, each on all nodes";
const FEW = "20,000 keys, each on one node";
const FEW_OFTEN = "20,000 keys, each on one node, ten times";
const CASES: readonly Case[] = [
  { name: ONE, keys: 100_000, times: 1, onAll: false },
  { name: ALL, keys: 20_000, times: 1, onAll: true },
  { name: FEW, keys: 20_000, times: 1, onAll: false },
  { name: FEW_OFTEN, keys: 20_000, times: 10, onAll: false },
];
/** Until every node has been asked for nearly every key, and has compiled what it runs. */
const WARM_UP_S = 40;
const MEASURED_S = 15;
const QUICK_S = { warmUp: 10, measured: 5 };
const LOAD_FILE = new URL("./costs-load.ts", import.meta.url);
const CPU_PERCENT = 10;
const REQUESTS = "requests";
/** Part of the requests that must be answered in time. */
const ANSWERED = 0.95;
const BYTES = "bytes sent per key, node and second";

/** What one service spent and sent in a second, on average over them. */
interface Cost {
  readonly cpu: number;
  readonly bytes: number;
  readonly messages: number;
  readonly perSecond: number;
  readonly latestMs: number;
}

/** Weighs all cases. */
export async function costsSection(quick: boolean): Promise<Section> {
  const rows: Measurement[] = [];
  const lates: number[] = [];
  for (const each of CASES) {
    const local = await weigh(each, "local", quick);
    const gossip = await weigh(each, "gossip", quick);
    lates.push(local.latestMs, gossip.latestMs);
    rows.push({
      contender: each.name,
      unit: "%",
      values: [gossip.cpu - local.cpu],
      columns: [
        { title: "CPU of a node in all", unit: "%", value: gossip.cpu },
        { title: "without gossip", unit: "%", value: local.cpu },
        { title: REQUESTS, unit: "per second", value: gossip.perSecond },
        { title: BYTES, unit: "per request", value: gossip.bytes / each.keys },
        { title: "messages per node", unit: "per second", value: gossip.messages },
      ],
    });
  }
  return {
    title: "What gossip costs",
    how:
      `${NODES} service processes on the loopback, \`gossip.interval: ${INTERVAL_MS / 1_000}s\`, over gRPC with a ` +
      "secret. Each key is asked for once a second (or ten times), on a node that is drawn anew for each second, or " +
      "on all of them, in calls of CheckLimits. What gossip takes is the processor time of a service, less that of " +
      "one that decides alone under the same load; in per cent of one core, mean of the nodes.",
    valuesTitle: "CPU for gossip",
    measurements: rows,
    goals: [
      // Else the machine was busy with something else, and the figures say nothing.
      ...CASES.map(({ name, keys, times, onAll }) => {
        const due = keys * times * (onAll ? NODES : 1);
        return { contender: name, column: REQUESTS, atLeast: ANSWERED * due };
      }),
      { contender: ONE, atMost: CPU_PERCENT },
      { contender: ALL, atMost: CPU_PERCENT },
      // Ten requests within a second may fall into two rounds, and one into one; more than that is never told.
      { contender: FEW_OFTEN, column: BYTES, against: FEW, atMost: 2 },
    ],
    remarks: [`The latest call was made ${Math.round(Math.max(...lates))} ms after it was due.`],
  };
}

async function weigh(
  { keys, times, onAll }: Case,
  coordination: "gossip" | "local",
  quick: boolean,
): Promise<Cost> {
  const warmUp = quick ? QUICK_S.warmUp : WARM_UP_S;
  const measured = quick ? QUICK_S.measured : MEASURED_S;
  const services = await startServices({
    ...{ places: loopbackPlaces(NODES), coordination, intervalMs: INTERVAL_MS },
    // Never as if unused while it is measured, and never denied.
    policy: "{ limits: [{ algorithm: token-bucket, capacity: 1000000, refill: 100/h }] }",
  });
  const counts = () => Promise.all(services.map((service) => service.counts()));
  let load: Load<CostsReport> | undefined;
  try {
    load = await startLoad<CostsReport>(LOAD_FILE, {
      targets: services.map(({ host, grpcPort }) => ({ host, port: grpcPort })),
      ...{ keys, times, onAll, seconds: warmUp + measured, seed: 1 },
    } satisfies CostsOrder);
    await sleep(1_000 * warmUp);
    const before = await counts();
    const beganMs = performance.now();
    await sleep(1_000 * measured - 500);
    const after = await counts();
    const seconds = (performance.now() - beganMs) / 1_000;
    const { answered, latestMs } = await load.report;
    const mean = (field: keyof ServiceCounts) => {
      const grown = after.map((count, place) => count[field] - before[place]![field]);
      return grown.reduce((sum, value) => sum + value, 0) / NODES / seconds;
    };
    return {
      ...{ cpu: mean("cpuMs") / 10, bytes: mean("bytes"), messages: mean("messages"), latestMs },
      perSecond: answered / (warmUp + measured),
    };
  } finally {
    load?.kill();
    await Promise.all(services.map((service) => service.kill()));
  }
}

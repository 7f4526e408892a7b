// Runs one contender on one workload: real nodes on a real Redis of its own, and what came of it held against the ideal
// limiter, and against the limit itself.

import type { Decision } from "tidegate";
import { startRedis } from "../../../test/support/redis-server.ts";
import { Histogram } from "../process/histogram.ts";
import { admittedByIdeal } from "../traffic/ideal.ts";
import { type Nodes, startNodes } from "./nodes.ts";
import { type NodeReport, SOURCES } from "./orders.ts";
import { beginAccount, type RedisUse, secondsOf } from "./redis-use.ts";
import type { ContenderName, Workload } from "./workloads.ts";

/** How it is run. */
export interface RunOptions {
  readonly contender: ContenderName;
  readonly workload: Workload;
  readonly nodes: number;
  /** Requests a second that are due, over all nodes. */
  readonly perSecond: number;
  readonly durationMs: number;
  /** Before that the nodes compile and settle on another policy; then they wait until nothing of it is left. */
  readonly warmUpMs: number;
  readonly settleMs: number;
  /** From when on latencies are counted, in milliseconds after the start. */
  readonly latencyFromMs: number;
  readonly seed: number;
}

/** What came of it. */
export interface RunResult {
  readonly requests: number;
  /** Requests a second that were asked. */
  readonly perSecond: number;
  readonly admitted: number;
  /** What the ideal limiter admits of the same requests. */
  readonly ideal: number;
  /** Units beyond capacity + refill × time by Redis' clock, over all keys. */
  readonly over: number;
  readonly redis: RedisUse;
  /** Processor time of all nodes, in microseconds. */
  readonly nodeCpuUs: number;
  readonly latency: Histogram;
  readonly lateness: Histogram;
  readonly bySource: Readonly<Partial<Record<Decision["source"], number>>>;
  readonly rejection: string | undefined;
}

/** Starts Redis and the nodes, runs, and ends what it started. */
export async function runWorkload(options: RunOptions): Promise<RunResult> {
  const { contender, workload, durationMs, warmUpMs, settleMs, seed } = options;
  const load = { perSecond: options.perSecond, latencyFromMs: options.latencyFromMs };
  const redis = await startRedis();
  let nodes: Nodes | undefined;
  try {
    nodes = await startNodes(options.nodes, { contender, workload, redisPort: redis.port });
    await nodes.run({ policy: "warm-up", ...load, seed: seed + 1, durationMs: warmUpMs });
    await new Promise((resolve) => setTimeout(resolve, settleMs));
    const account = await beginAccount(redis.client);
    const beganAt = await secondsOf(redis.client);
    const reports = await nodes.run({ policy: "measured", ...load, seed, durationMs });
    const seconds = (await secondsOf(redis.client)) - beganAt;
    const use = await account();
    await nodes.close();
    return { ...judge(workload, reports, seconds), redis: use };
  } finally {
    await nodes?.kill();
    await redis.stop();
  }
}

function judge(
  workload: Workload,
  reports: readonly NodeReport[],
  seconds: number,
): Omit<RunResult, "redis"> {
  const admitted = new Uint32Array(workload.keys);
  const bySource: Partial<Record<Decision["source"], number>> = {};
  const latency = new Histogram();
  const lateness = new Histogram();
  let requests = 0;
  let nodeCpuUs = 0;
  let lastUs = 0;
  for (const report of reports) {
    report.outcomes.forEach((outcome, index) => {
      const source = SOURCES[outcome >> 1]!;
      bySource[source] = (bySource[source] ?? 0) + 1;
      if (outcome % 2 === 1) admitted[report.keys[index]!]! += 1;
    });
    requests += report.outcomes.length;
    nodeCpuUs += report.cpuUs;
    lastUs = Math.max(lastUs, report.askedUs.at(-1) ?? 0);
    latency.merge(new Histogram(report.latency));
    lateness.merge(new Histogram(report.lateness));
  }
  const allowed = Math.floor(workload.capacity + workload.refillPerSecond * seconds);
  return {
    requests,
    perSecond: (1e6 * requests) / lastUs,
    admitted: sum(admitted),
    ideal: sum(admittedByIdeal(workload, reports)),
    over: sum(admitted.map((units) => Math.max(units - allowed, 0))),
    nodeCpuUs,
    latency,
    lateness,
    bySource,
    rejection: reports.find(({ rejection }) => rejection !== undefined)?.rejection,
  };
}

function sum(numbers: Uint32Array): number {
  return numbers.reduce((total, number) => total + number, 0);
}

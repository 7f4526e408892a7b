// Leases beside a call to Redis for each turn and beside the usual recipe: five nodes, one Redis, four workloads; then
// what a lease costs in its own process.

import type { Benchmark, Effort } from "../benchmark.ts";
import type { Goal, Measurement, Section } from "../report/section.ts";
import { throughputSection } from "./in-process.ts";
import { type RunOptions, type RunResult, runWorkload } from "./run-workload.ts";
import {
  CONTENDERS,
  type ContenderName,
  WARM_KEYS,
  WORKLOADS,
  type Workload,
} from "./workloads.ts";

const NODES = 5;
const PER_SECOND = 15_000;
const WARM_PER_SECOND = 50_000;
/** Beyond a lease's time, so that nothing of the warm-up is left to give back. */
const SETTLE_MS = 3_000;
const FULL = { durationMs: 30_000, warmUpMs: 3_000, settleMs: SETTLE_MS, seed: 1 };
const QUICK = { durationMs: 5_000, warmUpMs: 1_000, settleMs: SETTLE_MS, seed: 1 };
/** After which all keys are warm that are asked for often. */
const WARM_FROM_MS = 2_000;

const NAMES: Readonly<Record<ContenderName, string>> = {
  central: "central",
  recipe: "the usual recipe",
  hybrid: "hybrid",
};
const OVER = "units over the limit";
const COMMANDS = "Redis commands per request";
/** The ideal sees a request when it is asked; whoever asks Redis is decided as much later as a call takes. */
const EQUAL = 1.0005;

/** The benchmark "hybrid". */
export const hybridBenchmark: Benchmark = {
  name: "hybrid",
  page: "coordination.md",
  async run(effort) {
    const sections: Section[] = [];
    for (const workload of WORKLOADS) sections.push(await runContenders(workload, effort));
    sections.push(await runWarm(effort), await throughputSection(effort));
    return sections;
  },
};

async function runContenders(workload: Workload, effort: Effort): Promise<Section> {
  const results: [name: string, result: RunResult][] = [];
  for (const contender of CONTENDERS) {
    const options = { contender, workload, nodes: NODES, perSecond: PER_SECOND, latencyFromMs: 0 };
    results.push([NAMES[contender], await runAnswered(options, effort)]);
  }
  const { hybrid, central } = NAMES;
  const { commandsAtMost } = workload;
  const goals: Goal[] = [
    { contender: hybrid, atLeast: 0.99 },
    { contender: hybrid, atMost: EQUAL },
    { contender: hybrid, column: OVER, atMost: 0 },
    { contender: hybrid, column: COMMANDS, atMost: commandsAtMost },
    { contender: hybrid, column: COMMANDS, against: central, atMost: commandsAtMost },
  ];
  return {
    title: workload.title,
    how: describe(
      workload,
      results.map(([, result]) => result),
    ),
    valuesTitle: "admitted ÷ ideal",
    measurements: results.map(([name, result]) => row(name, result)),
    goals,
    remarks: [results.map(([name, result]) => `- ${name}: ${decidersOf(result)}.`).join("\n")],
  };
}

/** @throws where a check rejected: none may. */
async function runAnswered(
  options: Omit<RunOptions, keyof typeof FULL>,
  effort: Effort,
): Promise<RunResult> {
  const result = await runWorkload({ ...options, ...(effort.quick ? QUICK : FULL) });
  if (result.rejection === undefined) return result;
  throw new Error(`a check rejected: ${result.rejection}`);
}

function describe(workload: Workload, results: readonly RunResult[]): string {
  const { keys, zipf, capacity, refillPerSecond } = workload;
  const slowest = Math.min(...results.map(({ perSecond }) => perSecond));
  return (
    `${count(keys)} ${keys === 1 ? "key" : "keys"}` +
    `${zipf === 0 ? "" : ", the k-th asked for 1/k as often as the first"}; a token bucket of ` +
    `${count(capacity)} that is refilled at ${count(refillPerSecond)}/s; ` +
    `${count(slowest)} requests/s were asked.`
  );
}

function row(contender: string, result: RunResult): Measurement {
  const { requests, redis, latency, nodeCpuUs } = result;
  const us = (title: string, value: number) => ({ title, unit: "µs", value }) as const;
  const each = (title: string, value: number) => {
    return { title, unit: "per request", value: value / requests } as const;
  };
  return {
    contender,
    unit: "of ideal",
    values: [result.admitted / result.ideal],
    columns: [
      { title: OVER, unit: "units", value: result.over },
      each(COMMANDS, redis.calls),
      each("key updates per request", redis.updates),
      us("Redis CPU per request", redis.cpuUs / requests),
      us("node CPU per request", nodeCpuUs / requests),
      us("p50", 1_000 * latency.percentile(0.5)),
      us("p99", 1_000 * latency.percentile(0.99)),
      us("p99.9", 1_000 * latency.percentile(0.999)),
    ],
  };
}

/** Says who decided how much, and how late the load was. */
function decidersOf({ bySource, requests, lateness }: RunResult): string {
  const shares = Object.entries(bySource).map(([source, answers]) => {
    return `${((100 * answers) / requests).toFixed(1)} % by \`${source}\``;
  });
  const late = lateness.percentile(0.99).toFixed(1);
  return `${shares.join(", ")}; 99 % were asked within ${late} ms after they were due`;
}

async function runWarm(effort: Effort): Promise<Section> {
  const load = { workload: WARM_KEYS, nodes: 1, perSecond: WARM_PER_SECOND };
  const options = { ...load, latencyFromMs: WARM_FROM_MS };
  const hybrid = await runAnswered({ contender: "hybrid", ...options }, effort);
  // All of its requests are admitted by the node's own bucket, so that this is the memory limiter, and nothing else.
  const local = await runAnswered({ contender: "recipe", ...options }, effort);
  const value = (contender: string, result: RunResult, share: number): Measurement => {
    return { contender, unit: "µs", values: [1_000 * result.latency.percentile(share)] };
  };
  const writes = (hybrid.redis.updates * hybrid.perSecond) / hybrid.requests;
  return {
    title: WARM_KEYS.title,
    how:
      `${describe(WARM_KEYS, [hybrid, local])} One node, and Redis beside it. All decisions after the first ` +
      `${WARM_FROM_MS / 1_000} s are counted, while leases are renewed in the background with ${count(writes)} ` +
      "writes/s in Redis; the clock is read before and after each. For comparison, the memory limiter under the " +
      "same load.",
    valuesTitle: "from asking to the answer",
    measurements: [
      value("p50", hybrid, 0.5),
      value("p99", hybrid, 0.99),
      value("p99.9", hybrid, 0.999),
      value("p50 in memory", local, 0.5),
      value("p99 in memory", local, 0.99),
      value("p99.9 in memory", local, 0.999),
    ],
    goals: [
      { contender: "p50", atMost: 1 },
      { contender: "p99", atMost: 20 },
    ],
    remarks: [`Of the decisions ${decidersOf(hybrid)}.`],
  };
}

function count(number: number): string {
  return Math.round(number).toLocaleString("en-US");
}

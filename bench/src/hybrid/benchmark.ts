// Leases beside a call to Redis for each turn and beside the usual recipe: five nodes, one Redis, four workloads; then
// what a lease costs in its own process.

import type { Benchmark, Effort } from "../benchmark.ts";
import type { Measurement, Section } from "../report/section.ts";
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
const SETTLE_MS = 2_500;
const FULL = { durationMs: 20_000, warmUpMs: 2_000, settleMs: SETTLE_MS, seed: 1 };
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
  async *run(effort) {
    for (const workload of WORKLOADS) yield await runContenders(workload, effort);
    yield await runWarm(effort);
    yield await throughputSection(effort);
  },
};

async function runContenders(workload: Workload, effort: Effort): Promise<Section> {
  const results = new Map<ContenderName, RunResult>();
  for (const contender of CONTENDERS) {
    const options = { contender, workload, nodes: NODES, perSecond: PER_SECOND, latencyFromMs: 0 };
    results.set(contender, await runAnswered(options, effort));
  }
  const { hybrid } = NAMES;
  const deciders = [...results].map(([name, result]) => `- ${NAMES[name]}: ${decidersOf(result)}.`);
  return {
    title: workload.title,
    how: describe(workload, [...results.values()]),
    valuesTitle: "admitted ÷ ideal",
    measurements: [...results].map(([name, result]) => row(NAMES[name], result)),
    goals: [
      { contender: hybrid, atLeast: 0.99 },
      { contender: hybrid, atMost: EQUAL },
      { contender: hybrid, column: OVER, atMost: 0 },
      // Against one call for each request, as the budget says.
      { contender: hybrid, column: COMMANDS, atMost: workload.commandsAtMost },
    ],
    remarks: [`${savingsOf(results)}\n\n${deciders.join("\n")}`],
  };
}

/** Says how many commands leases save: of one for each request, and of those that central sends. */
function savingsOf(results: ReadonlyMap<ContenderName, RunResult>): string {
  const each = ({ redis, requests }: RunResult) => redis.calls / requests;
  const hybrid = each(results.get("hybrid")!);
  const central = each(results.get("central")!);
  return (
    `hybrid sends ${fewer(hybrid)} fewer commands than one for each request, and ${fewer(hybrid / central)} ` +
    `fewer than central, each of whose commands decides ${(1 / central).toFixed(1)} requests.`
  );
}

function fewer(ratio: number): string {
  return `${(100 * (1 - ratio)).toFixed(1)} %`;
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

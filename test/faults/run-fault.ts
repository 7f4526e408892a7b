// Runs one fault under the load of all nodes, and gathers what they saw of it.

import type { OnStoreFailure } from "../../packages/tidegate/src/policy/policy.ts";
import { systemTimer } from "../../packages/tidegate/src/runtime/system-timer.ts";
import { eventually } from "../support/eventually.ts";
import type { Fault } from "./fault.ts";
import type { Nodes } from "./nodes.ts";
import { type FaultCoordination, monotonicMs, type NodeReport, POOL_KEYS } from "./orders.ts";

/** How a fault is run. */
export interface RunOptions {
  readonly coordination: FaultCoordination;
  readonly modes: readonly OnStoreFailure[];
  readonly deadlineMs: number;
  /** How long the load lasts before the fault: long enough that nodes know of each other. */
  readonly beforeMs: number;
  readonly outageMs: number;
  /** How long it lasts at least afterwards. */
  readonly afterMs: number;
  /** Is called every `outageMs` / 36 while the store is away. */
  readonly sample?: () => Promise<void>;
}

/** What was seen of it. */
export interface Run {
  readonly fault: Fault;
  readonly options: RunOptions;
  readonly reports: readonly NodeReport[];
  /** How long the store was away, in milliseconds. */
  readonly awayMs: number;
  /** When it was not any more, on the monotonic clock. */
  readonly endedAtMs: number;
  /** Connections attempted while it was away, where that is known. */
  readonly attempts: number | undefined;
  /** What nobody handled. */
  readonly unhandled: readonly string[];
}

/** Keys that the store is asked for after a fault and cannot have denied from memory: the pool, and the sum. */
export const RECOVERING_KEYS = POOL_KEYS + 1;
const SAMPLES = 36;

/** Runs a fault. Fails only where the suite itself does; what nodes did wrong is in the run. */
export async function runFault(fault: Fault, nodes: Nodes, options: RunOptions): Promise<Run> {
  const { coordination, modes, deadlineMs } = options;
  const unhandledBefore = nodes.unhandled.length;
  const scene = await fault.open();
  try {
    if (fault.fromTheStart === true) await scene.begin(nodes);
    const { connection } = scene;
    await nodes.open({ connection, coordination, modes, deadlineMs, nodes: nodes.all.length });
    if (fault.fromTheStart !== true) {
      await nodes.phase("before");
      await pass(options.beforeMs);
      await nodes.phase("failing");
      await scene.begin(nodes);
    }
    await nodes.phase("away");
    const awayAtMs = monotonicMs();
    const attemptsBefore = scene.attempts?.() ?? 0;
    await outage(fault.lastsMs ?? options.outageMs, nodes, options);
    const attempts = scene.attempts === undefined ? undefined : scene.attempts() - attemptsBefore;
    const awayMs = monotonicMs() - awayAtMs;
    await nodes.phase("healing");
    await scene.end(nodes);
    const endedAtMs = monotonicMs();
    await nodes.phase("after");
    await pass(options.afterMs);
    await recovered(nodes, modes.length * RECOVERING_KEYS);
    await nodes.tell({ do: "stop" });
    const reports = await nodes.report();
    const unhandled = nodes.unhandled.slice(unhandledBefore);
    return { fault, options, reports, awayMs, endedAtMs, attempts, unhandled };
  } finally {
    await scene.stop();
  }
}

/** Lets it last, with a newcomer in the middle who must be answered and be able to go. */
async function outage(ms: number, nodes: Nodes, { sample }: RunOptions): Promise<void> {
  await pass(ms / 2);
  await nodes.all[0]!.tell({ do: "newcomer" });
  if (sample === undefined) return pass(ms / 2);
  for (let index = 0; index < SAMPLES / 2; index += 1) {
    await pass(ms / SAMPLES);
    await sample();
  }
}

/** Waits until each node has had an answer of the store for each key; the table shows where one had none. */
async function recovered(nodes: Nodes, keys: number): Promise<void> {
  const all = async () => {
    const counts = (await nodes.tell({ do: "recovered" })) as number[];
    if (counts.some((count) => count < keys)) throw new Error(`${counts} of ${keys}`);
  };
  await eventually(all, 10_000).catch(() => undefined);
}

/** Lets time pass, while nodes work. */
export function pass(ms: number): Promise<void> {
  return new Promise((resolve) => {
    systemTimer.after(ms, resolve);
  });
}

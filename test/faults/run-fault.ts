// Runs one fault under the load of all nodes, and gathers what they saw of it.

import type { OnStoreFailure } from "../../packages/tidegate/src/policy/policy.ts";
import { systemTimer } from "../../packages/tidegate/src/runtime/system-timer.ts";
import { eventually } from "../support/eventually.ts";
import type { Fault, Heard, Scene } from "./fault.ts";
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
  /** Is called 40 times while the store is away. */
  readonly sample?: () => Promise<void>;
}

/** What was seen of it. */
export interface Run {
  readonly fault: Fault;
  readonly options: RunOptions;
  readonly reports: readonly NodeReport[];
  /** Whether a key was on a part of the store that failed. */
  readonly isAway: NonNullable<Scene["isAway"]>;
  /** When the store was away, on the monotonic clock, and for how long. */
  readonly awayAtMs: number;
  readonly awayMs: number;
  /** When it was not any more, on the monotonic clock. */
  readonly endedAtMs: number;
  /** What was sent to it while it was away: in a quarter of that time, after the first. */
  readonly heard: Heard | undefined;
  /** What nobody handled. */
  readonly unhandled: readonly string[];
}

/** Keys that the store is asked for after a fault and cannot have denied from memory: the pool, and the sum. */
export const RECOVERING_KEYS = POOL_KEYS + 1;
/** In each quarter of an outage. */
const SAMPLES = 10;

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
    const heard = await outage(fault.lastsMs ?? options.outageMs, nodes, scene, options);
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
    const { isAway = () => true } = scene;
    const times = { awayAtMs, awayMs, endedAtMs };
    return { fault, options, reports, ...times, isAway, heard, unhandled };
  } finally {
    await scene.stop();
  }
}

/**
 * Lets it last, with a newcomer in the middle who must be answered and be able to go. Answers what was sent in the
 * second quarter, when nodes know that the store is away and the newcomer is not there yet.
 */
async function outage(
  ms: number,
  nodes: Nodes,
  scene: Scene,
  { sample }: RunOptions,
): Promise<Heard | undefined> {
  const quarter = async () => {
    for (let index = 0; index < SAMPLES; index += 1) {
      await pass(ms / 4 / SAMPLES);
      await sample?.();
    }
  };
  await quarter();
  const before = scene.heard?.();
  await quarter();
  const after = scene.heard?.();
  await nodes.all[0]!.tell({ do: "newcomer" });
  await quarter();
  await quarter();
  if (before === undefined || after === undefined) return undefined;
  return {
    connections: after.connections - before.connections,
    probes: after.probes - before.probes,
    checks: after.checks - before.checks,
  };
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

// What the parent orders of a node and what the node reports. Typed arrays go as they are.

import type { Decision } from "tidegate";
import type { ContenderName, Workload } from "./workloads.ts";

/** What a node is, as the text of its first argument. */
export interface NodeOptions {
  readonly contender: ContenderName;
  readonly redisPort: number;
  readonly workload: Workload;
}

/** The policies of a node: one to compile and settle on, and the one that is measured. Their limits are alike. */
export const POLICIES = ["warm-up", "measured"] as const;

/** Ask as a schedule says. */
export interface Order {
  readonly policy: (typeof POLICIES)[number];
  readonly seed: number;
  readonly perSecond: number;
  readonly durationMs: number;
  /** From when on latencies are counted, in milliseconds after the start. */
  readonly latencyFromMs: number;
  /** Begin, in milliseconds of monotonicMs(). */
  readonly startMs: number;
}

/** A Decision's sources, by the number that stands for each in a report. */
export const SOURCES: readonly Decision["source"][] = [
  ...(["local", "store", "lease", "cache", "fail-open", "fail-closed", "fallback"] as const),
];

/** What came of it. */
export interface NodeReport {
  /** When each request was asked, in microseconds after the start, and for which key. */
  readonly askedUs: Uint32Array;
  readonly keys: Uint16Array;
  /** Twice the source of each answer, and one more where it was admitted. */
  readonly outcomes: Uint8Array;
  /** Counts of a Histogram: from asking to having the answer. */
  readonly latency: Uint32Array<ArrayBuffer>;
  /** Counts of a Histogram: how long after it was due a request was asked. */
  readonly lateness: Uint32Array<ArrayBuffer>;
  /** Processor time of the node, its load generator included, in microseconds. */
  readonly cpuUs: number;
  /** The first call that rejected; none should. */
  readonly rejection: string | undefined;
}

/** What a node says. */
export type Message =
  | { readonly kind: "ready" | "closed" }
  | { readonly kind: "report"; readonly report: NodeReport }
  | { readonly kind: "failed"; readonly message: string };

/** Milliseconds of the clock that all processes of a machine share and that nobody sets. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

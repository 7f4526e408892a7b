// What the processes of the fault suite are told to do, and what they report.

import type { OnStoreFailure } from "../../packages/tidegate/src/policy/policy.ts";

/** What each failure policy answers with. */
export const MODES: readonly OnStoreFailure[] = ["allow", "deny", "local"];

/** How nodes coordinate; more columns of the table come with more of them. */
export const COORDINATIONS = ["central", "hybrid"] as const;
export type FaultCoordination = (typeof COORDINATIONS)[number];

/** How long a lease lasts from when it was asked for, where a policy has no `syncInterval` of its own. */
export const LEASE_MS = 1_000;

/** How a node reaches Redis: by a URL, or with a client that an application would have made. */
export type Connection =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "ioredis" | "redis"; readonly port: number };

/** What the limiter of a node is made of. */
export interface Setup {
  readonly connection: Connection;
  readonly coordination: FaultCoordination;
  readonly modes: readonly OnStoreFailure[];
  /** Of every policy, in milliseconds. */
  readonly deadlineMs: number;
  /** How many nodes there are. */
  readonly nodes: number;
}

/**
 * Where a run is. While the fault is brought about and repaired, answers may come from either side; while the store is
 * `away` they may not.
 */
export type Phase = "before" | "failing" | "away" | "healing" | "after";

/** Keys that are asked for in turn, of each phase their own, and what each of them may have. */
export const POOL_KEYS = 6;
export const POOL_LIMIT = 20;
/** The same for all nodes and phases; used up before the fault. */
export const HOT_KEY = "hot";
/** Never used up: what Redis holds of it is what was charged. */
export const SUM_KEY = "sum";
export const SUM_LIMIT = 500_000;

/** The policies of a failure policy: one that is used up quickly, and one that never is. */
export const policyName = (mode: OnStoreFailure) => `api-${mode}`;
export const sumPolicyName = (mode: OnStoreFailure) => `sum-${mode}`;

/** What a node can be told. */
export type Order =
  /** Creates the limiter. */
  | { readonly do: "open"; readonly setup: Setup }
  /** Goes on with the load, in a phase; the first time begins it. */
  | { readonly do: "phase"; readonly phase: Phase }
  /** Creates another limiter, asks it for one decision of each policy, and closes it. */
  | { readonly do: "newcomer" }
  /** Does nothing else for a while. */
  | { readonly do: "block"; readonly ms: number }
  /** Sets the wall clock of the process forward or back. */
  | { readonly do: "step"; readonly ms: number }
  /** Lets names be resolved to the loopback, or lets it fail; of hosts in the top-level domain "test". */
  | { readonly do: "resolve"; readonly works: boolean }
  /** Answers how many keys the store has answered for since the fault ended. */
  | { readonly do: "recovered" }
  /** Ends the load, waits for what is asked, and until no lease is in hand. */
  | { readonly do: "stop" }
  /** Reads the sums, closes the limiter, and reports. */
  | { readonly do: "report" }
  /** Collects garbage and measures. */
  | { readonly do: "heap" };

/** Answers, by phase and source. */
export type Tally = Record<string, { allowed: number; denied: number }>;

/** What a node saw of one failure policy. */
export interface ModeReport {
  asked: number;
  answered: number;
  /** What checks rejected with; none may. */
  rejected: string[];
  /** Of what was asked once the fault began, in milliseconds; at the end. */
  durationsMs: number[];
  /** The same without the time for which the node was told to do nothing. */
  waitsMs: number[];
  /** By phase and source, with a space between. */
  tally: Tally;
  /** Units admitted, by key, phase and source, with spaces between. */
  admitted: Record<string, number>;
  /** Of the key SUM_KEY, what remains in the store at the end. */
  sumRemaining: number;
  /** Admitted by the store after the deadline, as telemetry was told. */
  late: number;
  /** When the last unit of a lease was spent while the store was away; NaN where none was. */
  lastLeaseAtMs: number;
  /** While the store was away, by key: all answers, and those that were not the store's. */
  outageKeys: Record<string, { all: number; degraded: number }>;
  /** When each key was first answered by the store after the fault. */
  recoveredAtMs: Record<string, number>;
}

/** A change of a circuit. */
export interface CircuitEvent {
  readonly atMs: number;
  readonly circuit: string;
  readonly state: string;
}

/** What a node reports. Its times are of the monotonic clock, which all processes of a machine share. */
export interface NodeReport {
  readonly modes: Record<string, ModeReport>;
  readonly circuits: readonly CircuitEvent[];
  /** Calls of the store that ended, by operation, while the store was away. */
  readonly calls: Readonly<Record<string, number>>;
  /** Of newcomers: how they were answered. */
  readonly newcomers: readonly string[];
  /** By how much its event loop was late at most, once the fault began: nothing can be answered meanwhile. */
  readonly stallMs: number;
  /** How many close() did not settle. */
  readonly unsettled: number;
}

/** From the parent. */
export interface Ask {
  readonly id: number;
  readonly order: Order;
}

/** To the parent. */
export interface Answer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: string;
}

/** A rejection that nobody handled, told at once. */
export interface Unhandled {
  readonly unhandled: string;
}

/** Milliseconds of the monotonic clock. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint() / 1_000n) / 1_000;
}

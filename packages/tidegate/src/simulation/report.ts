// What a simulation has found, in plain data.

import type { Source } from "../decision.ts";
import type { CoordinationName } from "../policy/policy.ts";
import type { NetworkOptions } from "./scenario.ts";

/** The report of a scenario. */
export interface Report {
  readonly scenario: string;
  readonly seed: number;
  readonly durationMs: number;
  readonly nodes: number;
  readonly faults: readonly FaultReport[];
  readonly configurations: readonly ConfigurationReport[];
}

/** A fault as it was. */
export interface FaultReport {
  readonly fault: string;
  /** Since the beginning. */
  readonly fromMs: number;
  /** The same as `fromMs` where it is an instant. */
  readonly untilMs: number;
  /** From 1 on; empty where it is not about nodes. */
  readonly nodes: readonly number[];
  /** Of a partition between nodes: those on each side. */
  readonly sides?: readonly (readonly number[])[];
  /** Of such: the side that the store is on, from 1 on; left out where all reach it. */
  readonly storeSide?: number;
  /**
   * Of a partition: what does not arrive, all or only some. Of one between nodes, what a side sends to one after it, or
   * before it; of one from the store, what nodes ask, or what they are told.
   */
  readonly lost?: "both" | "forward" | "back" | "questions" | "answers";
  /** Of the store: whether it came back empty. */
  readonly forgets?: true;
  /** Of the store: it failed over, and came back as it was so many milliseconds before it went. */
  readonly losesMs?: number;
  /** Of the network: what is otherwise. */
  readonly network?: NetworkOptions;
  /** Of a clock: by how much it is set. */
  readonly stepMs?: number;
}

/** What became of one configuration. Units are what requests cost. */
export interface ConfigurationReport {
  readonly name: string;
  readonly coordination: CoordinationName;
  readonly requests: number;
  readonly units: number;
  readonly admittedUnits: number;
  /** What one limiter with the same limits admits that sees every request at once. */
  readonly idealUnits: number;
  /** Admitted by the ideal; undefined where the ideal admits none. */
  readonly admittedOverIdeal: number | null;
  /** The second in which most was admitted beyond the ideal, as a part of the ideal of that second. */
  readonly worstSecond: WorstSecond;
  /**
   * Units that a key had admitted fewer than the ideal, when it was denied one and at the worst of these moments, over
   * all keys.
   */
  readonly deniedEarlyUnits: number;
  /** Requests whose node crashed before it answered, or that found no node. */
  readonly lostRequests: number;
  /** Requests that had no answer five seconds after the end. */
  readonly unansweredRequests: number;
  readonly storeCalls: number;
  /** Keys that those calls asked about. */
  readonly keyUpdates: number;
  /** What the nodes told each other while there was traffic. */
  readonly messages: MessageReport;
  readonly latencyMs: LatencyReport;
  /** Decisions by who made them. */
  readonly sources: Readonly<Partial<Record<Source, number>>>;
  readonly traffic: readonly TrafficReport[];
  readonly timeline: Timeline;
  /** What the coordination promises, and whether it held. */
  readonly verdicts: readonly Verdict[];
}

/** What came of a check that stood beside the simulation. */
export interface Verdict {
  /**
   * "bound": what was admitted is within what the coordination promises. "convergence": after a partition it is soon
   * what the ideal admits. "fairness": nodes that are asked for the same are admitted the same. "memory": what nobody
   * asks for is let go of. "answers": every request has one.
   */
  readonly check: "bound" | "convergence" | "fairness" | "memory" | "answers";
  readonly held: boolean;
  /** What was found, in words. */
  readonly detail: string;
  /** When it did not hold first, in milliseconds since the beginning; left out where it is not about an instant. */
  readonly atMs?: number;
}

/** Messages between nodes; one that the network repeats is sent once and arrives twice. */
export interface MessageReport {
  readonly sent: number;
  readonly sentBytes: number;
  readonly arrived: number;
  readonly arrivedBytes: number;
}

/** A second. */
export interface WorstSecond {
  /** Seconds since the beginning. */
  readonly second: number;
  readonly admittedUnits: number;
  readonly idealUnits: number;
  /** Admitted / ideal - 1, of at least one unit. */
  readonly over: number;
}

/** How long decisions took, within 1 %. */
export interface LatencyReport {
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/** What became of one stream of requests. */
export interface TrafficReport {
  readonly name: string;
  readonly units: number;
  readonly admittedUnits: number;
  readonly idealUnits: number;
}

/** Units by interval. Requests and what the ideal admits are counted when they arrive, what is admitted when it is. */
export interface Timeline {
  readonly intervalMs: number;
  readonly units: readonly number[];
  readonly admittedUnits: readonly number[];
  readonly idealUnits: readonly number[];
  /** Sent between nodes, and their bytes. */
  readonly messages: readonly number[];
  readonly messageBytes: readonly number[];
}

// What a model is made of: the policy, the nodes and keys, the traffic, the network, and what goes wrong.

import type { PolicyOptions } from "tidegate";
import type { NetworkOptions } from "./shared-server.ts";

/** Faults of each kind a second, in the mean. */
export interface FaultRates {
  readonly crashes: number;
  readonly absences: number;
  readonly steps: number;
  /** Policies that are set anew, with the same limits: leases of the one before are given back. */
  readonly changes: number;
  /** Nodes that end as they should, and begin anew. */
  readonly restarts: number;
}

/** One scenario. */
export interface Scenario {
  readonly name: string;
  readonly policy: PolicyOptions;
  /** For how long a lease may be spent, in microseconds: by its `syncInterval`, and a second at least. */
  readonly leaseUs: number;
  /** For how long a node is to be quiet after a grant that fell short; 0 where what it was told may be lost. */
  readonly quietUs: number;
  readonly nodes: number;
  /** By key and by node, its part of the requests. */
  readonly keyShares: readonly number[];
  readonly nodeShares: readonly number[];
  /** Requests a second, by the seconds since the start. */
  readonly rate: (seconds: number) => number;
  readonly seconds: number;
  /** Costs, each as often as the others. */
  readonly costs: readonly number[];
  readonly network: NetworkOptions;
  /** Whether the store answers well within the policy's deadline, so that no check is answered in its place. */
  readonly isInTime: boolean;
  readonly faults: FaultRates;
  /** Whether units may be lost: by a crash, or by a call that is. They come back with time. */
  readonly losesUnits: boolean;
  /** In microseconds since the epoch. */
  readonly startUs: number;
}

export const NO_FAULTS: FaultRates = { crashes: 0, absences: 0, steps: 0, changes: 0, restarts: 0 };

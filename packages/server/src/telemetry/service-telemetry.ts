// What the service counts, as plain numbers: a decision costs some tens of nanoseconds here, and nothing is turned
// into metrics before somebody asks for them. Labels are bounded by the configuration; keys are never among them.

import type {
  CircuitChange,
  Decision,
  GossipMessage,
  GossipStatus,
  LeaseEvent,
  OnStoreFailure,
  PeerChange,
  Source,
  Telemetry,
} from "tidegate";
import { DistinctKeys } from "./distinct-keys.ts";
import type { GossipCounts } from "./gossip-counts.ts";
import { PlainHistogram } from "./plain-histogram.ts";
import { StoreCircuits } from "./store-circuits.ts";

/** The sources that a decision may have, in the order of the counters. */
export const SOURCES: readonly Source[] = [
  "local",
  "store",
  "cache",
  "fail-open",
  "fail-closed",
  "fallback",
  "lease",
];
const SOURCE_INDEX: Readonly<Record<Source, number>> = {
  local: 0,
  store: 1,
  cache: 2,
  "fail-open": 3,
  "fail-closed": 4,
  fallback: 5,
  lease: 6,
};

/** How a policy answers where its store does not, by the source that its decisions then have. */
export const DEGRADED_MODES: readonly (readonly [source: number, mode: OnStoreFailure])[] = [
  [SOURCE_INDEX["fail-open"], "allow"],
  [SOURCE_INDEX["fail-closed"], "deny"],
  [SOURCE_INDEX.fallback, "local"],
];

/** Upper bounds of what remains, in units. */
export const REMAINING_BOUNDS: readonly number[] = [
  0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 100_000, 1_000_000,
];

/** Upper bounds of how long a call took, in seconds. */
export const DURATION_BOUNDS: readonly number[] = [
  0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1,
];

/** What a service asks of Redis. */
const STORE_OPERATIONS = ["evalsha", "eval", "ping"];
/** And where a policy divides something by the nodes that there are: its limits, or what may be over them. */
const ANNOUNCE = "announce";

/** What is known of a policy before it is asked. */
export interface PolicyFacts {
  /** Who answers for it as a rule. */
  readonly source: Source;
  /** Whether one of its limits, or of an override's, only flags. */
  readonly soft: boolean;
  readonly shadow: boolean;
  /** Who answers where the store does not; of no effect where it is never asked. */
  readonly onStoreFailure: OnStoreFailure;
  /** Whether it may be admitted what no lease covers. */
  readonly lends: boolean;
}

/** What became of units that the store has leased, in the order of their counters. */
export const LEASE_EVENTS: readonly LeaseEvent["kind"][] = ["granted", "returned", "expired"];

/** Whether the store decides as a rule, or leases out what decides. */
export function isStored({ source }: PolicyFacts): boolean {
  return source === "store" || source === "lease";
}

/** Who is told of the gossip. */
export interface GossipListener {
  readonly counts: GossipCounts;
  changed(change: PeerChange): void;
}

/** Counts of one policy. */
export interface PolicyCounts {
  readonly facts: PolicyFacts;
  /** By source, in the order of SOURCES. */
  readonly allowed: Float64Array;
  readonly denied: Float64Array;
  readonly remaining: PlainHistogram;
  softLimited: number;
  nearLimit: number;
  shadowDenied: number;
  evictions: number;
  overflows: number;
  /** Admitted by the store after their deadline. */
  lateAnswers: number;
  /** Of leases, in the order of LEASE_EVENTS: how many, and how many units. */
  readonly leases: Float64Array;
  readonly leaseUnits: Float64Array;
  /** Checks that waited for a lease. */
  leaseWaits: number;
}

/** One way in which calls come, and how long they took, in seconds. */
export interface CallDurations {
  readonly transport: string;
  readonly method: string;
  readonly durations: PlainHistogram;
}

/** The library's telemetry port, kept in memory until a scrape. */
export class ServiceTelemetry implements Telemetry {
  readonly keys = new DistinctKeys();
  readonly policies = new Map<string, PolicyCounts>();
  /** By operation. */
  readonly storeCalls = new Map<string, { ok: number; error: number }>();
  readonly calls: CallDurations[] = [];
  readonly circuits: StoreCircuits;
  /** Undefined where no policy gossips. */
  readonly gossip: GossipListener | undefined;
  /** Where names that no policy has are counted, and never shown: labels are the configuration's. */
  readonly #others = createPolicyCounts({
    source: "local",
    soft: false,
    shadow: false,
    onStoreFailure: "allow",
    lends: false,
  });
  #unitsHeld: () => ReadonlyMap<string, number> = () => new Map();
  #lastName = "";
  #lastCounts = this.#others;

  /** @param policies every policy that there is; its counters exist, as zeros, before the first request. */
  constructor(
    policies: Readonly<Record<string, PolicyFacts>>,
    circuits: StoreCircuits = new StoreCircuits(),
    gossip?: GossipListener,
  ) {
    this.circuits = circuits;
    this.gossip = gossip;
    const stored = Object.values(policies).filter(isStored);
    const announces = stored.some(
      ({ onStoreFailure, lends }) => onStoreFailure === "local" || lends,
    );
    for (const operation of announces ? [...STORE_OPERATIONS, ANNOUNCE] : STORE_OPERATIONS) {
      if (stored.length > 0) this.storeCalls.set(operation, { ok: 0, error: 0 });
    }
    for (const [name, facts] of Object.entries(policies)) {
      this.policies.set(name, createPolicyCounts(facts));
    }
  }

  decided(decision: Decision): void {
    const counts = this.#countsOf(decision.policy);
    const bySource = decision.allowed ? counts.allowed : counts.denied;
    const index = SOURCE_INDEX[decision.source];
    bySource[index] = bySource[index]! + 1;
    if (decision.soft) counts.softLimited += 1;
    if (decision.nearLimit) counts.nearLimit += 1;
    if (decision.shadow) counts.shadowDenied += 1;
    counts.remaining.observe(decision.remaining);
    this.keys.add(decision.key);
  }

  storeCalled(operation: string, status: "ok" | "error"): void {
    let calls = this.storeCalls.get(operation);
    if (calls === undefined) {
      calls = { ok: 0, error: 0 };
      this.storeCalls.set(operation, calls);
    }
    calls[status] += 1;
  }

  evicted(policy: string): void {
    this.#countsOf(policy).evictions += 1;
  }

  overflowed(policy: string): void {
    this.#countsOf(policy).overflows += 1;
  }

  circuitChanged(change: CircuitChange): void {
    this.circuits.change(change);
  }

  answeredLate(decision: Decision): void {
    this.#countsOf(decision.policy).lateAnswers += 1;
  }

  leased({ policy, kind, units }: LeaseEvent): void {
    const counts = this.#countsOf(policy);
    const index = LEASE_EVENTS.indexOf(kind);
    counts.leases[index] = counts.leases[index]! + 1;
    counts.leaseUnits[index] = counts.leaseUnits[index]! + units;
  }

  leaseAwaited(policy: string): void {
    this.#countsOf(policy).leaseWaits += 1;
  }

  leasesHeld(unitsHeld: () => ReadonlyMap<string, number>): void {
    this.#unitsHeld = unitsHeld;
  }

  /** Returns how many units of leases are in hand now, by policy. It looks at every key that has any. */
  heldUnits(): ReadonlyMap<string, number> {
    return this.#unitsHeld();
  }

  gossiped(event: GossipMessage): void {
    this.gossip?.counts.gossiped(event);
  }

  peerChanged(change: PeerChange): void {
    this.gossip?.changed(change);
  }

  gossipWatched(status: () => GossipStatus): void {
    this.gossip?.counts.watch(status);
  }

  /** Returns what observes the duration of calls, in milliseconds, for one kind of them; to be asked for once. */
  timer(transport: string, method: string): (durationMs: number) => void {
    const durations = new PlainHistogram(DURATION_BOUNDS);
    this.calls.push({ transport, method, durations });
    return (durationMs) => durations.observe(durationMs / 1_000);
  }

  /** Most requests name the policy that the one before named. */
  #countsOf(policy: string): PolicyCounts {
    if (policy === this.#lastName) return this.#lastCounts;
    this.#lastName = policy;
    this.#lastCounts = this.policies.get(policy) ?? this.#others;
    return this.#lastCounts;
  }
}

function createPolicyCounts(facts: PolicyFacts): PolicyCounts {
  return {
    facts,
    allowed: new Float64Array(SOURCES.length),
    denied: new Float64Array(SOURCES.length),
    remaining: new PlainHistogram(REMAINING_BOUNDS),
    softLimited: 0,
    nearLimit: 0,
    shadowDenied: 0,
    evictions: 0,
    overflows: 0,
    lateAnswers: 0,
    leases: new Float64Array(LEASE_EVENTS.length),
    leaseUnits: new Float64Array(LEASE_EVENTS.length),
    leaseWaits: 0,
  };
}

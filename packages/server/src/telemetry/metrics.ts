// Turns what was counted into Prometheus metrics, when they are asked for. The names are those of the design and stay.

import {
  Counter,
  collectDefaultMetrics,
  Gauge,
  Histogram,
  type MetricObjectWithValues,
  type MetricValueWithName,
  Registry,
} from "prom-client";
import { registerGossip } from "./gossip-metrics.ts";
import type { PlainHistogram } from "./plain-histogram.ts";
import {
  DEGRADED_MODES,
  DURATION_BOUNDS,
  isStored,
  LEASE_EVENTS,
  type PolicyCounts,
  type PolicyFacts,
  REMAINING_BOUNDS,
  type ServiceTelemetry,
  SOURCES,
} from "./service-telemetry.ts";
import { CIRCUIT_LEVELS } from "./store-circuits.ts";

/** Creates the registry of a service, with the process' own metrics. */
export function createRegistry(telemetry: ServiceTelemetry): Registry {
  const registry = new Registry();
  registerRequests(registry, telemetry);
  registerFlags(registry, telemetry);
  new Gauge({
    name: "rate_limiter_active_clients",
    help: "Different keys checked on this node in the last 60 to 70 seconds, estimated (standard error 1.6 %).",
    registers: [registry],
    collect() {
      this.set(telemetry.keys.estimate());
    },
  });
  new PlainHistogramMetric(
    registry,
    "rate_limiter_request_duration_seconds",
    "Time that a call took inside the service, from the read request to the answer.",
    ["transport", "method"],
    DURATION_BOUNDS,
    () => {
      return telemetry.calls.map(({ transport, method, durations }) => {
        return { labels: { transport, method }, histogram: durations };
      });
    },
  );
  new PlainHistogramMetric(
    registry,
    "rate_limiter_token_bucket_size",
    "Units that remained after a check, of the limit that bound.",
    ["policy"],
    REMAINING_BOUNDS,
    () => {
      return Array.from(telemetry.policies, ([policy, { remaining }]) => {
        return { labels: { policy }, histogram: remaining };
      });
    },
  );
  registerStore(registry, telemetry);
  registerFailures(registry, telemetry);
  registerLeases(registry, telemetry);
  if (telemetry.gossip !== undefined) registerGossip(registry, telemetry.gossip.counts);
  registerPolicyCounter(
    registry,
    telemetry,
    "rate_limiter_memory_evictions_total",
    "Keys, not being limited, that the memory store forgot to stay within its bound.",
    (counts) => counts.evictions,
  );
  registerPolicyCounter(
    registry,
    telemetry,
    "rate_limiter_memory_overflow_total",
    "Checks of new keys counted in a shared bucket, because the memory was full of keys being limited.",
    (counts) => counts.overflows,
  );
  collectDefaultMetrics({ register: registry });
  return registry;
}

function registerRequests(registry: Registry, telemetry: ServiceTelemetry): void {
  new Counter({
    name: "rate_limiter_request_total",
    help: "Requests decided. Looks through GetStatus are not counted.",
    labelNames: ["policy", "allowed", "source"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [policy, counts] of telemetry.policies) {
        SOURCES.forEach((source, index) => {
          const { allowed, denied } = counts;
          // A counter that begins with its first event hides that event from rates, so what answers as a rule has its
          // series from the start; another source has both of them once it has answered.
          const answered = allowed[index] !== 0 || denied[index] !== 0;
          if (source !== counts.facts.source && !answered) return;
          this.inc({ policy, allowed: "true", source }, allowed[index]!);
          this.inc({ policy, allowed: "false", source }, denied[index]!);
        });
      }
    },
  });
}

/** What decisions say beside allowed: denied, and the flags of limits and policies that do not deny. */
function registerFlags(registry: Registry, telemetry: ServiceTelemetry): void {
  registerPolicyCounter(
    registry,
    telemetry,
    "rate_limiter_hits_total",
    "Requests that were denied.",
    (counts) => total(counts.denied),
  );
  registerPolicyCounter(
    registry,
    telemetry,
    "rate_limiter_soft_limited_total",
    "Requests that were admitted although they go beyond a soft limit.",
    (counts) => counts.softLimited,
    ({ soft }) => soft,
  );
  registerPolicyCounter(
    registry,
    telemetry,
    "rate_limiter_near_limit_total",
    "Requests after which a limit was used to the policy's nearLimit or more.",
    (counts) => counts.nearLimit,
  );
  registerPolicyCounter(
    registry,
    telemetry,
    "rate_limiter_shadow_denied_total",
    "Requests that the limits of a shadow policy denied, and that were admitted all the same.",
    (counts) => counts.shadowDenied,
    ({ shadow }) => shadow,
  );
}

/** @param applies whether a policy can count here, and so has its series before the first event. */
function registerPolicyCounter(
  registry: Registry,
  telemetry: ServiceTelemetry,
  name: string,
  help: string,
  read: (counts: PolicyCounts) => number,
  applies: (facts: PolicyFacts) => boolean = () => true,
): void {
  new Counter({
    name,
    help,
    labelNames: ["policy"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [policy, counts] of telemetry.policies) {
        const count = read(counts);
        if (count !== 0 || applies(counts.facts)) this.inc({ policy }, count);
      }
    },
  });
}

function registerStore(registry: Registry, telemetry: ServiceTelemetry): void {
  new Counter({
    name: "rate_limiter_redis_operations_total",
    help: "Calls to Redis; one script call decides many requests.",
    labelNames: ["operation", "status"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [operation, { ok, error }] of telemetry.storeCalls) {
        this.inc({ operation, status: "ok" }, ok);
        this.inc({ operation, status: "error" }, error);
      }
    },
  });
}

/** What happens while the store does not answer, or not in time. */
function registerFailures(registry: Registry, telemetry: ServiceTelemetry): void {
  new Gauge({
    name: "rate_limiter_store_circuit_state",
    help: "Whether a node of the store is asked: 0 closed, it is; 1 half-open, by a probe; 2 open, it is not.",
    labelNames: ["node"],
    registers: [registry],
    collect() {
      this.reset();
      for (const { node, state } of telemetry.circuits.list()) {
        this.set({ node }, CIRCUIT_LEVELS[state]);
      }
    },
  });
  new Counter({
    name: "rate_limiter_degraded_total",
    help: "Requests that the store did not answer, and the policy's onStoreFailure did.",
    labelNames: ["policy", "mode"],
    registers: [registry],
    collect() {
      this.reset();
      for (const [policy, { facts, allowed, denied }] of telemetry.policies) {
        for (const [source, mode] of DEGRADED_MODES) {
          const count = allowed[source]! + denied[source]!;
          const own = isStored(facts) && facts.onStoreFailure === mode;
          if (own || count !== 0) this.inc({ policy, mode }, count);
        }
      }
    },
  });
  registerPolicyCounter(
    registry,
    telemetry,
    "rate_limiter_late_answers_total",
    "Requests that the store admitted after their deadline, when they had been answered: what it took stays taken.",
    (counts) => counts.lateAnswers,
    isStored,
  );
}

/** What the store leases to this node, and what becomes of it. */
function registerLeases(registry: Registry, telemetry: ServiceTelemetry): void {
  const registerEvents = (
    name: string,
    help: string,
    read: (counts: PolicyCounts) => Float64Array,
  ) => {
    new Counter({
      name,
      help,
      labelNames: ["policy", "event"],
      registers: [registry],
      collect() {
        this.reset();
        for (const [policy, counts] of telemetry.policies) {
          if (!hasLeases(counts)) continue;
          LEASE_EVENTS.forEach((event, index) => {
            this.inc({ policy, event }, read(counts)[index]!);
          });
        }
      },
    });
  };
  registerEvents(
    "rate_limiter_lease_events_total",
    "Leases granted to this node; what was left of one, given back (returned) or not (expired).",
    (counts) => counts.leases,
  );
  registerEvents(
    "rate_limiter_lease_units_total",
    "Units of those leases.",
    (counts) => counts.leaseUnits,
  );
  registerPolicyCounter(
    registry,
    telemetry,
    "rate_limiter_lease_waits_total",
    "Requests that waited for a lease; all others whose source is lease were decided from memory at once.",
    (counts) => counts.leaseWaits,
    ({ source }) => source === "lease",
  );
  new Gauge({
    name: "rate_limiter_lease_held_units",
    help: "Units of leases that this node has in hand: granted, and not yet spent, given back or expired.",
    labelNames: ["policy"],
    registers: [registry],
    collect() {
      this.reset();
      const held = telemetry.heldUnits();
      for (const [policy, counts] of telemetry.policies) {
        if (hasLeases(counts)) this.set({ policy }, held.get(policy) ?? 0);
      }
    },
  });
}

function hasLeases({ facts, leases }: PolicyCounts): boolean {
  return facts.source === "lease" || leases[0] !== 0;
}

function total(counts: Float64Array): number {
  return counts.reduce((sum, count) => sum + count, 0);
}

interface Series {
  readonly labels: Readonly<Record<string, string>>;
  readonly histogram: PlainHistogram;
}

type Exported = MetricObjectWithValues<MetricValueWithName<string>>;

/** A histogram of prom-client's whose values are read from plain ones. */
class PlainHistogramMetric extends Histogram<string> {
  readonly #metric: { readonly name: string; readonly help: string };
  readonly #read: () => Series[];

  constructor(
    registry: Registry,
    name: string,
    help: string,
    labelNames: string[],
    buckets: readonly number[],
    read: () => Series[],
  ) {
    super({ name, help, labelNames, buckets: [...buckets], registers: [registry] });
    this.#metric = { name, help };
    this.#read = read;
  }

  override async get() {
    return this.getForPromString();
  }

  /** What a registry writes out. */
  async getForPromString(): Promise<Exported> {
    const { name, help } = this.#metric;
    const values = this.#read().flatMap(({ labels, histogram }) => {
      const cumulative = histogram.cumulative();
      const buckets = cumulative.map((value, index) => {
        const le = histogram.bounds[index] ?? "+Inf";
        return { metricName: `${name}_bucket`, labels: { ...labels, le }, value };
      });
      return [
        ...buckets,
        { metricName: `${name}_sum`, labels, value: histogram.sum },
        { metricName: `${name}_count`, labels, value: cumulative.at(-1)! },
      ];
    });
    // The typings say that a number names the type, and that the collector is part of the values; neither is so.
    return { name, help, type: "histogram", aggregator: "sum", values } as unknown as Exported;
  }
}

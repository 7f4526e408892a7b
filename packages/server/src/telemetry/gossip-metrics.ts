// Turns what was counted of the gossip into Prometheus metrics, when they are asked for.

import { Counter, Gauge, type Registry } from "prom-client";
import type { GossipStatus } from "tidegate";
import type { GossipCounts } from "./gossip-counts.ts";

/** Registers the metrics rate_limiter_gossip_*. */
export function registerGossip(registry: Registry, counts: GossipCounts): void {
  const registers = [registry];
  const prefix = "rate_limiter_gossip_";
  const counter = (
    name: string,
    help: string,
    label: string,
    read: () => Iterable<readonly [string, number]>,
  ) => {
    new Counter({
      name: prefix + name,
      help,
      labelNames: [label],
      registers,
      collect() {
        this.reset();
        for (const [value, count] of read()) this.inc({ [label]: value }, count);
      },
    });
  };
  counter("messages_total", "Messages between nodes.", "direction", () => {
    return Object.entries(counts.messages);
  });
  counter("bytes_total", "Bytes of those messages, without what carries them.", "direction", () => {
    return Object.entries(counts.bytes);
  });
  counter(
    "refused_total",
    "Messages that came and were not believed: unsigned is a wrong or missing secret.",
    "reason",
    () => counts.refused,
  );
  counter(
    "lost_total",
    "Messages to other nodes that were given up; none is needed, for the next says it again.",
    "reason",
    () => counts.lost,
  );
  new Gauge({
    name: `${prefix}peers`,
    help: "Other nodes, by whether this one hears of them.",
    labelNames: ["state"],
    registers,
    collect() {
      this.reset();
      const peers = counts.status()?.peers ?? [];
      for (const state of ["reachable", "away"] as const) {
        this.set({ state }, peers.filter((peer) => peer.state === state).length);
      }
    },
  });
  registerStatus(registry, counts);
}

/** Metrics that are one number of the status each. */
function registerStatus(registry: Registry, counts: GossipCounts): void {
  const gauge = (name: string, help: string, read: (status: GossipStatus) => number) => {
    new Gauge({
      name: `rate_limiter_gossip_${name}`,
      help,
      registers: [registry],
      collect() {
        const status = counts.status();
        if (status !== undefined) this.set(read(status));
      },
    });
  };
  const counter = (name: string, help: string, read: (status: GossipStatus) => number) => {
    new Counter({
      name: `rate_limiter_gossip_${name}`,
      help,
      registers: [registry],
      collect() {
        const status = counts.status();
        this.reset();
        if (status !== undefined) this.inc(read(status));
      },
    });
  };
  counter("rounds_total", "Rounds of gossip that this node began.", ({ rounds }) => rounds);
  gauge("lag_seconds", "Age of the oldest news of a node that is reachable.", ({ lagMs }) => {
    return lagMs / 1_000;
  });
  gauge("keys", "Keys that are counted.", ({ keys }) => keys);
  gauge("keys_waiting", "Keys whose counts wait for a message with room.", (status) => {
    return status.keysWaiting;
  });
  gauge("keys_in_debt", "Keys of which more was admitted than the limit.", (status) => {
    return status.keysInDebt;
  });
  gauge(
    "debt_units",
    "Units that were admitted beyond the limits, and are not repaid yet.",
    (status) => {
      return status.debtUnits;
    },
  );
  counter(
    "forgiven_units_total",
    "Units beyond what is repaid: the overshoot that stays.",
    (status) => {
      return status.forgivenUnits;
    },
  );
}

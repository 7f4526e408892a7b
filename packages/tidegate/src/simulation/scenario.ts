// What a simulation is made of, as people write it: nodes, network, traffic, configurations side by side, and faults.

import type { GossipOptions } from "../gossip/gossip-options.ts";
import type { PolicyOptions } from "../policy/policy.ts";

/** A scenario. Durations are texts such as "10s", or milliseconds. */
export interface Scenario {
  readonly name: string;
  /** Any whole number from 0 on; the same gives the same report. Default 1. */
  readonly seed?: number;
  /** For how long there is traffic, at most an hour. */
  readonly duration: string | number;
  readonly nodes: NodesOptions;
  readonly network?: NetworkOptions;
  /** One or several streams of requests, which all configurations are asked alike. */
  readonly traffic: readonly TrafficOptions[];
  /** By name, what is compared: one to eight. */
  readonly configurations: Readonly<Record<string, ConfigurationOptions>>;
  readonly faults?: readonly FaultOptions[];
}

/** The nodes that ask. */
export interface NodesOptions {
  /** 1 to 200; may be left out where `regions` says it. */
  readonly count?: number;
  /** How many stand in each region, by its name: { eu: 3, us: 2 }. The store stands in the first. */
  readonly regions?: Readonly<Record<string, number>>;
  /** How far each node's clock may be from the store's, either way, drawn once; at most a day. Default 0. */
  readonly clockSkewMs?: number;
}

/** A link: between a node and the store, or between two nodes. */
export interface LinkOptions {
  /** Milliseconds that a message takes at least, one way. Default 0.25. */
  readonly latencyMs?: number;
  /** Milliseconds that come on top in the mean, exponentially distributed. Default 0.1. */
  readonly jitterMs?: number;
  /** Part of the messages that never arrive, 0 to 1. Default 0. */
  readonly loss?: number;
}

/** The network between the nodes, and between them and the store that they share. */
export interface NetworkOptions extends LinkOptions {
  /** Part of the messages between nodes that arrive twice, 0 to 1. Default 0. */
  readonly duplication?: number;
  /** Part of the messages between nodes that are held back, so that later ones overtake them, 0 to 1. Default 0. */
  readonly reordering?: number;
  /** By how many milliseconds they are held back at most. Default 200. */
  readonly reorderingMs?: number;
  /** Of messages from one region to another: by default 40 ms, 2 ms more in the mean, and none lost. */
  readonly betweenRegions?: LinkOptions;
}

/** A stream of requests. */
export interface TrafficOptions {
  /** Default "traffic 1" and so on. */
  readonly name?: string;
  /** Requests a second, of all nodes together. */
  readonly rate?: number;
  /** Default "poisson": independent of each other. "constant": in equal distances. */
  readonly arrivals?: "poisson" | "constant";
  /** So many requests at once, again and again. */
  readonly burst?: { readonly every: string | number; readonly requests: number };
  /** Whom the requests are counted for: names, or so many of them. */
  readonly keys?: readonly string[] | KeysOptions;
  /**
   * Instead of a rate, bursts and keys: requests that are replayed, in any order; a list, or what can be gone through
   * again.
   */
  readonly requests?: Iterable<ReplayedRequest>;
  /** Of those: how many times faster they come than they did; default 1. */
  readonly speed?: number;
  /** Which node is asked: "random" (default), "round-robin", or "by-key", always the same for a key. */
  readonly spread?: "random" | "round-robin" | "by-key";
  /** Of "random", by node, how much of the traffic it has; left out: all the same. */
  readonly weights?: readonly number[];
  /** Units that a request costs; default 1. */
  readonly cost?: number;
  /** When it begins and ends; left out: with the scenario. */
  readonly from?: string | number;
  readonly until?: string | number;
}

/** A request that was made once. */
export interface ReplayedRequest {
  /** Milliseconds since the first. */
  readonly atMs: number;
  readonly key: string;
  /** Units; default 1. */
  readonly cost?: number;
}

/** Keys that are numbered from 1 on. */
export interface KeysOptions {
  /** 1 to 100,000. */
  readonly count: number;
  /** What stands before the number; default "user:". */
  readonly prefix?: string;
  /** Default "even". "zipf": the n-th is asked for 1/n^exponent as often as the first. */
  readonly distribution?: "even" | "zipf";
  /** Of "zipf"; default 1. */
  readonly exponent?: number;
}

/** A policy and its coordination, "central" where it is left out. */
export interface ConfigurationOptions extends Omit<PolicyOptions, "overrides" | "shadow"> {
  /** Of "gossip" alone: how the nodes exchange what they admitted. */
  readonly gossip?: Omit<GossipOptions, "transport" | "region" | "secret">;
}

/** Something that goes wrong at an instant, and for a while. */
export type FaultOptions =
  /**
   * The store refuses connections; takes calls and does not answer; or answers them all when it is back. With `forgets`
   * it comes back empty. With `loses` a replica takes its place, as in a failover of Redis: it comes back as it was so
   * long before it went; not of "store-freezes", nor with `forgets`.
   */
  | (FaultTime & {
      readonly fault: "store-refuses" | "store-hangs" | "store-freezes";
      readonly forgets?: boolean;
      readonly loses?: string | number;
    })
  /** Nodes end at once and with all that they hold, and begin anew when it is over. */
  | (FaultTime & { readonly fault: "crash"; readonly nodes?: readonly number[] })
  /** Nodes do nothing, and go on where they were. */
  | (FaultTime & { readonly fault: "pause"; readonly nodes?: readonly number[] })
  /** Messages between nodes and the store do not arrive: all, or only what nodes ask, or only what they are told. */
  | (FaultTime & {
      readonly fault: "partition";
      readonly nodes?: readonly number[];
      readonly lost?: "both" | "questions" | "answers";
    })
  /**
   * Messages between nodes on different sides do not arrive: none, or only those that a side sends "forward", to one
   * that comes after it, or "back". A side is a list of nodes or the name of a region; nodes on none reach all.
   */
  | (FaultTime & {
      readonly fault: "partition";
      readonly sides: readonly (string | readonly number[])[];
      readonly lost?: "both" | "forward" | "back";
      /** The side that the store is on, from 1 on; left out: all reach it. */
      readonly store?: number;
    })
  /** The network is another one. */
  | (FaultTime & NetworkOptions & { readonly fault: "network" })
  /** The clocks of nodes are set, forward or back. */
  | {
      readonly fault: "clock-step";
      readonly at: string | number;
      readonly nodes?: readonly number[];
      readonly stepMs: number;
    };

/** When, since the beginning, and for how long. Nodes are counted from 1; left out: all. */
export interface FaultTime {
  readonly at: string | number;
  readonly for: string | number;
}

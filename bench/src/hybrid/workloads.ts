// What the nodes are asked: how many keys, how often each, and the limit that holds for each.

/** Who decides: all in Redis, the usual recipe, or leases. */
export const CONTENDERS = ["central", "recipe", "hybrid"] as const;
export type ContenderName = (typeof CONTENDERS)[number];

/** Requests over some keys, each with a token bucket of its own. */
export interface Workload {
  readonly title: string;
  readonly keys: number;
  /** The k-th key is asked for as often as 1 / k to this power says: 0 for all alike. */
  readonly zipf: number;
  readonly capacity: number;
  readonly refillPerSecond: number;
  /** Share of one call per request that is left at most: the goal. */
  readonly commandsAtMost: number;
}

/** The four, at 15,000 requests/s in all. */
export const WORKLOADS: readonly Workload[] = [
  {
    title: "50 hot users over their limit",
    ...{ keys: 50, zipf: 0, capacity: 100, refillPerSecond: 100, commandsAtMost: 0.1 },
  },
  {
    title: "One hot key over its limit",
    ...{ keys: 1, zipf: 0, capacity: 7_000, refillPerSecond: 7_000, commandsAtMost: 0.01 },
  },
  {
    title: "One hot key under its limit",
    ...{ keys: 1, zipf: 0, capacity: 15_000, refillPerSecond: 20_000, commandsAtMost: 0.01 },
  },
  {
    title: "10,000 users with a Zipf spread",
    ...{ keys: 10_000, zipf: 1, capacity: 20, refillPerSecond: 10, commandsAtMost: 0.1 },
  },
];

/** Keys of one node whose leases are renewed before they run dry; each is asked for 50 times a second of its 100. */
export const WARM_KEYS: Workload = {
  title: "In process: warm keys, while leases are renewed",
  ...{ keys: 1_000, zipf: 0, capacity: 100, refillPerSecond: 100, commandsAtMost: 0.1 },
};

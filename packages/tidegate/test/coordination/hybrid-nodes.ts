// Nodes with limiters of coordination "hybrid" over one store, whose time a test moves and which fails when told to.

import {
  createLimiter,
  type Decision,
  type LeaseEvent,
  type Limit,
  type Limiter,
  type LimiterOptions,
  type PolicyOptions,
  tokenBucket,
} from "tidegate";
import { createFaultyStore, type FaultyStore } from "../support/faulty-store.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";
import { createManualTimer, type ManualTimer, settled } from "../support/manual-timer.ts";

/** The nodes and all around them. */
export interface HybridNodes {
  readonly limiters: readonly Limiter[];
  /** The first of them. */
  readonly limiter: Limiter;
  readonly store: FaultyStore;
  readonly clock: ManualClock;
  readonly timer: ManualTimer;
  /** What the nodes' telemetry was told of leases. */
  readonly events: LeaseEvent[];
  /** How often the store was asked about leases. */
  readonly asked: number;
  /** Units that the store has left of a key of the policy "api". */
  left(key?: string): Promise<number>;
  /** Checks a key of the policy "api" on a node, and lets the time pass for which that may have to wait. */
  check(key: string, cost?: number, node?: number): Promise<Decision>;
  /** Checks so often, one after the other, and returns how many were admitted. */
  admitted(times: number, key?: string, node?: number): Promise<number>;
  /** Closes the nodes; `left` can be asked still. */
  close(): Promise<void>;
}

/** What a test may choose. */
export interface HybridNodesOptions extends Partial<LimiterOptions> {
  readonly count?: number;
  readonly cluster?: boolean;
}

/** A thousand units, of which a hundred return every second. */
export const BUCKET = tokenBucket({ capacity: 1_000, refill: "100/s" });

/** Creates the nodes; the policy "api" has the limits. */
export function createHybridNodes(
  limits: readonly Limit[] = [BUCKET],
  settings: Partial<PolicyOptions> = {},
  options: HybridNodesOptions = {},
): HybridNodes {
  const { count = 1, cluster = false, ...rest } = options;
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const store = createFaultyStore(clock, { cluster });
  store.nodes = count;
  const events: LeaseEvent[] = [];
  const limiters = Array.from({ length: count }, () => {
    return createLimiter({
      store,
      coordination: "hybrid",
      clock,
      timer,
      random: { next: () => 0 },
      scheduler: { afterTurn: (work) => void setImmediate(work) },
      telemetry: { leased: (event) => void events.push(event) },
      policies: { api: { limits, ...settings } },
      ...rest,
    });
  });
  const limiter = limiters[0]!;
  const check = async (key: string, cost = 1, node = 0) => {
    let isDone = false;
    const answer = limiters[node]!.check({ policy: "api", key, cost }).finally(() => {
      isDone = true;
    });
    // The next question goes out within 5 ms; most often nothing is asked, or at once.
    for (let turn = 0; turn < 4 && !isDone; turn += 1) await settled();
    if (!isDone) await timer.advanceMs(5);
    return answer;
  };
  const central = createLimiter({ store, clock, timer, policies: { api: { limits } } });
  return {
    limiters,
    limiter,
    store,
    clock,
    timer,
    events,
    check,
    get asked() {
      return store.calls.filter((call) => call.startsWith("lease")).length;
    },
    async left(key = "k") {
      return (await central.peek({ policy: "api", key, cost: 0 })).remaining;
    },
    async admitted(times, key = "k", node = 0) {
      let admitted = 0;
      for (let time = 0; time < times; time += 1) {
        if ((await check(key, 1, node)).allowed) admitted += 1;
      }
      return admitted;
    },
    async close() {
      await Promise.all(limiters.map((one) => one.close()));
      await settled();
    },
  };
}

// A limiter over a store that fails as a test tells it to, whose time the test moves, and what its telemetry was told.

import {
  type CircuitChange,
  createLimiter,
  type Decision,
  fixedWindow,
  type Limiter,
  type LimiterOptions,
  type PolicyOptions,
} from "tidegate";
import { createFaultyStore, type FaultyStore, type Mode } from "../support/faulty-store.ts";
import { createManualClock, type ManualClock } from "../support/manual-clock.ts";
import { createManualTimer, type ManualTimer, settled } from "../support/manual-timer.ts";

/** The limiter and all around it. */
export interface GuardedLimiter {
  readonly limiter: Limiter;
  readonly store: FaultyStore;
  readonly clock: ManualClock;
  readonly timer: ManualTimer;
  readonly changes: CircuitChange[];
  readonly late: Decision[];
  /** Lets the deadline of what is asked pass. */
  expire(): Promise<void>;
  /** Takes the store away, and opens the circuit by checks of a policy and a key. */
  goAway(policy?: string, key?: string): Promise<void>;
  /** Brings the store back, and lets a probe find that out. */
  comeBack(): Promise<void>;
}

/** Ten units an hour. */
export const limits = [fixedWindow({ limit: 10, window: "1h" })];

/** A policy of ten units an hour for each answer to a failure, and one to open the circuit with. */
export const POLICIES = {
  allow: { limits, onStoreFailure: "allow" },
  deny: { limits, onStoreFailure: "deny" },
  local: { limits, onStoreFailure: "local" },
  opener: { limits: [fixedWindow({ limit: 1_000_000, window: "1h" })] },
} as const satisfies Record<string, PolicyOptions>;

/** Answers of policies where the store does not. */
export const ANSWERS = ["allow", "deny", "local"] as const;

/** What a test may choose. */
export interface GuardedLimiterOptions extends Partial<LimiterOptions> {
  readonly cluster?: boolean;
  /** How many nodes there are said to be. */
  readonly nodes?: number;
  /** How the store is from the start. */
  readonly mode?: Mode;
}

/** Creates the limiter; two nodes share the store. */
export function createGuardedLimiter(
  policies: Readonly<Record<string, PolicyOptions>> = POLICIES,
  options: GuardedLimiterOptions = {},
): GuardedLimiter {
  const { cluster = false, nodes = 2, mode = "up", ...rest } = options;
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const store = createFaultyStore(clock, { cluster });
  store.nodes = nodes;
  store.set(mode);
  const changes: CircuitChange[] = [];
  const late: Decision[] = [];
  const limiter = createLimiter({
    store,
    clock,
    timer,
    random: { next: () => 0 },
    scheduler: { afterTurn: (work) => void setImmediate(work) },
    telemetry: {
      circuitChanged: (change) => void changes.push(change),
      answeredLate: (decision) => void late.push(decision),
    },
    policies,
    ...rest,
  });
  return {
    limiter,
    store,
    clock,
    timer,
    changes,
    late,
    expire: () => timer.advanceMs(50),
    async goAway(policy = "opener", key = "opener") {
      store.set("down", cluster ? key[0] : undefined);
      for (let time = 0; time < 5; time += 1) {
        await limiter.check({ policy, key });
        await settled();
      }
    },
    async comeBack() {
      store.set("up");
      await timer.advanceMs(500);
    },
  };
}

/** What matters of a decision. */
export function brief({ allowed, remaining, retryAfterMs, source }: Decision): unknown[] {
  return [allowed, remaining, retryAfterMs, source];
}

// One key of a policy in a memory store under a manual clock, asked by checks or, for policies that hold, by permits;
// and a key whose states are in plain sight, for what decisions round to milliseconds or do not tell.

import { type Decision, type Limit, memoryStore, type Outcome, type PolicyOptions } from "tidegate";
import { longestReset } from "../../src/algorithms/decide.ts";
import { consumed } from "../../src/algorithms/dispatch.ts";
import type { EntryLog } from "../../src/algorithms/entry-log.ts";
import {
  chargeTo,
  createKeyEntries,
  giveBack,
  look,
  takeFrom,
} from "../../src/algorithms/key-state.ts";
import { createPolicy } from "../../src/policy/policy.ts";
import { createManualClock, type ManualClock } from "./manual-clock.ts";
import { type Admission, type Burst, replay, START_US } from "./traffic.ts";

/** A key in a store. */
export interface TestKey {
  readonly clock: ManualClock;
  /** Asks for units; of limits that hold, for a permit. */
  check(cost: number): Decision;
  /** Answers what `check` would. */
  peek(cost: number): Decision;
  refund(units: number): Outcome;
  reserve(id: string, estimate: number): Outcome;
  settle(id: string, actual: number): Outcome;
  /** Another key of the same store and policy. */
  sibling(key: string): TestKey;
}

/** Creates a key that was never seen. */
export function createTestKey(
  limits: readonly Limit[],
  settings: Omit<PolicyOptions, "limits"> = {},
): TestKey {
  const clock = createManualClock(START_US);
  // Without the sweep it remembers what an open key does: also what is as if unused, until the clock is set back.
  const store = memoryStore({ clock, sweepSlots: 0 });
  const policy = createPolicy("api", { ...settings, limits });
  let permits = 0;
  const ttlUs = 20 * 366 * 86_400_000_000;

  function keyOf(key: string): TestKey {
    const part = (cost: number) => ({ policy, key, cost });
    return {
      clock,
      check(cost) {
        if (!policy.holds) return store.decide(policy, key, cost, true);
        permits += 1;
        return store.run({ kind: "take", parts: [part(cost)], permit: `p${permits}` }).decision;
      },
      peek: (cost) => store.decide(policy, key, cost, false),
      refund: (units) => {
        return store.run({ kind: "give", part: part(units), takenAt: Number.POSITIVE_INFINITY });
      },
      reserve: (id, estimate) => {
        return store.run({ kind: "take", parts: [part(estimate)], record: { id, ttlUs } });
      },
      settle: (id, actual) => store.run({ kind: "settle", part: part(actual), id }),
      sibling: keyOf,
    };
  }
  return keyOf("k");
}

/** Returns what is admitted of a history: when, and how much. */
export function admissionsOf(limits: readonly Limit[], traffic: readonly Burst[]): Admission[] {
  const key = createTestKey(limits);
  const admitted: Admission[] = [];
  replay(traffic, limits[0]!, key.clock, (cost) => {
    if (key.check(cost).allowed) admitted.push({ at: key.clock.now(), cost });
  });
  return admitted;
}

/** A key of one limit whose state is in plain sight. */
export interface OpenKey {
  readonly numbers: Float64Array;
  /** Of sliding logs. */
  readonly log: EntryLog;
  /** Microseconds until `cost` units are there: 0 now, Infinity never. */
  waitUs(now: number, cost: number): number;
  /** Takes the units where they are there. */
  take(now: number, cost: number, permit?: string): boolean;
  charge(now: number, units: number): void;
  give(now: number, units: number, takenAt?: number): void;
  used(now: number): number;
  resetUs(now: number): number;
}

/** Creates a key that was never seen; `limit` may be changed for another of the same rule. */
export function createOpenKey(limit: Limit): OpenKey & { limit: Limit } {
  const state = {
    numbers: new Float64Array(limit.width),
    at: 0,
    entries: createKeyEntries([limit]),
  };
  const { numbers } = state;
  const waits = new Float64Array(1);
  const key = {
    limit,
    numbers,
    log: state.entries?.[0] as EntryLog,
    waitUs(now: number, cost: number) {
      look([key.limit], state, now, cost, waits);
      return waits[0]!;
    },
    take(now: number, cost: number, permit = "p") {
      const there = key.waitUs(now, cost) === 0;
      if (there) takeFrom([key.limit], state, now, cost, permit);
      return there;
    },
    charge: (now: number, units: number) => chargeTo([key.limit], state, now, units),
    give(now: number, units: number, takenAt = Number.POSITIVE_INFINITY) {
      giveBack([key.limit], state, now, units, takenAt);
    },
    used(now: number) {
      key.waitUs(now, 0);
      return consumed(key.limit, numbers, 0, now);
    },
    resetUs(now: number) {
      key.waitUs(now, 0);
      return longestReset([key.limit], numbers, 0, now);
    },
  };
  return key;
}

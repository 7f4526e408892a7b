// What a memory store counts beside its own checks: what other nodes admitted, and how a key stands because of it.

import { decide } from "../algorithms/decide.ts";
import {
  assumeUsed,
  countElsewhere,
  createStanding,
  type Elsewhere,
  type Standing,
  standingOf,
} from "../algorithms/elsewhere.ts";
import { createDecision, type Decision } from "../decision.ts";
import { MAX_LIMITS, type Policy } from "../policy/policy.ts";
import type { StateView } from "../ports/counting-store.ts";
import { type KeySpace, type Place, stateAt } from "./key-space.ts";

/** Numbers of a key that is as if never used. */
const ignored = createStanding();
const unused = new Float64Array(MAX_LIMITS * 4);

/** Counts over a store's keys. All limits must be plain. */
export class MemoryCounts {
  readonly #keys: KeySpace;

  constructor(keys: KeySpace) {
    this.#keys = keys;
  }

  deny(policy: Policy, key: string, cost: number, waitUs: number, now: number): Decision {
    const { numbers, at } = this.#stateOf(policy, key, now);
    const wait = Math.max(decide(policy.limits, numbers, at, now, cost, false), waitUs);
    return createDecision(policy, key, cost, wait, false, numbers, at, now, "local");
  }

  standing(policy: Policy, key: string, now: number, spanUs: number, into: Standing): void {
    const { numbers, at } = this.#stateOf(policy, key, now);
    standingOf(policy.limits, numbers, at, now, spanUs, into);
  }

  view(policy: Policy, key: string, now: number): StateView | undefined {
    const place = this.#find(policy, key, now);
    if (place === undefined) return undefined;
    const { numbers, at } = stateAt(place);
    standingOf(policy.limits, numbers, at, now, 0, ignored);
    return { numbers, at, now };
  }

  count(policy: Policy, key: string, now: number, units: Elsewhere): number {
    const { numbers, at } = stateAt(this.#place(policy, key, now));
    return countElsewhere(policy.limits, numbers, at, now, units);
  }

  assume(policy: Policy, key: string, now: number, used: Float64Array, ageUs: number): void {
    const { numbers, at } = stateAt(this.#place(policy, key, now));
    assumeUsed(policy.limits, numbers, at, now, used, ageUs);
  }

  /** Returns a key's state; that of a key that is not known is written to nowhere. */
  #stateOf(policy: Policy, key: string, now: number): Pick<StateView, "numbers" | "at"> {
    const place = this.#find(policy, key, now);
    if (place !== undefined) return stateAt(place);
    unused.fill(0);
    return { numbers: unused, at: 0 };
  }

  #find(policy: Policy, key: string, now: number): Place | undefined {
    return this.#keys.find(policy, key, now) ?? this.#carry(policy, key, now);
  }

  /** Moves a key that was written under limits of another width. */
  #carry(policy: Policy, key: string, now: number): Place | undefined {
    const carried = this.#keys.takeCarried(policy, key, now);
    if (carried === undefined) return undefined;
    if (!this.#keys.findRoom(policy, now)) return this.#keys.overflow(policy, now);
    return this.#keys.insert(policy, key, carried.numbers, carried.entries, now);
  }

  #place(policy: Policy, key: string, now: number): Place {
    const place = this.#find(policy, key, now);
    if (place !== undefined) return place;
    if (!this.#keys.findRoom(policy, now)) return this.#keys.overflow(policy, now);
    return this.#keys.insert(policy, key, unused.fill(0), undefined, now);
  }
}

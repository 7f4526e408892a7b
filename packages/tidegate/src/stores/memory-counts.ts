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
import type { KeyEntries } from "../algorithms/key-state.ts";
import { createDecision, type Decision } from "../decision.ts";
import { MAX_LIMITS, type Policy } from "../policy/policy.ts";
import type { KeyAt, StateView } from "../ports/counting-store.ts";
import type { KeySpace } from "./key-space.ts";

/** Slot of a key that is not there. */
const NOWHERE = -1;

type Numbers = Pick<StateView, "numbers" | "at">;

/** Numbers of a key that is as if never used. */
const ignored = createStanding();
const unused = new Float64Array(MAX_LIMITS * 4);

/** Counts over a store's keys. All limits must be plain. */
export class MemoryCounts {
  readonly #keys: KeySpace;

  constructor(keys: KeySpace) {
    this.#keys = keys;
  }

  deny(policy: Policy, key: KeyAt, cost: number, waitUs: number, now: number): Decision {
    const { numbers, at } = this.#stateOf(policy, key, now);
    const wait = Math.max(decide(policy.limits, numbers, at, now, cost, false), waitUs);
    return createDecision(policy, key.name, cost, wait, false, numbers, at, now, "local");
  }

  standing(policy: Policy, key: KeyAt, now: number, spanUs: number, into: Standing): void {
    const { numbers, at } = this.#stateOf(policy, key, now);
    standingOf(policy.limits, numbers, at, now, spanUs, into);
  }

  view(policy: Policy, key: KeyAt, now: number): StateView | undefined {
    const slot = this.#find(policy, key, now);
    if (slot === NOWHERE) return undefined;
    const { numbers, at } = this.#stateAt(policy, slot, now);
    standingOf(policy.limits, numbers, at, now, 0, ignored);
    return { numbers, at, now };
  }

  count(policy: Policy, key: KeyAt, now: number, units: Elsewhere): number {
    const { numbers, at } = this.#stateAt(policy, this.#obtain(policy, key, now), now);
    return countElsewhere(policy.limits, numbers, at, now, units);
  }

  assume(policy: Policy, key: KeyAt, now: number, used: Float64Array, ageUs: number): void {
    const { numbers, at } = this.#stateAt(policy, this.#obtain(policy, key, now), now);
    assumeUsed(policy.limits, numbers, at, now, used, ageUs);
  }

  /** Returns a key's state; that of a key that is not known is written to nowhere. */
  #stateOf(policy: Policy, key: KeyAt, now: number): Numbers {
    const slot = this.#find(policy, key, now);
    if (slot !== NOWHERE) return this.#stateAt(policy, slot, now);
    unused.fill(0);
    return { numbers: unused, at: 0 };
  }

  #stateAt(policy: Policy, slot: number, now: number): Numbers {
    const table = this.#keys.tableOf(policy, now);
    return { numbers: table.chunkOf(slot), at: table.offsetOf(slot) };
  }

  /** Finds the slot of a key, in the table of its policy. */
  #find(policy: Policy, key: KeyAt, now: number): number {
    const table = this.#keys.tableOf(policy, now);
    const slot = table.findAt(key.name, key.at);
    if (slot === undefined) return this.#carry(policy, key, now);
    key.at = slot;
    if (table.mixed) table.adopt(slot, policy.limits, now);
    return slot;
  }

  /** Moves a key that was written under limits of another width. */
  #carry(policy: Policy, key: KeyAt, now: number): number {
    const carried = this.#keys.takeCarried(policy, key.name, now);
    if (carried === undefined) return NOWHERE;
    return this.#insert(policy, key, carried.numbers, carried.entries, now);
  }

  #obtain(policy: Policy, key: KeyAt, now: number): number {
    const slot = this.#find(policy, key, now);
    return slot === NOWHERE ? this.#insert(policy, key, unused.fill(0), undefined, now) : slot;
  }

  /** Gives a key a slot; where there is no room, that of all keys that have none. */
  #insert(
    policy: Policy,
    key: KeyAt,
    numbers: Float64Array,
    entries: KeyEntries | undefined,
    now: number,
  ): number {
    const isRoom = this.#keys.findRoom(policy, now);
    const { slot } = isRoom
      ? this.#keys.insert(policy, key.name, numbers, entries, now)
      : this.#keys.overflow(policy, now);
    key.at = slot;
    return slot;
  }
}

// Counts here what a node said that it admitted: the difference to what it had said before.

import type { Limit } from "../algorithms/dispatch.ts";
import { createElsewhere, isWindow, windowStart } from "../algorithms/elsewhere.ts";
import { MAX_LIMITS, type Policy } from "../policy/policy.ts";
import type { CountingStore } from "../ports/counting-store.ts";
import type { CountedKey, WindowCount } from "./counted-key.ts";
import type { OriginRegister } from "./origin.ts";
import type { Before } from "./replica.ts";

/** What it counts with. */
export interface LearningOptions {
  readonly store: CountingStore;
  readonly region: string;
  /** Finds what a key is decided by; undefined where that is not by gossip, or by no limit. */
  readonly policyOf: (key: CountedKey) => Policy | undefined;
  /** Store's clock, and the steady one, in microseconds. */
  readonly wall: () => number;
  readonly steady: () => number;
}

/** Counts what was learned. */
export class Learning {
  /** Units beyond what is repaid, in all. */
  forgiven = 0;
  readonly #options: LearningOptions;
  readonly #units = createElsewhere(MAX_LIMITS);
  readonly #used = new Float64Array(MAX_LIMITS);
  /** When what is learned came: by the store's clock, and by the steady one. */
  #now = 0;
  #steadyNow = 0;
  #lastPolicy: Policy | undefined;
  #lastMost = 0;

  constructor(options: LearningOptions) {
    this.#options = options;
  }

  /** Begins with what came in one message. */
  begin(): void {
    const { wall, steady } = this.#options;
    this.#now = wall();
    this.#steadyNow = steady();
  }

  learned(register: OriginRegister, before: Before): void {
    const { key } = register;
    const policy = this.#options.policyOf(key);
    if (policy === undefined) return;
    if (policy.isRegional && register.origin.region !== this.#options.region) return;
    if (before.isStrange) this.#assume(register, policy);
    else this.#count(register, policy, before);
  }

  /** Of what was admitted before anything was known, the sum says nothing; how full the key was there does. */
  #assume(register: OriginRegister, policy: Policy): void {
    const { store } = this.#options;
    const ageUs = Math.max(this.#steadyNow - register.touchedAt, 0);
    let window = 0;
    policy.limits.forEach((limit, index) => {
      const level = register.levelOf(index);
      let used = (level * limit.limit) / 100;
      if (isWindow(limit)) {
        const there = register.windows[window++];
        if (there === undefined || this.#windowsApart(limit, there) !== 0) used = 0;
      }
      this.#used[index] = used;
    });
    store.assume(policy, register.key, this.#used, ageUs);
  }

  #count(register: OriginRegister, policy: Policy, before: Before): void {
    const { store } = this.#options;
    const { key } = register;
    let units = register.units - before.units;
    if (register.resets > before.resets) {
      store.reset(policy, key.name);
      units = register.units;
    }
    // What was presumed of a node while it was away is not counted again when it tells of it.
    if (register.origin.isStale && units > 0) {
      const presumed = Math.min(key.presumed, units);
      key.presumed -= presumed;
      units -= presumed;
    }
    if (units === 0) return;
    this.#spread(register, policy, units);
    this.forgiven += store.count(policy, key, this.#units, this.#now);
    // No more than the limits count, however much is told.
    const most = 2 * this.#mostOf(policy);
    key.expectedRoom -= Math.min(Math.max(units, -most), most);
  }

  /** Says of which windows units are. */
  #spread({ windows }: OriginRegister, policy: Policy, units: number): void {
    const { present, before } = this.#units;
    let window = 0;
    for (let index = 0; index < policy.limits.length; index += 1) {
      present[index] = units;
      before[index] = 0;
      const limit = policy.limits[index]!;
      if (!isWindow(limit)) continue;
      const there = windows[window++];
      if (there === undefined) continue;
      const apart = this.#windowsApart(limit, there);
      // What was given back is of the window there is.
      const inPresent = units < 0 ? units : Math.min(units, there.present);
      if (apart === 0) {
        present[index] = inPresent;
        before[index] = Math.min(Math.max(units - inPresent, 0), there.before);
      } else if (apart < 0) {
        present[index] = 0;
        before[index] = apart === -1 ? inPresent : 0;
      }
    }
  }

  /** By how many windows another node's is before the present one here, by its age: the nearest is the same. */
  #windowsApart(limit: Limit, there: WindowCount): number {
    const startedAt = this.#now - (this.#steadyNow - there.startedAt);
    return Math.round((startedAt - windowStart(limit, this.#now)) / limit.windowUs);
  }

  /** The largest of a policy's limits: that of the policy asked about last is known. */
  #mostOf(policy: Policy): number {
    if (policy !== this.#lastPolicy) {
      this.#lastPolicy = policy;
      this.#lastMost = policy.limits.reduce((most, { limit }) => Math.max(most, limit), 0);
    }
    return this.#lastMost;
  }
}

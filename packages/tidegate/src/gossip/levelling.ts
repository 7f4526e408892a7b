// Brings what a bucket holds here nearer to what it holds in the eyes of the others. All count the same, but not from
// the same begin: debts end at a floor, and of nodes that were silent it was presumed what they did. Else a node that
// believes to be deeper in debt than the others do would have nothing for as long as they use all that comes back. To
// go to the mean changes nothing of the sum.

import { consumed } from "../algorithms/dispatch.ts";
import { createElsewhere, isWindow } from "../algorithms/elsewhere.ts";
import { MAX_LIMITS, type Policy } from "../policy/policy.ts";
import type { CountingStore } from "../ports/counting-store.ts";
import type { Random } from "../ports/random.ts";
import type { CountedKey, Register } from "./counted-key.ts";
import type { Origin } from "./origin.ts";

/** Part of the way to the mean that is gone at once, in each round. */
const STEP = 0.1;

/** What it needs. */
export interface LevellingOptions {
  readonly store: CountingStore;
  readonly random: Random;
  readonly region: string;
  readonly intervalUs: number;
}

/** Levels buckets. */
export class Levelling {
  readonly #options: LevellingOptions;
  readonly #units = createElsewhere(MAX_LIMITS);

  constructor(options: LevellingOptions) {
    this.#options = options;
  }

  /**
   * Goes a step towards the mean, and answers whether anything changed.
   * @param now steady clock, in microseconds.
   */
  level(key: CountedKey, policy: Policy, now: number): boolean {
    const { store, random } = this.#options;
    const { own } = key;
    if (own === undefined || !this.#isRecent(own, now)) return false;
    let isAny = false;
    for (let index = 0; index < policy.limits.length; index += 1) {
      const limit = policy.limits[index]!;
      this.#units.present[index] = 0;
      if (isWindow(limit)) continue;
      const mean = this.#meanLevel(own, index, now);
      const apart = ((mean - own.levelOf(index)) * limit.limit) / 100;
      const units = Math.floor(STEP * apart + random.next());
      this.#units.present[index] = units;
      if (units === 0) continue;
      isAny = true;
      key.expectedRoom -= units;
    }
    if (isAny) store.count(policy, key, this.#units);
    return isAny;
  }

  /**
   * Ends a debt that has lasted for longer than one can: as long as the bucket takes to fill. It was counted for what
   * others were forgiven.
   * @param lagUs age of what is known of the others.
   */
  forgive(key: CountedKey, policy: Policy, room: number, lagUs: number, now: number): boolean {
    if (room >= 0) {
      key.inDebtSince = Number.POSITIVE_INFINITY;
      return false;
    }
    key.inDebtSince = Math.min(key.inDebtSince, now);
    const { store } = this.#options;
    const view = store.view(policy, key);
    if (view === undefined) return false;
    let isAny = false;
    for (let index = 0; index < policy.limits.length; index += 1) {
      const limit = policy.limits[index]!;
      this.#units.present[index] = 0;
      if (isWindow(limit) || now - key.inDebtSince <= Math.max(limit.windowUs, 10 * lagUs))
        continue;
      const at = view.at + policy.offsets[index]!;
      const debt = consumed(limit, view.numbers, at, view.now) - limit.limit;
      if (debt <= 0) continue;
      this.#units.present[index] = -debt;
      key.expectedRoom += debt;
      isAny = true;
    }
    if (isAny) store.count(policy, key, this.#units);
    return isAny;
  }

  /**
   * Mean of what all of the region say that spoke of the key lately, this node among them: each said it as its round
   * began. What other regions say is older, and would be believed too much of.
   */
  #meanLevel(own: Register, index: number, now: number): number {
    const { region } = this.#options;
    let sum = own.levelOf(index);
    let count = 1;
    for (const register of own.key.registers) {
      const { isStale, region: where } = register.origin as Origin;
      if (isStale || where !== region || !this.#isRecent(register, now)) continue;
      sum += register.levelOf(index);
      count += 1;
    }
    return sum / count;
  }

  #isRecent({ touchedAt }: Register, now: number): boolean {
    return now - touchedAt <= 4 * this.#options.intervalUs;
  }
}

// The keys that a node counts, by policy: bounded, and found as fast as a map finds them.

import { CountedKey } from "./counted-key.ts";

/** Keys counted at most, over all policies. */
const MAX_KEYS = 1_000_000;

/** The keys. */
export class CountedKeys {
  readonly #byPolicy = new Map<string, Map<string, CountedKey>>();
  readonly #max: number;
  #lastName: string | undefined;
  #lastKeys: Map<string, CountedKey> | undefined;
  #sweep: Iterator<CountedKey> | undefined;
  size = 0;

  /** Whether there are as many as there may be. */
  get isFull(): boolean {
    return this.size >= this.#max;
  }

  constructor(max = MAX_KEYS) {
    this.#max = max;
  }

  find(policy: string, key: string): CountedKey | undefined {
    const keys = policy === this.#lastName ? this.#lastKeys : this.#open(policy);
    return keys!.get(key);
  }

  /** Finds a key or adds it; undefined where there are as many as there may be. */
  obtain(policy: string, key: string): CountedKey | undefined {
    const known = this.find(policy, key);
    if (known !== undefined || this.isFull) return known;
    const added = new CountedKey(policy, key);
    this.#lastKeys!.set(key, added);
    this.size += 1;
    return added;
  }

  drop(key: CountedKey): void {
    const keys = this.#byPolicy.get(key.policyName);
    if (keys?.delete(key.name) !== true) return;
    this.size -= 1;
    if (keys.size > 0) return;
    this.#byPolicy.delete(key.policyName);
    this.#lastName = undefined;
  }

  /** Returns the next few keys, beginning anew at the end. */
  *next(count: number): Iterable<CountedKey> {
    for (let step = 0; step < count; step += 1) {
      this.#sweep ??= this.all();
      const next = this.#sweep.next();
      if (next.done === true) {
        this.#sweep = undefined;
        return;
      }
      yield next.value;
    }
  }

  *all(): Generator<CountedKey> {
    for (const keys of this.#byPolicy.values()) yield* keys.values();
  }

  #open(policy: string): Map<string, CountedKey> {
    let keys = this.#byPolicy.get(policy);
    if (keys === undefined) {
      keys = new Map();
      this.#byPolicy.set(policy, keys);
    }
    this.#lastName = policy;
    this.#lastKeys = keys;
    return keys;
  }
}

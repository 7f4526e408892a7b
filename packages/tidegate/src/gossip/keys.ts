// The keys that a node counts, by policy: bounded, and found as fast as a map finds them.

import { CountedKey } from "./counted-key.ts";

/** Keys counted at most, over all policies. */
const MAX_KEYS = 1_000_000;

/** The keys of one policy. */
interface PolicyKeys {
  readonly byName: Map<string, CountedKey>;
  /** By the store's place for a key: where each was found last. */
  readonly byPlace: (CountedKey | undefined)[];
}

/** The keys. */
export class CountedKeys {
  readonly #byPolicy = new Map<string, PolicyKeys>();
  readonly #max: number;
  #lastName: string | undefined;
  #last: PolicyKeys | undefined;
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
    if (policy !== this.#lastName) this.#open(policy);
    return this.#last!.byName.get(key);
  }

  /** Does the same where the store's place for the key is known, 0 for none: most keys are where they were. */
  findAt(policy: string, key: string, place: number): CountedKey | undefined {
    if (policy !== this.#lastName) this.#open(policy);
    const { byName, byPlace } = this.#last!;
    if (place === 0) return byName.get(key);
    const last = byPlace[place];
    if (last !== undefined && last.name === key && !last.isForgotten) return last;
    const found = byName.get(key);
    byPlace[place] = found;
    return found;
  }

  /** Finds a key or adds it; undefined where there are as many as there may be. */
  obtain(policy: string, key: string): CountedKey | undefined {
    const known = this.find(policy, key);
    if (known !== undefined || this.isFull) return known;
    const added = new CountedKey(policy, key);
    this.#last!.byName.set(key, added);
    this.size += 1;
    return added;
  }

  drop(key: CountedKey): void {
    const keys = this.#byPolicy.get(key.policyName);
    if (keys?.byName.delete(key.name) !== true) return;
    key.isForgotten = true;
    this.size -= 1;
    if (keys.byName.size > 0) return;
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
    for (const keys of this.#byPolicy.values()) yield* keys.byName.values();
  }

  #open(policy: string): void {
    let keys = this.#byPolicy.get(policy);
    if (keys === undefined) {
      keys = { byName: new Map(), byPlace: [] };
      this.#byPolicy.set(policy, keys);
    }
    this.#lastName = policy;
    this.#last = keys;
  }
}

// What memory remembers under the ids that callers gave: answers that may be asked for again, and reservations. It is
// bounded: the oldest go first, after which a repeated request is charged again, and never less.

/** One thing remembered, until `expiresAt`, in microseconds. */
export interface Remembered {
  readonly expiresAt: number;
  /** How many it counts for; left out, one. */
  readonly weight?: number;
}

/** How many are looked at for expiry with each new one. */
const SWEEP = 2;

/** Things by policy, key and id. */
export class Records<Value extends Remembered> {
  readonly #max: number;
  readonly #sweeps: boolean;
  readonly #values = new Map<string, Value>();
  #weight = 0;
  /** Stands behind the oldest. */
  #hand = this.#values.entries();
  #oldest: readonly [string, Value] | undefined;

  constructor(max: number, sweeps: boolean) {
    this.#max = max;
    this.#sweeps = sweeps;
  }

  get size(): number {
    return this.#values.size;
  }

  /** Finds what has not expired. */
  find(name: string, now: number): Value | undefined {
    const value = this.#values.get(name);
    return value !== undefined && now < value.expiresAt ? value : undefined;
  }

  set(name: string, value: Value, now: number): void {
    const before = this.#values.get(name);
    if (before !== undefined) this.#drop(name, before);
    this.#sweep(weightOf(value), now);
    this.#values.set(name, value);
    this.#weight += weightOf(value);
  }

  /** Drops the oldest where they have expired, or there is no room for `weight` more. */
  #sweep(weight: number, now: number): void {
    for (let looked = 0; ; looked += 1) {
      const oldest = this.#findOldest();
      if (oldest === undefined) return;
      const full = this.#weight + weight > this.#max;
      const isKept = !this.#sweeps || looked >= SWEEP || now < oldest[1].expiresAt;
      if (!full && isKept) return;
      this.#drop(oldest[0], oldest[1]);
    }
  }

  #findOldest(): readonly [string, Value] | undefined {
    if (this.#oldest !== undefined || this.#values.size === 0) return this.#oldest;
    // One iterator for all calls: a new one would pass everything that has been dropped since the map grew.
    let next = this.#hand.next();
    if (next.done) {
      this.#hand = this.#values.entries();
      next = this.#hand.next();
    }
    this.#oldest = next.value;
    return this.#oldest;
  }

  #drop(name: string, value: Value): void {
    this.#values.delete(name);
    this.#weight -= weightOf(value);
    if (this.#oldest?.[0] === name) this.#oldest = undefined;
  }
}

function weightOf({ weight = 1 }: Remembered): number {
  return weight;
}

/** Names what is remembered; no two that differ share a name, whatever is in the key and id. */
export function recordName(policy: string, key: string, id: string): string {
  return `${policy}:${key.length}:${key}${id}`;
}

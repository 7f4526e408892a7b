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
    let looked = 0;
    for (const [name, value] of this.#values) {
      const full = this.#weight + weight > this.#max;
      if (!full && (!this.#sweeps || looked >= SWEEP || now < value.expiresAt)) return;
      this.#drop(name, value);
      looked += 1;
    }
  }

  #drop(name: string, value: Value): void {
    this.#values.delete(name);
    this.#weight -= weightOf(value);
  }
}

function weightOf({ weight = 1 }: Remembered): number {
  return weight;
}

/** Names what is remembered; no two that differ share a name, whatever is in the key and id. */
export function recordName(policy: string, key: string, id: string): string {
  return `${policy}:${key.length}:${key}${id}`;
}

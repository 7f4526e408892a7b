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

/** One of them, between the one that was set before and the one that was set after it. */
interface Link<Value> {
  readonly name: string;
  readonly value: Value;
  older: Link<Value> | undefined;
  newer: Link<Value> | undefined;
}

/** Things by policy, key and id. */
export class Records<Value extends Remembered> {
  readonly #max: number;
  readonly #sweeps: boolean;
  readonly #links = new Map<string, Link<Value>>();
  #weight = 0;
  /**
   * The ends of the list in the order in which they were set. Not an iterator of the map: a new one would pass all that
   * was dropped since the map grew, and one that is kept keeps every table that the map has left behind.
   */
  #oldest: Link<Value> | undefined;
  #newest: Link<Value> | undefined;

  constructor(max: number, sweeps: boolean) {
    this.#max = max;
    this.#sweeps = sweeps;
  }

  get size(): number {
    return this.#links.size;
  }

  /** Finds what has not expired. */
  find(name: string, now: number): Value | undefined {
    const value = this.#links.get(name)?.value;
    return value !== undefined && now < value.expiresAt ? value : undefined;
  }

  set(name: string, value: Value, now: number): void {
    const before = this.#links.get(name);
    if (before !== undefined) this.#drop(before);
    this.#sweep(weightOf(value), now);
    const link: Link<Value> = { name, value, older: this.#newest, newer: undefined };
    if (this.#newest === undefined) this.#oldest = link;
    else this.#newest.newer = link;
    this.#newest = link;
    this.#links.set(name, link);
    this.#weight += weightOf(value);
  }

  /** Drops the oldest where they have expired, or there is no room for `weight` more. */
  #sweep(weight: number, now: number): void {
    for (let looked = 0; this.#oldest !== undefined; looked += 1) {
      const full = this.#weight + weight > this.#max;
      const isKept = !this.#sweeps || looked >= SWEEP || now < this.#oldest.value.expiresAt;
      if (!full && isKept) return;
      this.#drop(this.#oldest);
    }
  }

  #drop({ name, value, older, newer }: Link<Value>): void {
    this.#links.delete(name);
    this.#weight -= weightOf(value);
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
  }
}

function weightOf({ weight = 1 }: Remembered): number {
  return weight;
}

/** Names what is remembered; no two that differ share a name, whatever is in the key and id. */
export function recordName(policy: string, key: string, id: string): string {
  return `${policy}:${key.length}:${key}${id}`;
}

// The permits that one key has given out: who holds how many units until when.

interface Held {
  expiresAt: number;
  readonly units: number;
}

/** Permits by id. */
export class Permits {
  readonly #held = new Map<string, Held>();
  /** Whether the map's order is that in which they end, as it is while the lease and the clock's direction stay. */
  #ordered = true;
  #lastEnd = 0;
  #lastId = "";

  has(id: string): boolean {
    return this.#held.has(id);
  }

  add(id: string, units: number, expiresAt: number): void {
    if (this.#held.size === 0) this.#ordered = true;
    else if (expiresAt < this.#lastEnd) this.#ordered = false;
    this.#lastEnd = expiresAt;
    this.#lastId = id;
    this.#held.set(id, { units, expiresAt });
  }

  /** Takes a permit back and returns its units; 0 where there is none. */
  remove(id: string): number {
    const units = this.#held.get(id)?.units ?? 0;
    this.#held.delete(id);
    return units;
  }

  /** Sets when a permit ends; false where there is none. */
  extend(id: string, expiresAt: number): boolean {
    const units = this.remove(id);
    if (units > 0) this.add(id, units, expiresAt);
    return units > 0;
  }

  /** Takes all back that have ended, and returns their units. */
  expire(now: number): number {
    let units = 0;
    for (const [id, held] of this.#held) {
      if (held.expiresAt > now) {
        if (this.#ordered) break;
        continue;
      }
      units += held.units;
      this.#held.delete(id);
    }
    return units;
  }

  /** Ends what would end later than `latest` then. */
  endBy(latest: number): void {
    for (const held of this.#held.values()) held.expiresAt = Math.min(held.expiresAt, latest);
    this.#lastEnd = Math.min(this.#lastEnd, latest);
  }

  /** When the first one ends; 0 where there is none. */
  earliest(): number {
    let earliest = 0;
    for (const { expiresAt } of this.#held.values()) {
      if (earliest === 0 || expiresAt < earliest) earliest = expiresAt;
      if (this.#ordered) break;
    }
    return earliest;
  }

  /** When the last one ends; 0 where there is none. */
  latest(): number {
    if (this.#ordered && this.#held.has(this.#lastId)) return this.#lastEnd;
    let latest = 0;
    for (const { expiresAt } of this.#held.values()) latest = Math.max(latest, expiresAt);
    return latest;
  }

  /** When so many units will have ended that `missing` of them are free; there must be as many. */
  endOf(missing: number): number {
    const ends = [...this.#held.values()].sort((a, b) => a.expiresAt - b.expiresAt);
    let left = missing;
    for (const { units, expiresAt } of ends) {
      left -= units;
      if (left <= 0) return expiresAt;
    }
    return Number.POSITIVE_INFINITY;
  }
}

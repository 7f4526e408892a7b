// The permits that one key has given out: who holds how many units until when. Found by id, and in a row by when they
// end, so that what ends first and last is at hand however many are held.

/** What a permit holds, and until when. */
export interface PermitHeld {
  readonly units: number;
  readonly expiresAt: number;
}

interface Held {
  readonly id: string;
  readonly units: number;
  expiresAt: number;
  before: Held | undefined;
  after: Held | undefined;
}

/** Permits by id. */
export class Permits {
  readonly #held = new Map<string, Held>();
  #first: Held | undefined;
  #last: Held | undefined;
  /**
   * The one that was put into the row last, or its neighbour where that is gone. The next one belongs beside it: at the
   * row's end, or where the lease has become shorter, before all that were given out for longer.
   */
  #recent: Held | undefined;

  /** Finds a permit; undefined where there is none. */
  find(id: string): PermitHeld | undefined {
    return this.#held.get(id);
  }

  /** Adds a permit that is not held. */
  add(id: string, units: number, expiresAt: number): void {
    const held: Held = { id, units, expiresAt, before: undefined, after: undefined };
    this.#held.set(id, held);
    this.#link(held);
  }

  /** Takes a permit back and returns its units; 0 where there is none. */
  remove(id: string): number {
    const held = this.#held.get(id);
    if (held === undefined) return 0;
    this.#held.delete(id);
    this.#unlink(held);
    return held.units;
  }

  /** Sets when a permit ends; false where there is none. */
  extend(id: string, expiresAt: number): boolean {
    const held = this.#held.get(id);
    if (held === undefined) return false;
    this.#unlink(held);
    held.expiresAt = expiresAt;
    this.#link(held);
    return true;
  }

  /** Takes all back that have ended, and returns their units. */
  expire(now: number): number {
    let units = 0;
    let held = this.#first;
    while (held !== undefined && held.expiresAt <= now) {
      units += held.units;
      this.#held.delete(held.id);
      this.#unlink(held);
      held = this.#first;
    }
    return units;
  }

  /** Ends what would end later than `latest` then. */
  endBy(latest: number): void {
    for (let held = this.#last; held !== undefined && held.expiresAt > latest; held = held.before) {
      held.expiresAt = latest;
    }
  }

  /** When the first one ends; 0 where there is none. */
  earliest(): number {
    return this.#first?.expiresAt ?? 0;
  }

  /** When the last one ends; 0 where there is none. */
  latest(): number {
    return this.#last?.expiresAt ?? 0;
  }

  /** When so many units will have ended that `missing` of them are free; there must be as many. */
  endOf(missing: number): number {
    let left = missing;
    for (let held = this.#first; held !== undefined; held = held.after) {
      left -= held.units;
      if (left <= 0) return held.expiresAt;
    }
    return Number.POSITIVE_INFINITY;
  }

  /** Puts one that stands alone into the row, behind those that end no later. */
  #link(held: Held): void {
    let before = this.#recent;
    while (before !== undefined && before.expiresAt > held.expiresAt) before = before.before;
    let after = before === undefined ? this.#first : before.after;
    while (after !== undefined && after.expiresAt <= held.expiresAt) {
      before = after;
      after = after.after;
    }
    held.before = before;
    held.after = after;
    if (before === undefined) this.#first = held;
    else before.after = held;
    if (after === undefined) this.#last = held;
    else after.before = held;
    this.#recent = held;
  }

  /**
   * Takes one out of the row. Its own links must lead nowhere: an old one that is garbage would keep the next alive
   * until that is old as well, and so each the next.
   */
  #unlink(held: Held): void {
    const { before, after } = held;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    if (this.#recent === held) this.#recent = before ?? after;
    held.before = undefined;
    held.after = undefined;
  }
}

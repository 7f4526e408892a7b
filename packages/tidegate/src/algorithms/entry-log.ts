// The entries of one key's sliding log: instants and units, oldest first, in one ring of plain numbers that grows with
// need and never beyond what the limit allows.

const FIRST_ENTRIES = 4;

/** A queue of (instant in microseconds, units). */
export class EntryLog {
  /** Number of entries. */
  size = 0;
  /** Two numbers an entry; the number of entries is a power of two. */
  #ring = new Float64Array(2 * FIRST_ENTRIES);
  #first = 0;

  /** The instant of an entry; 0 is the oldest. */
  timeAt(index: number): number {
    return this.#ring[this.#slot(index)]!;
  }

  /** The units of an entry; 0 is the oldest. */
  unitsAt(index: number): number {
    return this.#ring[this.#slot(index) + 1]!;
  }

  setUnits(index: number, units: number): void {
    this.#ring[this.#slot(index) + 1] = units;
  }

  setTime(index: number, time: number): void {
    this.#ring[this.#slot(index)] = time;
  }

  push(time: number, units: number): void {
    if (2 * this.size === this.#ring.length) this.#grow();
    this.size += 1;
    const slot = this.#slot(this.size - 1);
    this.#ring[slot] = time;
    this.#ring[slot + 1] = units;
  }

  dropOldest(): void {
    this.#first += 1;
    if (2 * this.#first === this.#ring.length) this.#first = 0;
    this.size -= 1;
  }

  /** Drops one entry out of the middle; those after it move up. */
  drop(index: number): void {
    for (let at = index; at < this.size - 1; at += 1) {
      this.setTime(at, this.timeAt(at + 1));
      this.setUnits(at, this.unitsAt(at + 1));
    }
    this.size -= 1;
  }

  clear(): void {
    this.size = 0;
    this.#first = 0;
    if (this.#ring.length > 2 * FIRST_ENTRIES) this.#ring = new Float64Array(2 * FIRST_ENTRIES);
  }

  #slot(index: number): number {
    return (2 * (this.#first + index)) & (this.#ring.length - 1);
  }

  #grow(): void {
    const ring = new Float64Array(2 * this.#ring.length);
    for (let index = 0; index < this.size; index += 1) {
      ring[2 * index] = this.timeAt(index);
      ring[2 * index + 1] = this.unitsAt(index);
    }
    this.#ring = ring;
    this.#first = 0;
  }
}

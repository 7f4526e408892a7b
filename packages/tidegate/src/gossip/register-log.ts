// The registers of an origin in the order of the versions at which they were written: ids and versions, in plain memory
// that costs the collector nothing. What was written again since is struck out, so that nobody looks at it to find out.

import type { Register } from "./counted-key.ts";
import type { RegistersById } from "./registers-by-id.ts";

const LEAST_CAPACITY = 64;
const STRUCK_OUT = -1;

/**
 * The order. A register has two entries at most: where it was written last, and where it was named: a message may be
 * cut off between the two, and must not lose the name.
 */
export class RegisterLog<Origin> {
  readonly #registers: RegistersById<Origin>;
  #ids = new Float64Array(LEAST_CAPACITY);
  #versions = new Float64Array(LEAST_CAPACITY);
  #length = 0;
  #struck = 0;

  constructor(registers: RegistersById<Origin>) {
    this.#registers = registers;
  }

  /** Adds a register, at a version that is the highest so far. */
  append(register: Register<Origin>, version: number): void {
    const isNamed = register.namedAt === version;
    if (register.place !== register.namedPlace) this.#strike(register.place);
    if (isNamed) this.#strike(register.namedPlace);
    if (this.#length === this.#ids.length) this.#makeRoom();
    const place = this.#length;
    this.#length += 1;
    this.#ids[place] = register.id;
    this.#versions[place] = version;
    register.place = place;
    if (isNamed) register.namedPlace = place;
  }

  /** Takes a register out. */
  remove(register: Register<Origin>): void {
    if (register.place !== register.namedPlace) this.#strike(register.place);
    this.#strike(register.namedPlace);
    register.place = -1;
    register.namedPlace = -1;
  }

  /** Takes all registers out. */
  clear(): void {
    for (let place = 0; place < this.#length; place += 1) {
      const register = this.#at(place);
      if (register === undefined) continue;
      register.place = -1;
      register.namedPlace = -1;
    }
    this.#length = 0;
    this.#struck = 0;
  }

  /**
   * Hands out the registers behind a version, in order, until `take` answers false.
   * @returns the version of the last that was taken; undefined where all were.
   */
  after(
    version: number,
    take: (register: Register<Origin>, at: number) => boolean,
  ): number | undefined {
    let last = version;
    for (let place = this.#firstAfter(version); place < this.#length; place += 1) {
      const register = this.#at(place);
      if (register === undefined) continue;
      const at = this.#versions[place]!;
      if (!take(register, at)) return last;
      last = at;
    }
    return undefined;
  }

  #at(place: number): Register<Origin> | undefined {
    const id = this.#ids[place]!;
    return id === STRUCK_OUT ? undefined : this.#registers.find(id);
  }

  #firstAfter(version: number): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#versions[middle]! > version) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #strike(place: number): void {
    if (place < 0) return;
    this.#ids[place] = STRUCK_OUT;
    this.#struck += 1;
  }

  /** Leaves out what is struck out, in memory for twice to four times what is left. */
  #makeRoom(): void {
    const live = this.#length - this.#struck;
    const capacity = Math.max(2 ** Math.ceil(Math.log2(2 * live + 1)), LEAST_CAPACITY);
    const ids = capacity === this.#ids.length ? this.#ids : new Float64Array(capacity);
    const versions = ids === this.#ids ? this.#versions : new Float64Array(capacity);
    let to = 0;
    for (let from = 0; from < this.#length; from += 1) {
      const register = this.#at(from);
      if (register === undefined) continue;
      if (register.namedPlace === from) register.namedPlace = to;
      if (register.place === from) register.place = to;
      ids[to] = register.id;
      versions[to] = this.#versions[from]!;
      to += 1;
    }
    this.#ids = ids;
    this.#versions = versions;
    this.#length = to;
    this.#struck = 0;
  }
}

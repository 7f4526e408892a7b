// The registers of an origin in the order of the versions at which they were written. What was written again since has
// no place in it any more, so that nobody looks at it to find that out.

import type { Register } from "./counted-key.ts";

/** The log is made shorter once so many of its entries have been struck out for each that has not. */
const STRUCK_PER_ENTRY = 3;
const STRUCK_AT_LEAST = 1_024;

/**
 * The order. A register has two entries at most: where it was written last, and where it was named: a message may be
 * cut off between the two, and must not lose the name.
 */
export class RegisterLog<Origin> {
  #entries: (Register<Origin> | undefined)[] = [];
  #versions: number[] = [];
  #struck = 0;

  /** Adds a register, at a version that is the highest so far. */
  append(register: Register<Origin>, version: number): void {
    const isNamed = register.namedAt === version;
    if (register.place !== register.namedPlace) this.#strike(register.place);
    if (isNamed) this.#strike(register.namedPlace);
    register.place = this.#entries.length;
    if (isNamed) register.namedPlace = register.place;
    this.#entries.push(register);
    this.#versions.push(version);
    const live = this.#entries.length - this.#struck;
    if (this.#struck > STRUCK_PER_ENTRY * live + STRUCK_AT_LEAST) this.#compact();
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
    for (const register of this.#entries) {
      if (register === undefined) continue;
      register.place = -1;
      register.namedPlace = -1;
    }
    this.#entries = [];
    this.#versions = [];
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
    for (let index = this.#firstAfter(version); index < this.#entries.length; index += 1) {
      const register = this.#entries[index];
      if (register === undefined) continue;
      const at = this.#versions[index]!;
      if (!take(register, at)) return last;
      last = at;
    }
    return undefined;
  }

  #firstAfter(version: number): number {
    let low = 0;
    let high = this.#versions.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#versions[middle]! > version) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #strike(place: number): void {
    if (place < 0) return;
    this.#entries[place] = undefined;
    this.#struck += 1;
  }

  #compact(): void {
    const entries = this.#entries;
    const versions = this.#versions;
    let to = 0;
    for (let from = 0; from < entries.length; from += 1) {
      const register = entries[from];
      if (register === undefined) continue;
      if (register.namedPlace === from) register.namedPlace = to;
      if (register.place === from) register.place = to;
      entries[to] = register;
      versions[to] = versions[from]!;
      to += 1;
    }
    entries.length = to;
    versions.length = to;
    this.#struck = 0;
  }
}

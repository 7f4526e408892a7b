// The registers of an origin by their ids. Ids are given one after another and written in much the same order in each
// round, so they stand side by side, in small pages: a map would have them all over memory.

import type { Register } from "./counted-key.ts";

/** Small, since a stranger may say ids that are far apart, each of which takes a page of its own. */
const PAGE_SIZE = 32;

interface Page<Origin> {
  readonly registers: (Register<Origin> | undefined)[];
  count: number;
}

/** The registers. */
export class RegistersById<Origin> {
  readonly #pages = new Map<number, Page<Origin>>();
  #last: Page<Origin> | undefined;
  #lastNumber = -1;
  size = 0;

  find(id: number): Register<Origin> | undefined {
    return this.#pageOf(id)?.registers[id % PAGE_SIZE];
  }

  set(register: Register<Origin>): void {
    const { id } = register;
    let page = this.#pageOf(id);
    if (page === undefined) {
      page = { registers: new Array(PAGE_SIZE).fill(undefined), count: 0 };
      this.#pages.set(Math.floor(id / PAGE_SIZE), page);
      this.#lastNumber = -1;
    }
    const place = id % PAGE_SIZE;
    if (page.registers[place] === undefined) {
      page.count += 1;
      this.size += 1;
    }
    page.registers[place] = register;
  }

  delete(register: Register<Origin>): void {
    const { id } = register;
    const page = this.#pageOf(id);
    if (page?.registers[id % PAGE_SIZE] !== register) return;
    page.registers[id % PAGE_SIZE] = undefined;
    page.count -= 1;
    this.size -= 1;
    if (page.count > 0) return;
    this.#pages.delete(Math.floor(id / PAGE_SIZE));
    this.#lastNumber = -1;
  }

  *all(): Generator<Register<Origin>> {
    for (const { registers } of this.#pages.values()) {
      for (const register of registers) if (register !== undefined) yield register;
    }
  }

  #pageOf(id: number): Page<Origin> | undefined {
    const number = Math.floor(id / PAGE_SIZE);
    if (number === this.#lastNumber) return this.#last;
    this.#lastNumber = number;
    this.#last = this.#pages.get(number);
    return this.#last;
  }
}

// What is known of one life of one node: who it is, and what it says of its keys, in the order in which it said it. A
// node sends what another does not know by that order alone, so a version stands for all that was said up to it.
// Source: R. van Renesse, D. Dumitriu, V. Gough, C. Thomas, "Efficient Reconciliation and Flow Control for Anti-Entropy
// Protocols" (LADIS 2008), "scuttlebutt".

import { type CountedKey, Register } from "./counted-key.ts";

/** A node's register. */
export type OriginRegister = Register<Origin>;

/** What is known of a node. */
export class Origin {
  /** Names one life of the node, in 16 hexadecimal digits: another after each start. */
  readonly instance: string;
  address = "";
  region = "";
  /** Whether it said that it leaves. */
  hasLeft = false;
  /** All that it said up to this version is known. */
  version = 0;
  /** Instant by this node's steady clock up to which that is all there was, in microseconds. */
  asOf = Number.NEGATIVE_INFINITY;
  /** When something was last learned of it, in microseconds. */
  heardAt = Number.NEGATIVE_INFINITY;
  /** Whether it is not heard from, or another life of the node has come after it. Kept by the peers. */
  isAway = true;
  /** Whether what is known of it is older than it should be: for shares that must never be too large. */
  isStale = true;
  isOver = false;
  /** When it was last rewound, and when what others speak for was last shed; by the steady clock. */
  rewoundAt = Number.NEGATIVE_INFINITY;
  shedAt = Number.NEGATIVE_INFINITY;
  readonly #registers = new Map<number, OriginRegister>();
  /**
   * Registers in the order of their versions, and the versions that they had then. Of use are the present one and that
   * at which a register was named: a message may be cut off, and what is left out of it because it was written again
   * must not lose its name.
   */
  #log: OriginRegister[] = [];
  #versions: number[] = [];

  constructor(instance: string) {
    this.instance = instance;
  }

  /** Number of registers. */
  get size(): number {
    return this.#registers.size;
  }

  find(id: number): OriginRegister | undefined {
    return this.#registers.get(id);
  }

  create(id: number, key: CountedKey, version: number, limits: number): OriginRegister {
    const register = new Register<Origin>(this, id, key, version, limits);
    this.#registers.set(id, register);
    return register;
  }

  /** Says that a register was written at a version, which is the highest so far. */
  wrote(register: OriginRegister, version: number, now: number): void {
    register.version = version;
    register.touchedAt = now;
    this.#log.push(register);
    this.#versions.push(version);
    if (this.#log.length > 4 * this.#registers.size + 1_024) this.#compact();
  }

  /** Forgets up to which version all is known, so that all is told again: something was told that cannot be read. */
  rewind(now: number): void {
    this.version = 0;
    this.rewoundAt = now;
    this.#log = [];
    this.#versions = [];
  }

  /** Says all anew, at versions above one that it is believed to have reached. */
  raise(version: number): void {
    const inOrder = [...this.#registers.values()].sort((one, other) => one.version - other.version);
    this.#log = [];
    this.#versions = [];
    this.version = version + 1;
    for (const register of inOrder) {
      this.version += 1;
      register.namedAt = this.version;
      this.wrote(register, this.version, register.touchedAt);
    }
  }

  drop(register: OriginRegister): void {
    this.#registers.delete(register.id);
    register.version = 0;
  }

  registers(): Iterable<OriginRegister> {
    return this.#registers.values();
  }

  /**
   * Hands out the registers that were named or written after a version, in order, until `take` answers false.
   * @returns the version up to which all are handed out.
   */
  after(version: number, take: (register: OriginRegister, at: number) => boolean): number {
    let last = version;
    for (let index = this.#firstAfter(version); index < this.#log.length; index += 1) {
      const register = this.#log[index]!;
      const at = this.#versions[index]!;
      if (!isOfUse(register, at)) continue;
      if (!take(register, at)) return last;
      last = at;
    }
    return this.version;
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

  #compact(): void {
    const log: OriginRegister[] = [];
    const versions: number[] = [];
    for (let index = 0; index < this.#log.length; index += 1) {
      const register = this.#log[index]!;
      const version = this.#versions[index]!;
      if (!isOfUse(register, version)) continue;
      log.push(register);
      versions.push(version);
    }
    this.#log = log;
    this.#versions = versions;
  }
}

/** Whether a register is to be told of at a version. One that was dropped has none. */
function isOfUse(register: OriginRegister, at: number): boolean {
  return register.version === at || (register.namedAt === at && register.version > 0);
}

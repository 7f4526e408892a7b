// What is known of one life of one node: who it is, and what it says of its keys, in the order in which it said it. A
// node sends what another does not know by that order alone, so a version stands for all that was said up to it.
// Source: R. van Renesse, D. Dumitriu, V. Gough, C. Thomas, "Efficient Reconciliation and Flow Control for Anti-Entropy
// Protocols" (LADIS 2008), "scuttlebutt".

import { type CountedKey, Register } from "./counted-key.ts";
import { RegisterLog } from "./register-log.ts";
import { RegistersById } from "./registers-by-id.ts";

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
  readonly #registers = new RegistersById<Origin>();
  readonly #log = new RegisterLog<Origin>(this.#registers);

  constructor(instance: string) {
    this.instance = instance;
  }

  /** Number of registers. */
  get size(): number {
    return this.#registers.size;
  }

  find(id: number): OriginRegister | undefined {
    return this.#registers.find(id);
  }

  create(id: number, key: CountedKey, version: number, limits: number): OriginRegister {
    const register = new Register<Origin>(this, id, key, version, limits);
    this.#registers.set(register);
    return register;
  }

  /** Says that a register was written at a version: the highest so far, or since it was rewound. */
  wrote(register: OriginRegister, version: number, now: number): void {
    // What is told again by whoever knows less must not be taken for news of what is known here.
    register.version = Math.max(version, register.version);
    register.touchedAt = now;
    this.#log.append(register, version);
  }

  /** Forgets up to which version all is known, so that all is told again: something was told that cannot be read. */
  rewind(now: number): void {
    this.version = 0;
    this.rewoundAt = now;
    this.#log.clear();
  }

  /** Says all anew, at versions above one that it is believed to have reached. */
  raise(version: number): void {
    const inOrder = [...this.#registers.all()].sort((one, other) => one.version - other.version);
    this.#log.clear();
    this.version = version + 1;
    for (const register of inOrder) {
      this.version += 1;
      register.namedAt = this.version;
      this.wrote(register, this.version, register.touchedAt);
    }
  }

  drop(register: OriginRegister): void {
    this.#registers.delete(register);
    this.#log.remove(register);
  }

  registers(): Iterable<OriginRegister> {
    return this.#registers.all();
  }

  /**
   * Hands out the registers that were named or written after a version, in order, until `take` answers false.
   * @returns the version up to which all are handed out.
   */
  after(version: number, take: (register: OriginRegister, at: number) => boolean): number {
    return this.#log.after(version, take) ?? this.version;
  }
}

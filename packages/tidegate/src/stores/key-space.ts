// All keys of a memory store, by policy: finds a key's states or makes room for them, whatever the limits were that
// they were written under. A key is in one table at most, that of its states' width.

import {
  carryOver,
  createKeyEntries,
  type KeyEntries,
  type KeyState,
} from "../algorithms/key-state.ts";
import type { Policy } from "../policy/policy.ts";
import type { Random } from "../ports/random.ts";
import { KeyTable, OVERFLOW_SLOT } from "./key-table.ts";

/** Tables of one policy name, by the width of their states. */
type Tables = Map<number, KeyTable>;

/** Is told when room is made. */
export interface RoomListener {
  evicted(policy: string): void;
  overflowed(policy: string): void;
}

/** Where a key's states are. */
export interface Place {
  readonly table: KeyTable;
  readonly slot: number;
}

/** The states at a place. */
export function stateAt({ table, slot }: Place): KeyState {
  return table.stateOf(slot);
}

/** Whether it is the place that keys share for which there is no room. */
export function isOverflow({ slot }: Place): boolean {
  return slot === OVERFLOW_SLOT;
}

/** What a key has that was written under limits of another width. */
export interface Carried {
  readonly numbers: Float64Array;
  readonly entries: KeyEntries | undefined;
}

/** Slots that must not be evicted, by table. */
export type KeptSlots = ReadonlyMap<KeyTable, ReadonlySet<number>>;

/** The keys of all policies. */
export class KeySpace {
  readonly #maxKeys: number;
  readonly #random: Random;
  readonly #sweepSlots: number;
  readonly #listener: RoomListener;
  readonly #byName = new Map<string, Tables>();
  /** The policy asked for last, and its table: most checks need to look no further. */
  lastPolicy: Policy | undefined;
  lastTable: KeyTable | undefined;
  /** Whom to evict with the next insert. */
  #victimTable: KeyTable | undefined;
  #victim = OVERFLOW_SLOT;

  constructor(maxKeys: number, random: Random, sweepSlots: number, listener: RoomListener) {
    this.#maxKeys = maxKeys;
    this.#random = random;
    this.#sweepSlots = sweepSlots;
    this.#listener = listener;
  }

  get size(): number {
    let size = 0;
    for (const tables of this.#byName.values()) {
      for (const table of tables.values()) size += table.size;
    }
    return size;
  }

  /** Returns the table in which a policy's keys are. */
  tableOf(policy: Policy, now: number): KeyTable {
    return policy === this.lastPolicy ? this.lastTable! : this.#openTable(policy, now);
  }

  #openTable(policy: Policy, now: number): KeyTable {
    let tables = this.#byName.get(policy.name);
    if (tables === undefined) {
      tables = new Map();
      this.#byName.set(policy.name, tables);
    }
    let table = tables.get(policy.width);
    if (table === undefined) {
      table = new KeyTable(policy.limits);
      tables.set(policy.width, table);
    }
    table.use(policy.limits, now);
    this.lastPolicy = policy;
    this.lastTable = table;
    return table;
  }

  /** Looks at the next slot of a policy's keys, and frees it where it is as if never used. */
  sweep(policy: Policy, now: number): void {
    if (this.#sweepSlots > 0) this.tableOf(policy, now).sweep(1, now);
  }

  /** Finds the place of a key that is known, its states meaning what they do under the policy's limits. */
  find(policy: Policy, key: string, now: number): Place | undefined {
    const table = this.tableOf(policy, now);
    const slot = table.find(key);
    if (slot === undefined) return undefined;
    if (table.mixed) table.adopt(slot, policy.limits, now);
    return { table, slot };
  }

  /**
   * Takes what a key has in tables of another width, carried over to the policy's limits; undefined for nothing. The
   * `kept` slots stay where they are.
   */
  takeCarried(policy: Policy, key: string, now: number, kept?: KeptSlots): Carried | undefined {
    const tables = this.#byName.get(policy.name)!;
    if (tables.size === 1) return undefined;
    let carried: Carried | undefined;
    for (const [width, other] of tables) {
      if (width === policy.width) continue;
      const slot = other.find(key);
      if (slot !== undefined) {
        carried = {
          numbers: new Float64Array(policy.width),
          entries: createKeyEntries(policy.limits),
        };
        const before = { limits: other.limitsOf(slot), ...other.stateOf(slot) };
        carryOver(before, { limits: policy.limits, at: 0, ...carried }, now);
        other.remove(slot);
      }
      if (isAny(kept)) continue;
      if (this.#sweepSlots > 0) other.sweep(this.#sweepSlots, now);
      if (other.size === 0) tables.delete(width);
    }
    return carried;
  }

  /**
   * Finds room for one more key of a policy, at the cost of none of the `kept` ones; `insert` makes it.
   * @returns false where there is none: the key is counted with all others that have none.
   */
  findRoom(policy: Policy, now: number, kept?: KeptSlots): boolean {
    const table = this.tableOf(policy, now);
    if (this.#sweepSlots > 0 && !isAny(kept)) table.sweep(this.#sweepSlots, now);
    this.#victimTable = this.#fullTable(policy, table);
    if (this.#victimTable === undefined) return true;
    const victim = this.#victimTable.victim(this.#random, now, kept?.get(this.#victimTable));
    if (victim === undefined) {
      this.#listener.overflowed(policy.name);
      return false;
    }
    this.#victim = victim;
    return true;
  }

  /** Gives a key a place, right after findRoom found room for it. */
  insert(
    policy: Policy,
    key: string,
    numbers: Float64Array,
    entries: KeyEntries | undefined,
    now: number,
  ): Place {
    if (this.#victimTable !== undefined) {
      this.#victimTable.remove(this.#victim);
      this.#victimTable = undefined;
      this.#listener.evicted(policy.name);
    }
    const table = this.tableOf(policy, now);
    return { table, slot: table.insert(key, policy.limits, numbers, entries) };
  }

  /** Returns the place that keys share for which there is no room. */
  overflow(policy: Policy, now: number): Place {
    const table = this.tableOf(policy, now);
    if (table.mixed) table.adopt(OVERFLOW_SLOT, policy.limits, now);
    return { table, slot: OVERFLOW_SLOT };
  }

  /** Forgets a key. */
  remove(policy: Policy, key: string): void {
    for (const table of this.#byName.get(policy.name)?.values() ?? []) {
      const slot = table.find(key);
      if (slot !== undefined) table.remove(slot);
    }
  }

  /** Returns the table to evict from, the policy's largest, where the policy holds all the keys it may. */
  #fullTable(policy: Policy, table: KeyTable): KeyTable | undefined {
    let size = 0;
    let largest = table;
    for (const other of this.#byName.get(policy.name)!.values()) {
      size += other.size;
      if (other.size > largest.size) largest = other;
    }
    return size < this.#maxKeys ? undefined : largest;
  }
}

function isAny(kept: KeptSlots | undefined): boolean {
  return kept !== undefined && kept.size > 0;
}

// The store of one process: decides at once, in bounded memory, with no timer. What expires is swept a few slots at
// a time by the checks themselves.

import { carryOver, decide, NUMBERS_PER_LIMIT } from "../algorithms/decide.ts";
import { createDecision, type Decision } from "../decision.ts";
import { checkOptions, checkPort, optionError, positiveInteger } from "../policy/options.ts";
import { MAX_LIMITS, type Policy } from "../policy/policy.ts";
import type { Clock } from "../ports/clock.ts";
import { Listeners } from "../ports/listeners.ts";
import type { Random } from "../ports/random.ts";
import type { Store } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import { createSystemClock } from "../runtime/system-clock.ts";
import { systemRandom } from "../runtime/system-random.ts";
import { KeyTable, OVERFLOW_SLOT } from "./key-table.ts";

/** Options of the memory store. */
export interface MemoryStoreOptions {
  /**
   * Keys kept per policy, 1 to 16,000,000; default 1,000,000, of about 80 bytes each beyond the key itself. When all
   * are in use, a key that is not being limited is forgotten; when all are being limited, new keys share one count.
   */
  readonly maxKeys?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Slots looked at for expiry with each new key; default 4. 0 turns the sweep off, for tests that compare stores. */
  readonly sweepSlots?: number;
}

/** A store that decides without waiting. */
export interface MemoryStore extends Store {
  readonly shared: false;
  decide(policy: Policy, key: string, cost: number, consume: boolean): Decision;
  reset(policy: Policy, key: string): void;
  /** Number of keys held, over all policies. */
  readonly size: number;
}

const DEFAULT_MAX_KEYS = 1_000_000;
const SWEEP_SLOTS = 4;
/** A known key's check sweeps one slot every this many checks, so that idle keys go even when no new ones come. */
const SWEEP_EVERY = 8;

/** Tables of one policy name: one for each meaning its states have had, of which a key is in one at most. */
type Tables = Map<string, KeyTable>;

/**
 * Creates a memory store. Limiters that are given the same store share its counts.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  checkOptions("memoryStore", options, ["maxKeys", "clock", "random", "sweepSlots"]);
  checkPort("clock", options.clock, "now");
  checkPort("random", options.random, "next");
  const { sweepSlots = SWEEP_SLOTS } = options;
  if (!Number.isInteger(sweepSlots) || sweepSlots < 0 || sweepSlots > 1_000) {
    throw optionError("sweepSlots", "a whole number from 0 to 1000", sweepSlots);
  }
  const maxKeys =
    options.maxKeys === undefined
      ? DEFAULT_MAX_KEYS
      : positiveInteger("maxKeys", options.maxKeys, 16_000_000);
  return new InMemory(
    maxKeys,
    options.clock ?? createSystemClock(),
    options.random ?? systemRandom,
    sweepSlots,
  );
}

class InMemory implements MemoryStore {
  readonly shared = false;
  readonly #maxKeys: number;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #sweepSlots: number;
  readonly #byPolicy = new WeakMap<Policy, KeyTable>();
  readonly #byName = new Map<string, Tables>();
  /** States of a key that has no slot yet. */
  readonly #scratch = new Float64Array(MAX_LIMITS * NUMBERS_PER_LIMIT);
  #lastPolicy: Policy | undefined;
  #lastTable: KeyTable | undefined;
  readonly #listeners = new Listeners();
  #tick = 0;

  constructor(maxKeys: number, clock: Clock, random: Random, sweepSlots: number) {
    this.#maxKeys = maxKeys;
    this.#clock = clock;
    this.#random = random;
    this.#sweepSlots = sweepSlots;
  }

  get size(): number {
    let size = 0;
    for (const tables of this.#byName.values()) {
      for (const table of tables.values()) size += table.size;
    }
    return size;
  }

  decide(policy: Policy, key: string, cost: number, consume: boolean): Decision {
    const now = this.#clock.now();
    const table = policy === this.#lastPolicy ? this.#lastTable! : this.#tableOf(policy);
    const slot = table.find(key);
    if (slot === undefined) return this.#decideNew(policy, table, key, cost, consume, now);
    const decision = this.#decideIn(table, slot, policy, key, cost, consume, now);
    this.#tick += 1;
    // Not before the decision: the slot just found may be the expired one that the sweep frees.
    if (this.#tick % SWEEP_EVERY === 0 && this.#sweepSlots > 0) table.sweep(1, now);
    return decision;
  }

  reset(policy: Policy, key: string): void {
    for (const table of this.#byName.get(policy.name)?.values() ?? []) {
      const slot = table.find(key);
      if (slot !== undefined) table.remove(slot);
    }
  }

  ping(): void {}

  acquire(telemetry: Telemetry | undefined): void {
    this.#listeners.add(telemetry);
  }

  release(telemetry: Telemetry | undefined): void {
    this.#listeners.remove(telemetry);
  }

  #decideIn(
    table: KeyTable,
    slot: number,
    policy: Policy,
    key: string,
    cost: number,
    consume: boolean,
    now: number,
  ): Decision {
    const numbers = table.chunkOf(slot);
    const at = table.offsetOf(slot);
    const wait = decide(policy.limits, numbers, at, now, cost, consume);
    if (consume && cost > 0 && wait !== Number.POSITIVE_INFINITY) {
      table.markDenied(slot, wait > 0);
    }
    return createDecision(policy, key, cost, wait, numbers, at, now, "local");
  }

  /** Decides for a key without a slot, and gives it one only where it has something to remember. */
  #decideNew(
    policy: Policy,
    table: KeyTable,
    key: string,
    cost: number,
    consume: boolean,
    now: number,
  ): Decision {
    const scratch = this.#scratch;
    const carried = this.#takeFromOthers(policy, table, key, now);
    if (!carried) scratch.fill(0);
    if (this.#sweepSlots > 0) table.sweep(this.#sweepSlots, now);
    const fullTable = this.#fullTable(policy, table);
    const victim = fullTable?.victim(this.#random, now);
    if (fullTable !== undefined && victim === undefined) {
      this.#listeners.overflowed(policy.name);
      return this.#decideIn(table, OVERFLOW_SLOT, policy, key, cost, consume, now);
    }
    const wait = decide(policy.limits, scratch, 0, now, cost, consume);
    if (carried || (wait === 0 && consume && cost > 0)) {
      if (fullTable !== undefined && victim !== undefined) {
        fullTable.remove(victim);
        this.#listeners.evicted(policy.name);
      }
      table.insert(key, scratch, wait > 0 && wait !== Number.POSITIVE_INFINITY);
    }
    return createDecision(policy, key, cost, wait, scratch, 0, now, "local");
  }

  /** Moves the states of `key` from a table of another meaning into the scratch; false where there are none. */
  #takeFromOthers(policy: Policy, table: KeyTable, key: string, now: number): boolean {
    const tables = this.#byName.get(policy.name)!;
    if (tables.size === 1) return false;
    let found = false;
    for (const [rules, other] of tables) {
      if (other === table) continue;
      const slot = other.find(key);
      if (slot !== undefined) {
        const before = {
          limits: other.limits,
          numbers: other.chunkOf(slot),
          at: other.offsetOf(slot),
        };
        carryOver(before, { limits: policy.limits, numbers: this.#scratch, at: 0 }, now);
        other.remove(slot);
        found = true;
      }
      if (this.#sweepSlots > 0) other.sweep(this.#sweepSlots, now);
      if (other.size === 0) tables.delete(rules);
    }
    return found;
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

  #tableOf(policy: Policy): KeyTable {
    let table = this.#byPolicy.get(policy);
    let tables = this.#byName.get(policy.name);
    if (tables === undefined) {
      tables = new Map();
      this.#byName.set(policy.name, tables);
    }
    if (table === undefined || tables.get(policy.rules) !== table) {
      table = tables.get(policy.rules);
      if (table === undefined) {
        table = new KeyTable(policy.limits);
        tables.set(policy.rules, table);
      }
      this.#byPolicy.set(policy, table);
    }
    table.limits = policy.limits;
    this.#lastPolicy = policy;
    this.#lastTable = table;
    return table;
  }
}

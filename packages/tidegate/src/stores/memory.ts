// The store of one process: decides at once, in bounded memory, with no timer. What expires is swept a few slots at
// a time by the checks themselves.

import { decide } from "../algorithms/decide.ts";
import type { Elsewhere, Standing } from "../algorithms/elsewhere.ts";
import { createDecision, type Decision } from "../decision.ts";
import { checkOptions, checkPort, optionError, positiveInteger } from "../policy/options.ts";
import { MAX_LIMITS, type Policy } from "../policy/policy.ts";
import type { Clock } from "../ports/clock.ts";
import type { Counted, CountingStore, KeyAt, StateView } from "../ports/counting-store.ts";
import { Listeners } from "../ports/listeners.ts";
import type { Random } from "../ports/random.ts";
import type { Outcome, Part, Store, Work } from "../ports/store.ts";
import type { Telemetry } from "../ports/telemetry.ts";
import { createSystemClock } from "../runtime/system-clock.ts";
import { systemRandom } from "../runtime/system-random.ts";
import { KeySpace } from "./key-space.ts";
import type { KeyTable } from "./key-table.ts";
import { MemoryCounts } from "./memory-counts.ts";
import { MemoryWork } from "./memory-work.ts";

/** Options of the memory store. */
export interface MemoryStoreOptions {
  /**
   * Keys kept per policy, 1 to 16,000,000; default 1,000,000, of about 80 bytes each beyond the key itself. A sliding
   * log takes some 400 more and 16 for each entry beyond its fourth, permits some 460 and 160 for each beyond the
   * first. When all are in use, a key that is not being limited is forgotten; when all are being limited, new keys
   * share one count.
   */
  readonly maxKeys?: number;
  /**
   * Request ids and reservations remembered, 1 to 16,000,000; default 100,000. The oldest go first: a repeated request
   * is then charged again, and a reservation stays charged in full.
   */
  readonly maxRecords?: number;
  readonly clock?: Clock;
  readonly random?: Random;
  /** Slots looked at for expiry with each new key; default 4. 0 turns the sweep off, for tests that compare stores. */
  readonly sweepSlots?: number;
}

/** A store that decides without waiting. */
export interface MemoryStore extends Store {
  readonly shared: false;
  decide(policy: Policy, key: string, cost: number, consume: boolean): Decision;
  run(work: Work): Outcome;
  reset(policy: Policy, key: string): void;
  /** Number of keys held, over all policies. */
  readonly size: number;
}

const DEFAULT_MAX_KEYS = 1_000_000;
const DEFAULT_MAX_RECORDS = 100_000;
const MAX_KEYS = 16_000_000;
const SWEEP_SLOTS = 4;
/** A known key's check sweeps one slot every this many checks, so that idle keys go even when no new ones come. */
const SWEEP_EVERY = 16;
/** The most numbers that the state of a limit takes. */
const MAX_WIDTH = 4;

/**
 * Creates a memory store. Limiters that are given the same store share its counts.
 * @throws TidegateError INVALID_OPTION naming the option.
 */
export function memoryStore(options: MemoryStoreOptions = {}): MemoryStore {
  return countingStore(options);
}

/** Creates a memory store that also counts what other nodes admitted. */
export function countingStore(options: MemoryStoreOptions = {}): MemoryStore & CountingStore {
  const known = ["maxKeys", "maxRecords", "clock", "random", "sweepSlots"];
  checkOptions("memoryStore", options, known);
  checkPort("clock", options.clock, "now");
  checkPort("random", options.random, "next");
  const { sweepSlots = SWEEP_SLOTS } = options;
  if (!Number.isInteger(sweepSlots) || sweepSlots < 0 || sweepSlots > 1_000) {
    throw optionError("sweepSlots", "a whole number from 0 to 1000", sweepSlots);
  }
  const { maxKeys = DEFAULT_MAX_KEYS, maxRecords = DEFAULT_MAX_RECORDS } = options;
  return new InMemory(
    positiveInteger("maxKeys", maxKeys, MAX_KEYS),
    positiveInteger("maxRecords", maxRecords, MAX_KEYS),
    options.clock ?? createSystemClock(),
    options.random ?? systemRandom,
    sweepSlots,
  );
}

class InMemory implements MemoryStore, CountingStore {
  readonly shared = false;
  readonly #clock: Clock;
  readonly #sweepSlots: number;
  readonly #keys: KeySpace;
  readonly #work: MemoryWork;
  readonly #counts: MemoryCounts;
  /** States of a key that has no slot yet. */
  readonly #scratch = new Float64Array(MAX_LIMITS * MAX_WIDTH);
  readonly #listeners = new Listeners();
  #tick = 0;

  constructor(
    maxKeys: number,
    maxRecords: number,
    clock: Clock,
    random: Random,
    sweepSlots: number,
  ) {
    this.#clock = clock;
    this.#sweepSlots = sweepSlots;
    this.#keys = new KeySpace(maxKeys, random, sweepSlots, this.#listeners);
    this.#work = new MemoryWork(this.#keys, maxRecords, sweepSlots > 0);
    this.#counts = new MemoryCounts(this.#keys);
  }

  get size(): number {
    return this.#keys.size;
  }

  decide(policy: Policy, key: string, cost: number, consume: boolean): Decision {
    const now = this.#clock.now();
    if (!policy.plain) return this.#work.decide(policy, key, cost, consume, now);
    const keys = this.#keys;
    const table = policy === keys.lastPolicy ? keys.lastTable! : keys.tableOf(policy, now);
    const slot = table.find(key);
    if (slot === undefined) return this.#decideNew(policy, key, cost, consume, now);
    if (table.mixed) table.adopt(slot, policy.limits, now);
    const decision = this.#decideIn(table, slot, policy, key, cost, consume, now);
    this.#tick += 1;
    // Not before the decision: the slot just found may be the expired one that the sweep frees.
    if (this.#tick % SWEEP_EVERY === 0 && this.#sweepSlots > 0) table.sweep(1, now);
    return decision;
  }

  run(work: Work): Outcome {
    return this.#work.run(work, this.#clock.now());
  }

  split(parts: readonly Part[]): readonly (readonly Part[])[] {
    return [parts];
  }

  reset(policy: Policy, key: string): void {
    this.#work.reset(policy, key, this.#clock.now());
  }

  get counted(): Counted | undefined {
    return this.#work.counted;
  }

  set counted(counted: Counted | undefined) {
    this.#work.counted = counted;
  }

  placeOf(policy: Policy, key: string): number {
    const keys = this.#keys;
    const table =
      policy === keys.lastPolicy ? keys.lastTable! : keys.tableOf(policy, this.#clock.now());
    return table.find(key) ?? 0;
  }

  deny(policy: Policy, key: KeyAt, cost: number, waitUs: number): Decision {
    return this.#counts.deny(policy, key, cost, waitUs, this.#clock.now());
  }

  standing(policy: Policy, key: KeyAt, spanUs: number, into: Standing): void {
    this.#counts.standing(policy, key, this.#clock.now(), spanUs, into);
  }

  view(policy: Policy, key: KeyAt): StateView | undefined {
    return this.#counts.view(policy, key, this.#clock.now());
  }

  count(policy: Policy, key: KeyAt, units: Elsewhere, now = this.#clock.now()): number {
    return this.#counts.count(policy, key, now, units);
  }

  assume(policy: Policy, key: KeyAt, used: Float64Array, ageUs: number): void {
    this.#counts.assume(policy, key, this.#clock.now(), used, ageUs);
  }

  ping(): void {}

  attach(telemetry: Telemetry | undefined): void {
    this.#listeners.add(telemetry);
  }

  detach(telemetry: Telemetry | undefined): void {
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
    return createDecision(policy, key, cost, wait, consume, numbers, at, now, "local");
  }

  /** Decides for a key without a slot, and gives it one only where it has something to remember. */
  #decideNew(policy: Policy, key: string, cost: number, consume: boolean, now: number): Decision {
    const keys = this.#keys;
    const carried = keys.takeCarried(policy, key, now);
    const numbers = carried?.numbers ?? this.#scratch.fill(0);
    if (!keys.findRoom(policy, now)) {
      const { table, slot } = keys.overflow(policy, now);
      return this.#decideIn(table, slot, policy, key, cost, consume, now);
    }
    const wait = decide(policy.limits, numbers, 0, now, cost, consume);
    if (carried !== undefined || (wait === 0 && consume && cost > 0)) {
      const { table, slot } = keys.insert(policy, key, numbers, undefined, now);
      table.markDenied(slot, wait > 0 && wait !== Number.POSITIVE_INFINITY);
    }
    return createDecision(policy, key, cost, wait, consume, numbers, 0, now, "local");
  }
}

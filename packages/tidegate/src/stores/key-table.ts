// The keys of one policy in memory: a slot of plain numbers per key, in chunks, so that a million keys cost the
// collector nothing and growing copies nothing. It never forgets a key that is being limited to make room.

import { decide, longestReset } from "../algorithms/decide.ts";
import { type Limit, remainingOf } from "../algorithms/dispatch.ts";
import {
  carryOver,
  createKeyEntries,
  type KeyEntries,
  type KeyState,
  look,
} from "../algorithms/key-state.ts";
import type { Random } from "../ports/random.ts";

const CHUNK_BITS = 10;
const CHUNK_SLOTS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_SLOTS - 1;

/** How many slots are looked at to find one to evict: the best of 16 random ones is in the best 6 % on average. */
const EVICTION_SAMPLES = 16;

/** Slot of the states that new keys share while there is no room for their own. */
export const OVERFLOW_SLOT = 0;

/** Waits that nobody reads. */
const ignored = new Float64Array(64);

/** The keys of one policy whose states have the same width. A slot is a number. */
export class KeyTable {
  /** Whether keys have different limits: then `adopt` must be called before a slot is decided on. */
  mixed = false;
  /** The limits of all slots while they are not mixed. */
  #limits: readonly Limit[];
  /** The limits of each slot, where they are mixed. */
  #definitions: (readonly Limit[])[] = [];
  /** By slot, where there are any. */
  #entries: (KeyEntries | undefined)[] | undefined;
  readonly #stride: number;
  readonly #slots = new Map<string, number>();
  #lastKey: string | undefined;
  #lastSlot = OVERFLOW_SLOT;
  readonly #keys: (string | undefined)[] = [undefined];
  readonly #chunks: Float64Array[] = [];
  /** 1 where the slot's key was denied last. */
  readonly #denied: Uint8Array[] = [];
  #deniedCount = 0;
  readonly #free: number[] = [];
  #hand = 0;

  constructor(limits: readonly Limit[]) {
    this.#limits = limits;
    this.#stride = limits.reduce((sum, { width }) => sum + width, 0);
    this.#grow();
    this.#setEntries(OVERFLOW_SLOT, createKeyEntries(limits));
  }

  /** Number of keys held. */
  get size(): number {
    return this.#slots.size;
  }

  find(key: string): number | undefined {
    // What is asked about one key comes in a row.
    if (key === this.#lastKey) return this.#lastSlot;
    const slot = this.#slots.get(key);
    if (slot !== undefined) {
      this.#lastKey = key;
      this.#lastSlot = slot;
    }
    return slot;
  }

  /** Does the same for a key that was at a slot once. */
  findAt(key: string, slot: number): number | undefined {
    return slot !== OVERFLOW_SLOT && this.#keys[slot] === key ? slot : this.find(key);
  }

  chunkOf(slot: number): Float64Array {
    return this.#chunks[slot >> CHUNK_BITS]!;
  }

  offsetOf(slot: number): number {
    return (slot & CHUNK_MASK) * this.#stride;
  }

  limitsOf(slot: number): readonly Limit[] {
    return this.mixed ? this.#definitions[slot]! : this.#limits;
  }

  stateOf(slot: number): KeyState {
    return {
      numbers: this.chunkOf(slot),
      at: this.offsetOf(slot),
      entries: this.#entries?.[slot],
    };
  }

  /** Says that slots will be decided on by `limits` from now on. */
  use(limits: readonly Limit[], now: number): void {
    if (this.mixed || limits === this.#limits) return;
    if (sameLimits(limits, this.#limits)) {
      this.#limits = limits;
    } else if (this.#slots.size === 0) {
      this.#convert(OVERFLOW_SLOT, this.#limits, limits, now);
      this.#limits = limits;
    } else {
      this.mixed = true;
      this.#definitions = this.#keys.map(() => this.#limits);
    }
  }

  /** Has a slot's states mean what they do under `limits`; what was consumed is carried over. */
  adopt(slot: number, limits: readonly Limit[], now: number): void {
    const before = this.#definitions[slot]!;
    if (before === limits) return;
    this.#definitions[slot] = limits;
    if (!sameRules(before, limits)) this.#convert(slot, before, limits, now);
  }

  #convert(slot: number, before: readonly Limit[], after: readonly Limit[], now: number): void {
    const numbers = new Float64Array(this.#stride);
    const entries = createKeyEntries(after);
    carryOver(
      { limits: before, ...this.stateOf(slot) },
      { limits: after, numbers, at: 0, entries },
      now,
    );
    this.chunkOf(slot).set(numbers, this.offsetOf(slot));
    this.#setEntries(slot, entries);
  }

  /** Remembers whether the key's last request was denied for now, which keeps it from being evicted. */
  markDenied(slot: number, denied: boolean): void {
    // Where nobody is denied, which is most of the time, an admission need not touch the slot's flag.
    if (denied || this.#deniedCount > 0) this.#setDenied(slot, denied ? 1 : 0);
  }

  /** Gives `key` a slot with a copy of the numbers. The caller has made room. */
  insert(
    key: string,
    limits: readonly Limit[],
    numbers: Float64Array,
    entries: KeyEntries | undefined,
  ): number {
    let slot = this.#free.pop();
    if (slot === undefined) {
      slot = this.#keys.length;
      if (slot >> CHUNK_BITS === this.#chunks.length) this.#grow();
      this.#keys.push(key);
    } else {
      this.#keys[slot] = key;
    }
    this.#slots.set(key, slot);
    const chunk = this.chunkOf(slot);
    const offset = this.offsetOf(slot);
    for (let index = 0; index < this.#stride; index += 1) chunk[offset + index] = numbers[index]!;
    if (this.mixed) this.#definitions[slot] = limits;
    this.#setEntries(slot, entries);
    return slot;
  }

  remove(slot: number): void {
    const key = this.#keys[slot];
    if (key === undefined) return;
    this.markDenied(slot, false);
    this.#lastKey = undefined;
    this.#slots.delete(key);
    this.#keys[slot] = undefined;
    this.#setEntries(slot, undefined);
    this.#free.push(slot);
  }

  /** Looks at the next `count` slots and frees those whose states are as if never used. */
  sweep(count: number, now: number): void {
    for (let step = 0; step < count; step += 1) {
      this.#hand += 1;
      if (this.#hand >= this.#keys.length) this.#hand = 1;
      const slot = this.#hand;
      if (this.#keys[slot] !== undefined && this.#resetAfter(slot, now) === 0) this.remove(slot);
    }
  }

  /**
   * Finds a key to forget: of a few random ones that are not being limited, the one that is nearest to unused and so
   * loses least. Undefined where all of them are being limited, or `kept`.
   */
  victim(random: Random, now: number, kept?: ReadonlySet<number>): number | undefined {
    let victim: number | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let sample = 0; sample < EVICTION_SAMPLES; sample += 1) {
      const slot = 1 + Math.floor(random.next() * (this.#keys.length - 1));
      if (this.#keys[slot] === undefined || kept?.has(slot)) continue;
      const resetAfter = this.#resetAfter(slot, now);
      if (resetAfter < least && (resetAfter === 0 || !this.#limited(slot, now))) {
        victim = slot;
        least = resetAfter;
      }
    }
    return victim;
  }

  /** Whether the slot's key was denied last, has nothing left, or holds permits, which must be found again. */
  #limited(slot: number, now: number): boolean {
    if (this.#denied[slot >> CHUNK_BITS]![slot & CHUNK_MASK] === 1) return true;
    const chunk = this.chunkOf(slot);
    let offset = this.offsetOf(slot);
    for (const limit of this.limitsOf(slot)) {
      if (limit.algorithm === "concurrency" && chunk[offset]! > 0) return true;
      if (remainingOf(limit, chunk, offset, now) === 0) return true;
      offset += limit.width;
    }
    return false;
  }

  /** Microseconds until the slot is as if never used. */
  #resetAfter(slot: number, now: number): number {
    const limits = this.limitsOf(slot);
    const chunk = this.chunkOf(slot);
    const offset = this.offsetOf(slot);
    if (this.#entries === undefined) decide(limits, chunk, offset, now, 0, false);
    else look(limits, this.stateOf(slot), now, 0, ignored);
    return longestReset(limits, chunk, offset, now);
  }

  #setEntries(slot: number, entries: KeyEntries | undefined): void {
    if (entries === undefined && this.#entries === undefined) return;
    this.#entries ??= [];
    this.#entries[slot] = entries;
  }

  #setDenied(slot: number, denied: 0 | 1): void {
    const flags = this.#denied[slot >> CHUNK_BITS]!;
    const at = slot & CHUNK_MASK;
    this.#deniedCount += denied - flags[at]!;
    flags[at] = denied;
  }

  #grow(): void {
    this.#chunks.push(new Float64Array(CHUNK_SLOTS * this.#stride));
    this.#denied.push(new Uint8Array(CHUNK_SLOTS));
  }
}

/** Whether states of one mean the same under the other. */
function sameRules(a: readonly Limit[], b: readonly Limit[]): boolean {
  return a.length === b.length && a.every(({ rule }, index) => rule === b[index]!.rule);
}

/** Whether a state is judged the same under both. */
function sameLimits(a: readonly Limit[], b: readonly Limit[]): boolean {
  return (
    sameRules(a, b) &&
    a.every(({ limit, soft }, index) => {
      return limit === b[index]!.limit && soft === b[index]!.soft;
    })
  );
}

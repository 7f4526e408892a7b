// The keys of one policy in memory: a slot of plain numbers per key, in chunks, so that a million keys cost the
// collector nothing and growing copies nothing. It never forgets a key that is being limited to make room.

import {
  decide,
  type Limit,
  longestReset,
  NUMBERS_PER_LIMIT,
  remainingOf,
} from "../algorithms/decide.ts";
import type { Random } from "../ports/random.ts";

const CHUNK_BITS = 10;
const CHUNK_SLOTS = 1 << CHUNK_BITS;
const CHUNK_MASK = CHUNK_SLOTS - 1;

/** How many slots are looked at to find one to evict: the best of 16 random ones is in the best 6 % on average. */
const EVICTION_SAMPLES = 16;

/** Slot of the states that new keys share while there is no room for their own. */
export const OVERFLOW_SLOT = 0;

/** The keys of one policy. A slot is a number; its states are `chunkOf(slot)` from `offsetOf(slot)` on. */
export class KeyTable {
  /** The limits the states were last decided by. */
  limits: readonly Limit[];
  readonly #stride: number;
  readonly #slots = new Map<string, number>();
  readonly #keys: (string | undefined)[] = [undefined];
  readonly #chunks: Float64Array[] = [];
  /** 1 where the slot's key was denied last. */
  readonly #denied: Uint8Array[] = [];
  #deniedCount = 0;
  readonly #free: number[] = [];
  #hand = 0;

  constructor(limits: readonly Limit[]) {
    this.limits = limits;
    this.#stride = limits.length * NUMBERS_PER_LIMIT;
    this.#grow();
  }

  /** Number of keys held. */
  get size(): number {
    return this.#slots.size;
  }

  find(key: string): number | undefined {
    return this.#slots.get(key);
  }

  chunkOf(slot: number): Float64Array {
    return this.#chunks[slot >> CHUNK_BITS]!;
  }

  offsetOf(slot: number): number {
    return (slot & CHUNK_MASK) * this.#stride;
  }

  /** Remembers whether the key's last request was denied for now, which keeps it from being evicted. */
  markDenied(slot: number, denied: boolean): void {
    // Where nobody is denied, which is most of the time, an admission need not touch the slot's flag.
    if (denied || this.#deniedCount > 0) this.#setDenied(slot, denied ? 1 : 0);
  }

  /** Gives `key` a slot with the states in `numbers`, and remembers whether it was denied. The caller has made room. */
  insert(key: string, numbers: Float64Array, denied: boolean): void {
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
    this.markDenied(slot, denied);
  }

  remove(slot: number): void {
    const key = this.#keys[slot];
    if (key === undefined) return;
    this.markDenied(slot, false);
    this.#slots.delete(key);
    this.#keys[slot] = undefined;
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
   * loses least. Undefined where all of them are being limited.
   */
  victim(random: Random, now: number): number | undefined {
    let victim: number | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (let sample = 0; sample < EVICTION_SAMPLES; sample += 1) {
      const slot = 1 + Math.floor(random.next() * (this.#keys.length - 1));
      if (this.#keys[slot] === undefined) continue;
      const resetAfter = this.#resetAfter(slot, now);
      if (resetAfter < least && (resetAfter === 0 || !this.#limited(slot, now))) {
        victim = slot;
        least = resetAfter;
      }
    }
    return victim;
  }

  /** Whether the slot's key was denied last, or has nothing left. */
  #limited(slot: number, now: number): boolean {
    if (this.#denied[slot >> CHUNK_BITS]![slot & CHUNK_MASK] === 1) return true;
    const chunk = this.chunkOf(slot);
    const offset = this.offsetOf(slot);
    return this.limits.some((limit, index) => {
      return remainingOf(limit, chunk, offset + index * NUMBERS_PER_LIMIT, now) === 0;
    });
  }

  /** Microseconds until the slot is as if never used. */
  #resetAfter(slot: number, now: number): number {
    const chunk = this.chunkOf(slot);
    const offset = this.offsetOf(slot);
    decide(this.limits, chunk, offset, now, 0, false);
    return longestReset(this.limits, chunk, offset, now);
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

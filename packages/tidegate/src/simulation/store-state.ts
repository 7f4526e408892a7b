// What a simulated store holds: the library's memory store, and who has announced itself. Its clock shows the instant
// of the work that is done, so that the same work done later, on a replica, comes out the same.

import { type MemoryStore, memoryStore } from "../stores/memory.ts";
import { createSeededRandom } from "./seeded-random.ts";

/** The state of a store. */
export class StoreState {
  readonly memory: MemoryStore;
  /** The instant of what is done, in microseconds. */
  nowUs = 0;
  readonly #limiters = new Map<string, number>();

  constructor(seed: number) {
    const random = createSeededRandom(seed, 1);
    this.memory = memoryStore({ clock: { now: () => this.nowUs }, random });
  }

  /** Counts the limiters that were announced, as `announce` of a store does. */
  announce(limiter: string, ttlMs: number): number {
    const now = this.nowUs;
    if (ttlMs === 0) this.#limiters.delete(limiter);
    else this.#limiters.set(limiter, now + ttlMs * 1_000);
    for (const [name, untilUs] of this.#limiters) {
      if (untilUs <= now) this.#limiters.delete(name);
    }
    return this.#limiters.size;
  }
}

// The replicas of a simulated store, one for each failover that is to come. They do what the store did, later, in its
// order and at its instants, so that what is promoted is the store as it was then, exactly.

import type { StoreState } from "./store-state.ts";

/** Units of a key that the store took from it. */
export interface Taken {
  readonly key: string;
  readonly units: number;
}

/** What the store did at an instant. */
interface Entry {
  readonly atUs: number;
  readonly work: (state: StoreState) => unknown;
  readonly taken: Taken;
}

/** A replica that is promoted, and what the store had taken that it knows nothing of. */
export interface Promotion {
  readonly state: StoreState;
  readonly lost: readonly Taken[];
}

/** The replicas. */
export class StoreReplicas {
  /** How much each failover loses, in the order of time, in microseconds. */
  readonly #lossesUs: number[];
  readonly #create: () => StoreState;
  #states: StoreState[] = [];
  /** What was done and may yet be lost, or has yet to be done on the replicas; from `#done` on. */
  #log: Entry[] = [];
  #done = 0;

  constructor(lossesUs: readonly number[], create: () => StoreState) {
    this.#lossesUs = [...lossesUs];
    this.#create = create;
    this.forget();
  }

  /** Is told what the store did. */
  follow(entry: Entry): void {
    if (this.#states.length === 0) return;
    this.#log.push(entry);
    const safeUs = entry.atUs - Math.max(...this.#lossesUs);
    while (this.#log[this.#done]!.atUs < safeUs) {
      for (const state of this.#states) redo(state, this.#log[this.#done]!);
      this.#done += 1;
    }
    if (2 * this.#done <= this.#log.length) return;
    this.#log = this.#log.slice(this.#done);
    this.#done = 0;
  }

  /** Promotes the next replica, of a store that went at an instant. */
  promote(leftUs: number): Promotion {
    const keptUs = leftUs - this.#lossesUs.shift()!;
    const state = this.#states.shift()!;
    const entries = this.#log.slice(this.#done);
    const kept = entries.filter(({ atUs }) => atUs <= keptUs);
    for (const entry of kept) redo(state, entry);
    this.#log = kept;
    this.#done = 0;
    return { state, lost: entries.slice(kept.length).map(({ taken }) => taken) };
  }

  /** Has them be as empty as the store is. */
  forget(): void {
    this.#states = this.#lossesUs.map(this.#create);
    this.#log = [];
    this.#done = 0;
  }
}

function redo(state: StoreState, { atUs, work }: Entry): void {
  state.nowUs = atUs;
  work(state);
}

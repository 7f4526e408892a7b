// How many nodes share the store: each limiter announces itself, and remembers how many there were when it last could.

import type { CertainNodes } from "../ports/answering-store.ts";
import type { Clock } from "../ports/clock.ts";
import type { Random } from "../ports/random.ts";
import type { Store } from "../ports/store.ts";
import type { Timer } from "../ports/timer.ts";

/** A node is announced this often, and counted until it has not been for so long. */
const ANNOUNCE_MS = 1_000;
const GONE_MS = 5_000;
/** So long an answer is waited for: a client of the application's may keep what it cannot send, or lose the answer. */
const ANSWER_MS = 30_000;
/**
 * So many answers in a row must be lower for the count to fall: for as long as a node counts without being heard of.
 * After an outage the store knows nobody, and who announces itself first is not alone.
 */
const LOWER_ANSWERS = Math.ceil(GONE_MS / (0.75 * ANNOUNCE_MS));

/** With so many answers of its own a node knows of all, and all of it: each has announced itself meanwhile. */
const CERTAIN_ANSWERS = 4;
/** For so long after it was asked an answer counts: others believe that this node is gone after twice as long. */
const FRESH_US = 2_000_000;

/** What it needs. */
export interface LiveNodesOptions {
  readonly store: Store;
  /** Names this limiter, unlike any other. */
  readonly id: string;
  /** How many there are until the store has said. */
  readonly expected: number;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly random: Random;
  /** Whether the store is to be asked now. */
  readonly isAway: () => boolean;
}

/** The count of the nodes that share a store. */
export class LiveNodes {
  /** As of the last announcements that were answered. */
  count: number;
  /** The answers since the last that was not lower than the count. */
  #lower: number[] = [];
  /** Announcements in a row that were answered. */
  #answered = 0;
  /** When the last of them was asked: who came since is not in it, however late it arrived. */
  #askedAt = 0;
  /** Since when the count is what it is, and certain. */
  #since = 0;
  readonly #options: LiveNodesOptions;
  #cancel: (() => void) | undefined;
  #started = false;
  #stopped = false;

  constructor(options: LiveNodesOptions) {
    this.#options = options;
    this.count = options.expected;
  }

  /**
   * The count, where all nodes have had the time to learn of each other, and since when that was always so, in
   * microseconds of this node's clock; else undefined.
   */
  get certain(): CertainNodes | undefined {
    const isCertain = this.#answered >= CERTAIN_ANSWERS && this.#isFresh;
    return isCertain ? { count: this.count, since: this.#since } : undefined;
  }

  get #isFresh(): boolean {
    const age = this.#options.clock.now() - this.#askedAt;
    return age >= 0 && age < FRESH_US;
  }

  /** Begins to announce this node, where the store can be told. */
  start(): void {
    if (this.#started || this.#options.store.announce === undefined) return;
    this.#started = true;
    void this.#announce();
  }

  /** Says that this node is gone; does not wait for that. */
  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    if (!this.#started || this.#options.isAway()) return;
    const { store, id } = this.#options;
    // Where it is not heard, the others learn it a few seconds later.
    store.announce!(id, 0).catch(() => undefined);
  }

  async #announce(): Promise<void> {
    const { timer, random, clock, isAway } = this.#options;
    if (!isAway()) {
      const askedAt = clock.now();
      try {
        this.#heard(await this.#ask());
        if (!this.#isFresh) this.#answered = 0;
        this.#answered += 1;
        this.#askedAt = askedAt;
        if (this.#answered === CERTAIN_ANSWERS) this.#since = clock.now();
      } catch {
        // As many as there were.
        this.#lower = [];
        this.#answered = 0;
      }
    } else {
      this.#lower = [];
      this.#answered = 0;
    }
    if (this.#stopped) return;
    const delayMs = Math.ceil(ANNOUNCE_MS * (0.75 + 0.25 * random.next()));
    this.#cancel = timer.after(delayMs, () => void this.#announce());
  }

  #ask(): Promise<number> {
    const { store, id, timer } = this.#options;
    return new Promise((resolve, reject) => {
      this.#cancel = timer.after(ANSWER_MS, () => reject(new Error("no answer")));
      const asking = (async () => store.announce!(id, GONE_MS))();
      asking.then(resolve, reject).finally(this.#cancel);
    });
  }

  #heard(count: number): void {
    // Also where it is no number.
    if (!(count >= 1)) return;
    if (count >= this.count) {
      this.#set(count);
      return;
    }
    if (this.#lower.push(count) < LOWER_ANSWERS) return;
    this.#set(Math.max(...this.#lower));
  }

  #set(count: number): void {
    if (count !== this.count) this.#since = this.#options.clock.now();
    this.count = count;
    this.#lower = [];
  }
}

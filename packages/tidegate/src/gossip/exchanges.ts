// Whom a node asks in a round: one after another where there is much to tell, since two that answer at once tell the
// same, and that is then most of what gossip costs; all at once where there is little, so that news is young.

import type { Timer } from "../ports/timer.ts";

/** What it needs. */
export interface ExchangesOptions {
  readonly timer: Timer;
  /** Steady clock, in microseconds. */
  readonly steady: () => number;
  /** How long something is expected, and whoever is to be asked waits for the answers of others. */
  readonly patienceMs: number;
  /** The same where answers take long, since there is much to tell: to ask more would add to it. */
  readonly mostPatienceMs: number;
  readonly ask: (address: string) => void;
}

/** Patience lasts for so many times what answers took lately, and the last has this weight in that. */
const TIMES_TAKEN = 3;
const WEIGHT = 0.25;

/** There is much to tell while a message of so many bytes came lately; of the largest this part counts after each. */
const LARGE_BYTES = 4_096;
const KEPT = 0.9;

/** The exchanges of one node. */
export class Exchanges {
  readonly #options: ExchangesOptions;
  /** Addresses from which something is to come, and since when: the first is over first. */
  readonly #expected = new Map<string, number>();
  /** How long that took lately, in microseconds. */
  #takenUs = 0;
  /** Size of the largest messages lately. */
  #bytes = 0;
  #queue: string[] = [];
  /** How long whoever is next waits in this round. */
  #waitMs = 0;
  #cancel: (() => void) | undefined;

  constructor(options: ExchangesOptions) {
    this.#options = options;
  }

  /** Whether something large is under way, as far as is known. */
  get isBusy(): boolean {
    if (this.#bytes < LARGE_BYTES) return false;
    const { steady, patienceMs } = this.#options;
    const now = steady();
    const patienceUs = 1_000 * this.#patient(patienceMs);
    for (const since of this.#expected.values()) if (now - since < patienceUs) return true;
    return false;
  }

  /**
   * Begins a round: asks nodes in turn, and comes to the last of them before the round is over if nobody answers. Those
   * of the last round that it did not come to, since others were under way when that began, are left out.
   */
  begin(addresses: readonly string[], roundMs: number): void {
    this.stop();
    this.#queue = [...addresses];
    this.#waitMs = Math.min(this.#options.patienceMs, roundMs / addresses.length);
    this.goOn();
  }

  /** Notes that something is to come from an address. */
  expect(address: string): void {
    const { steady, mostPatienceMs } = this.#options;
    const now = steady();
    this.#expected.delete(address);
    this.#expected.set(address, now);
    // What comes after the patience still tells how long answers take; what does not come must not be kept.
    for (const [oldest, since] of this.#expected) {
      if (now - since <= 1_000 * mostPatienceMs) break;
      this.#expected.delete(oldest);
    }
  }

  /** Notes that it came, in so many bytes. */
  came(address: string, bytes: number): void {
    this.#bytes = Math.max(bytes, KEPT * this.#bytes);
    const since = this.#expected.get(address);
    if (since === undefined) return;
    this.#expected.delete(address);
    this.#takenUs += WEIGHT * (this.#options.steady() - since - this.#takenUs);
  }

  /** Asks the next, unless something is under way: for that it waits, but no longer than its patience. */
  goOn(): void {
    while (this.#queue.length > 0 && !this.isBusy) this.#askNext();
    this.#wait();
  }

  stop(): void {
    this.#queue = [];
    this.#cancel?.();
    this.#cancel = undefined;
  }

  /** How long to wait, where answers take as long as they did lately. */
  #patient(ms: number): number {
    return Math.max(
      ms,
      Math.min((TIMES_TAKEN * this.#takenUs) / 1_000, this.#options.mostPatienceMs),
    );
  }

  #askNext(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#options.ask(this.#queue.shift()!);
  }

  #wait(): void {
    if (this.#queue.length === 0 || this.#cancel !== undefined) return;
    this.#cancel = this.#options.timer.after(this.#patient(this.#waitMs), () => {
      this.#askNext();
      this.#wait();
    });
  }
}

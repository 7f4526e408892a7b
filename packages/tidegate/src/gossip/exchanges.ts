// Whom a node asks in a round, one after another: two that answer at once tell the same, and where there is much to
// tell that is most of what gossip costs.

import type { Timer } from "../ports/timer.ts";

/** What it needs. */
export interface ExchangesOptions {
  readonly timer: Timer;
  /** Steady clock, in microseconds. */
  readonly steady: () => number;
  /** How long something is expected, and whoever is to be asked waits for the answers of others at most. */
  readonly patienceMs: number;
  readonly ask: (address: string) => void;
}

/** The exchanges of one node. */
export class Exchanges {
  readonly #options: ExchangesOptions;
  /** Addresses from which something is expected, and until when it is: the first is over first. */
  readonly #expected = new Map<string, number>();
  #queue: string[] = [];
  /** How long whoever is next waits in this round. */
  #waitMs = 0;
  #cancel: (() => void) | undefined;

  constructor(options: ExchangesOptions) {
    this.#options = options;
  }

  /** Whether something is under way, as far as is known. */
  get isBusy(): boolean {
    const now = this.#options.steady();
    for (const [address, until] of this.#expected) {
      if (until > now) return true;
      this.#expected.delete(address);
    }
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
    const { steady, patienceMs } = this.#options;
    this.#expected.delete(address);
    this.#expected.set(address, steady() + 1_000 * patienceMs);
  }

  /** Notes that it came. */
  came(address: string): void {
    this.#expected.delete(address);
  }

  /** Asks the next, unless something is under way: for that it waits, but no longer than its patience. */
  goOn(): void {
    if (this.#queue.length > 0 && !this.isBusy) this.#askNext();
    else this.#wait();
  }

  stop(): void {
    this.#queue = [];
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #askNext(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#options.ask(this.#queue.shift()!);
    this.#wait();
  }

  #wait(): void {
    if (this.#queue.length === 0 || this.#cancel !== undefined) return;
    this.#cancel = this.#options.timer.after(this.#waitMs, () => this.#askNext());
  }
}

// Whom a node asks in a round, one after another: two that answer at once tell the same, and where there is much to
// tell that is most of what gossip costs.

import type { Timer } from "../ports/timer.ts";

/** What it needs. */
export interface ExchangesOptions {
  readonly timer: Timer;
  /** Steady clock, in microseconds. */
  readonly steady: () => number;
  /** How long whoever is to be asked waits for the answers of others. */
  readonly patienceMs: number;
  readonly ask: (address: string) => void;
}

/** The exchanges of one node. */
export class Exchanges {
  readonly #options: ExchangesOptions;
  /** Addresses from which something is expected, and until when it is. */
  readonly #expected = new Map<string, number>();
  #queue: string[] = [];
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

  /** Begins a round: asks nodes in turn. Those of the last round that it did not come to are left out. */
  begin(addresses: readonly string[]): void {
    this.stop();
    this.#queue = [...addresses];
    this.goOn();
  }

  /** Notes that something is to come from an address. */
  expect(address: string): void {
    const { steady, patienceMs } = this.#options;
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
    const { timer, patienceMs } = this.#options;
    this.#cancel = timer.after(patienceMs, () => this.#askNext());
  }
}

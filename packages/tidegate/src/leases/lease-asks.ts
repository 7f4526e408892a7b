// When the store is asked about leases: for all keys of a few milliseconds together, and at once where it was quiet.

import type { Clock } from "../ports/clock.ts";
import type { Scheduler } from "../ports/scheduler.ts";
import type { Timer } from "../ports/timer.ts";
import type { Lease } from "./lease.ts";

/** Microseconds between two calls: what a key may have to wait for, and so what a node asks at most, 200 a second. */
const GAP_US = 5_000;

/** What it needs. */
export interface LeaseAsksOptions {
  /** Asks about leases, all in one turn of the event loop. */
  readonly send: (leases: readonly Lease[]) => void;
  readonly clock: Clock;
  readonly timer: Timer;
  readonly scheduler: Scheduler;
}

/** The questions that go out together. */
export class LeaseAsks {
  readonly #options: LeaseAsksOptions;
  #waiting: Lease[] = [];
  #isScheduled = false;
  #cancel: (() => void) | undefined;
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(options: LeaseAsksOptions) {
    this.#options = options;
  }

  /** Number of leases that are about to be asked about. */
  get size(): number {
    return this.#waiting.length;
  }

  /** Asks about a lease soon. */
  add(lease: Lease): void {
    this.#waiting.push(lease);
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    const { clock, timer, scheduler } = this.#options;
    const age = clock.now() - this.#sentAt;
    if (age >= 0 && age < GAP_US) {
      this.#cancel = timer.after(Math.ceil((GAP_US - age) / 1_000), () => this.flush());
    } else scheduler.afterTurn(() => this.flush());
  }

  /** Asks now. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#isScheduled = false;
    const leases = this.#waiting;
    if (leases.length === 0) return;
    this.#waiting = [];
    this.#sentAt = this.#options.clock.now();
    this.#options.send(leases);
  }
}

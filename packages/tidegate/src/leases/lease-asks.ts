// When the store is asked about leases: for all keys of a few milliseconds together, and at once where it was quiet.

import type { Clock } from "../ports/clock.ts";
import type { Scheduler } from "../ports/scheduler.ts";
import type { Timer } from "../ports/timer.ts";
import type { Lease } from "./lease.ts";

/** Milliseconds between two calls: what a key may have to wait for, and so what a node asks at most, 200 a second. */
const GAP_MS = 5;
/** So much of its deadline a check may wait before it is asked about, where that is less. */
const GAP_SHARE = 0.25;

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
  /** When they go out, by this node's clock; undefined where none wait. */
  #dueAt: number | undefined;
  #cancel: (() => void) | undefined;
  #sentAt = Number.NEGATIVE_INFINITY;

  constructor(options: LeaseAsksOptions) {
    this.#options = options;
  }

  /** Number of leases that are about to be asked about. */
  get size(): number {
    return this.#waiting.length;
  }

  /**
   * Asks about a lease soon.
   * @param deadlineMs how long a check waits for the answer; left out where none does.
   */
  add(lease: Lease, deadlineMs = Number.POSITIVE_INFINITY): void {
    this.#waiting.push(lease);
    this.#flushFor(deadlineMs);
  }

  /** Hears that a check waits so long for what may be about to be asked. */
  hurry(deadlineMs: number): void {
    if (this.#waiting.length > 0) this.#flushFor(deadlineMs);
  }

  #flushFor(deadlineMs: number): void {
    const now = this.#options.clock.now();
    const age = now - this.#sentAt;
    const gapUs = Math.min(GAP_MS, Math.floor(deadlineMs * GAP_SHARE)) * 1_000;
    const leftUs = age >= 0 ? Math.max(gapUs - age, 0) : 0;
    if (this.#dueAt !== undefined && this.#dueAt <= now + leftUs) return;
    this.#cancel?.();
    this.#dueAt = now + leftUs;
    this.#cancel = this.#after(leftUs);
  }

  #after(leftUs: number): () => void {
    const { timer, scheduler } = this.#options;
    if (leftUs > 0) return timer.after(Math.ceil(leftUs / 1_000), () => this.flush());
    let isOff = false;
    scheduler.afterTurn(() => {
      if (!isOff) this.flush();
    });
    return () => {
      isOff = true;
    };
  }

  /** Asks now. */
  flush(): void {
    this.#cancel?.();
    this.#cancel = undefined;
    this.#dueAt = undefined;
    const leases = this.#waiting;
    if (leases.length === 0) return;
    this.#waiting = [];
    this.#sentAt = this.#options.clock.now();
    this.#options.send(leases);
  }
}

// Time that goes from event to event: what simulated timers, turns of the event loop and networks wait for. Nothing in
// it takes real time, and the same events come in the same order again.

import type { Scheduler } from "../ports/scheduler.ts";
import type { Timer } from "../ports/timer.ts";
import { settled } from "../runtime/settled.ts";

interface Event {
  readonly atUs: number;
  readonly order: number;
  readonly work: () => void;
  cancelled: boolean;
}

/** Virtual time. */
export class VirtualTime {
  /** In microseconds. */
  nowUs: number;
  readonly #events: Event[] = [];
  #order = 0;

  constructor(startUs: number) {
    this.nowUs = startUs;
  }

  /** Runs `work` at an instant, or now where that has passed. The function that it returns prevents it. */
  at(atUs: number, work: () => void): () => void {
    const event = { atUs: Math.max(atUs, this.nowUs), order: this.#order, work, cancelled: false };
    this.#order += 1;
    this.#push(event);
    return () => {
      event.cancelled = true;
    };
  }

  /** The instant of the next event; Infinity where there is none. */
  get nextUs(): number {
    return this.#events[0]?.atUs ?? Number.POSITIVE_INFINITY;
  }

  /** Runs what is due until an instant, each event with all that follows from it, and ends there. */
  async runUntil(endUs: number): Promise<void> {
    // What was begun outside of an event goes on first.
    await settled();
    while (this.nextUs <= endUs) {
      const event = this.#pop();
      if (event.cancelled) continue;
      this.nowUs = event.atUs;
      event.work();
      await settled();
    }
    this.nowUs = Math.max(this.nowUs, endUs);
  }

  #push(event: Event): void {
    const events = this.#events;
    let index = events.length;
    events.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(event, events[parent]!)) break;
      events[index] = events[parent]!;
      index = parent;
    }
    events[index] = event;
  }

  #pop(): Event {
    const events = this.#events;
    const first = events[0]!;
    const last = events.pop()!;
    const { length } = events;
    if (length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= length) break;
      if (child + 1 < length && isBefore(events[child + 1]!, events[child]!)) child += 1;
      if (!isBefore(events[child]!, last)) break;
      events[index] = events[child]!;
      index = child;
    }
    events[index] = last;
    return first;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.atUs < other.atUs || (one.atUs === other.atUs && one.order < other.order);
}

/** Creates the timer and the scheduler of a process; `run` does the work, later or never where the process is away. */
export function createLoop(time: VirtualTime, run: (work: () => void) => void): Timer & Scheduler {
  return {
    after: (delayMs, work) => {
      let isCancelled = false;
      // What is due while the process is away may be cancelled before it is back.
      const ifWanted = () => {
        if (!isCancelled) work();
      };
      const cancel = time.at(time.nowUs + Math.ceil(delayMs * 1_000), () => run(ifWanted));
      return () => {
        isCancelled = true;
        cancel();
      };
    },
    afterTurn: (work) => void time.at(time.nowUs, () => run(work)),
  };
}

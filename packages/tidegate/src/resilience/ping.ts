// One question whether a store answers, which is over after a while whatever the store does: a client of the
// application's may wait for an answer for ever.

import { TidegateError } from "../errors.ts";
import type { Scheduler } from "../ports/scheduler.ts";
import type { Timer } from "../ports/timer.ts";

/** As long as a connection of Tidegate's own waits for an answer. */
const DEADLINE_MS = 1_000;

/** A ping that is under way. */
export class Ping {
  /** Rejects where the store does, and with STORE_UNAVAILABLE where it does not answer in time. */
  readonly answer: Promise<void>;
  #end: (error: Error) => void = () => {};

  constructor(ask: () => Promise<void>, timer: Timer, scheduler: Scheduler) {
    this.answer = new Promise((resolve, reject) => {
      const message = `the store gave no answer within ${DEADLINE_MS} ms`;
      const cancel = timer.after(DEADLINE_MS, () => {
        // Where this process was busy for that long, what has arrived meanwhile is read first.
        scheduler.afterTurn(() => reject(new TidegateError("STORE_UNAVAILABLE", message)));
      });
      this.#end = (error) => {
        cancel();
        reject(error);
      };
      ask().then(() => {
        cancel();
        resolve();
      }, this.#end);
    });
  }

  /** Waits no longer. */
  end(error: Error): void {
    this.#end(error);
  }
}

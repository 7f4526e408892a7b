import type { Scheduler } from "../ports/scheduler.ts";

/** Runs work in the event loop's check phase: after all I/O callbacks of the turn, before it waits again. */
export const systemScheduler: Scheduler = {
  afterTurn(work) {
    setImmediate(work);
  },
};

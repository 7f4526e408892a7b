import type { Scheduler } from "tidegate";

/** A scheduler whose turns end when a test says so. */
export interface ManualScheduler extends Scheduler {
  /** Does what waits for the end of the turn; what that asks for waits for the next. */
  endTurn(): void;
  /** Number of what waits. */
  readonly size: number;
}

/** Creates the scheduler. */
export function createManualScheduler(): ManualScheduler {
  let waiting: (() => void)[] = [];
  return {
    afterTurn: (work) => void waiting.push(work),
    endTurn() {
      const ended = waiting;
      waiting = [];
      for (const work of ended) work();
    },
    get size() {
      return waiting.length;
    },
  };
}

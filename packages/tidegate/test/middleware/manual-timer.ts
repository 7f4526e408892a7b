// A timer on a manual clock: what waits goes when the clock is moved past its time, and not before.

import type { Timer } from "tidegate";
import type { ManualClock } from "../support/manual-clock.ts";
import { watchChanges } from "./until.ts";

/** A timer that stands still until it is advanced. */
export interface ManualTimer extends Timer {
  /** Resolves when so many wait. */
  untilWaiting(count: number): Promise<void>;
  /** Moves the clock, and runs what comes due on the way, each to its rest before the next. */
  advanceMs(milliseconds: number): Promise<void>;
}

/** Creates a timer that moves `clock` with it. */
export function createManualTimer(clock: ManualClock): ManualTimer {
  const waiting = new Set<{ readonly atUs: number; readonly work: () => void }>();
  const changes = watchChanges();
  const nextBy = (endUs: number) => {
    const due = [...waiting].filter(({ atUs }) => atUs <= endUs);
    return due.toSorted((a, b) => a.atUs - b.atUs)[0];
  };
  return {
    after(delayMs, work) {
      const one = { atUs: clock.now() + delayMs * 1_000, work };
      waiting.add(one);
      changes.tell();
      return () => {
        waiting.delete(one);
        changes.tell();
      };
    },
    untilWaiting: (count) => changes.until(() => waiting.size === count),
    async advanceMs(milliseconds) {
      const endUs = clock.now() + milliseconds * 1_000;
      for (let one = nextBy(endUs); one !== undefined; one = nextBy(endUs)) {
        clock.setUs(one.atUs);
        waiting.delete(one);
        one.work();
        await turn();
      }
      clock.setUs(endUs);
      await turn();
    },
  };
}

/** Lets what has begun come to rest. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

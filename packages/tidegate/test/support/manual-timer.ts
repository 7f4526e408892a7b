import type { Timer } from "tidegate";
import type { ManualClock } from "./manual-clock.ts";

/** A timer that goes by a manual clock. */
export interface ManualTimer extends Timer {
  /** Advances the clock, and does on the way what is due, each at its time and with all that follows from it. */
  advanceMs(milliseconds: number): Promise<void>;
  /** Number of what is not done yet. */
  readonly size: number;
}

interface Due {
  readonly atUs: number;
  readonly work: () => void;
}

/** Creates a timer that moves `clock`. */
export function createManualTimer(clock: ManualClock): ManualTimer {
  const waiting = new Set<Due>();
  const nextBefore = (endUs: number) => {
    let next: Due | undefined;
    for (const due of waiting) {
      if (due.atUs <= endUs && (next === undefined || due.atUs < next.atUs)) next = due;
    }
    return next;
  };
  return {
    after(delayMs, work) {
      const due = { atUs: clock.now() + delayMs * 1_000, work };
      waiting.add(due);
      return () => void waiting.delete(due);
    },
    async advanceMs(milliseconds) {
      const endUs = clock.now() + milliseconds * 1_000;
      await settled();
      for (let due = nextBefore(endUs); due !== undefined; due = nextBefore(endUs)) {
        waiting.delete(due);
        clock.setUs(Math.max(clock.now(), due.atUs));
        due.work();
        await settled();
      }
      clock.setUs(endUs);
    },
    get size() {
      return waiting.size;
    },
  };
}

/** Resolves when all promises have settled that wait for nothing from outside. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

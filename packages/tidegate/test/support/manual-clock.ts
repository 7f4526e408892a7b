import type { Clock } from "tidegate";

/** A clock that stands still until it is moved, also backwards. */
export interface ManualClock extends Clock {
  advanceMs(milliseconds: number): void;
  setUs(microseconds: number): void;
}

/** Creates a manual clock; it starts at a whole day of 2026, so that windows begin at once. */
export function createManualClock(startUs = Date.UTC(2026, 0, 1) * 1_000): ManualClock {
  let nowUs = startUs;
  return {
    now: () => nowUs,
    advanceMs(milliseconds) {
      nowUs += Math.round(milliseconds * 1_000);
    },
    setUs(microseconds) {
      nowUs = microseconds;
    },
  };
}

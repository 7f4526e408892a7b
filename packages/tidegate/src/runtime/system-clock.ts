// The real clock: smooth between readings, and never more than a second behind a step of the wall clock.

import type { Clock } from "../ports/clock.ts";

const REANCHOR_AFTER_MS = 1_000;
const STEP_MS = 50;

/**
 * Creates the clock of this machine. It runs on the monotonic clock, and is set anew where the wall clock has gone
 * another way by more than 50 ms: the machine slept, or its time was set.
 */
export function createSystemClock(): Clock {
  // The global is a getter, and asking it each time takes a tenth of a check in memory.
  const { performance } = globalThis;
  let offsetMs = Date.now() - performance.now();
  let steadyOffsetMs = 0;
  let nextAnchorMs = performance.now() + REANCHOR_AFTER_MS;

  function anchor(monotonicMs: number): void {
    nextAnchorMs = monotonicMs + REANCHOR_AFTER_MS;
    const wall = Date.now() - monotonicMs;
    if (Math.abs(wall - offsetMs) <= STEP_MS) return;
    // The machine may have slept, which the monotonic clock does not count.
    steadyOffsetMs += Math.max(wall - offsetMs, 0);
    offsetMs = wall;
  }

  return {
    now() {
      const monotonicMs = performance.now();
      if (monotonicMs > nextAnchorMs) anchor(monotonicMs);
      return Math.floor((offsetMs + monotonicMs) * 1_000);
    },
    steady() {
      const monotonicMs = performance.now();
      if (monotonicMs > nextAnchorMs) anchor(monotonicMs);
      return Math.floor((steadyOffsetMs + monotonicMs) * 1_000);
    },
  };
}

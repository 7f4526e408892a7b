// Logs faults that no caller is to blame for, and no more than one in ten seconds: a fault that comes with every
// request must not become a line for every request.

import type { Timers } from "../runtime/timers.ts";
import type { Logger } from "./logger.ts";

const QUIET_MS = 10_000;

/** Creates what logs a fault, with how many were left out since the last line. */
export function createFaultLog(logger: Logger, timers: Timers): (error: unknown) => void {
  let lastMs = Number.NEGATIVE_INFINITY;
  let leftOut = 0;
  return (error) => {
    const nowMs = timers.now();
    if (nowMs - lastMs < QUIET_MS) {
      leftOut += 1;
      return;
    }
    lastMs = nowMs;
    logger.error({ err: error, leftOut }, "a call failed, and no caller is to blame");
    leftOut = 0;
  };
}

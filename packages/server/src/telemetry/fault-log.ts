// Logs faults that no caller is to blame for, and of each kind no more than one in ten seconds: a fault that comes with
// every request must not become a line for every request.

import { TidegateError } from "tidegate";
import type { Timers } from "../runtime/timers.ts";
import type { Logger } from "./logger.ts";

const QUIET_MS = 10_000;

/**
 * Creates what logs a fault, with how many were left out since the last line: a store that could not decide as a
 * warning with its reason, all else as an error.
 */
export function createFaultLog(logger: Logger, timers: Timers): (error: unknown) => void {
  const storeFault = seldom(timers, (error: TidegateError, leftOut) => {
    logger.warn({ reason: error.message, leftOut }, "the store could not decide");
  });
  const fault = seldom(timers, (error: unknown, leftOut) => {
    logger.error({ err: error, leftOut }, "a call failed, and no caller is to blame");
  });
  return (error) => {
    if (error instanceof TidegateError && error.code === "STORE_UNAVAILABLE") storeFault(error);
    else fault(error);
  };
}

function seldom<Fault>(timers: Timers, log: (fault: Fault, leftOut: number) => void) {
  let lastMs = Number.NEGATIVE_INFINITY;
  let leftOut = 0;
  return (fault: Fault): void => {
    const nowMs = timers.now();
    if (nowMs - lastMs < QUIET_MS) {
      leftOut += 1;
      return;
    }
    lastMs = nowMs;
    log(fault, leftOut);
    leftOut = 0;
  };
}

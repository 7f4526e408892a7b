// A limiter in memory whose time a test moves, and who says what it was told.

import {
  createLimiter,
  type Decision,
  type Limiter,
  type LimiterOptions,
  type PolicyOptions,
} from "tidegate";
import { createManualClock, type ManualClock } from "./manual-clock.ts";
import { createManualTimer, type ManualTimer } from "./manual-timer.ts";

/** The limiter, its time, and the decisions that its telemetry was told. */
export interface TestLimiter {
  readonly limiter: Limiter;
  readonly clock: ManualClock;
  readonly timer: ManualTimer;
  readonly told: Decision[];
}

/** Creates the limiter; it starts at a whole day, so that windows begin at once. */
export function createTestLimiter(
  policies: Readonly<Record<string, PolicyOptions>>,
  options: Partial<LimiterOptions> & { readonly clock?: ManualClock } = {},
): TestLimiter {
  const clock = options.clock ?? createManualClock();
  const timer = createManualTimer(clock);
  const told: Decision[] = [];
  const telemetry = { decided: (decision: Decision) => void told.push(decision) };
  const limiter = createLimiter({ telemetry, timer, ...options, clock, policies });
  return { limiter, clock, timer, told };
}

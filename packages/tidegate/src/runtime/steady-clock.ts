// Makes a clock that tells durations too of one that may not: what leases, gossip and the count of nodes go by.

import type { Clock, SteadyClock } from "../ports/clock.ts";

/**
 * Returns the clock where it tells durations. Where it does not they are those of its wall clock, without the steps
 * back that are seen from one reading to the next. Durations are to be compared of one such clock only.
 */
export function withSteady(clock: Clock): SteadyClock {
  if (isSteady(clock)) return clock;
  let last = clock.now();
  let steady = 0;
  return {
    now: () => clock.now(),
    steady() {
      const now = clock.now();
      steady += Math.max(now - last, 0);
      last = now;
      return steady;
    },
  };
}

function isSteady(clock: Clock): clock is SteadyClock {
  return clock.steady !== undefined;
}

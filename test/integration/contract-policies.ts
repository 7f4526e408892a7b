// The policies that the contracts of the calls are about: limits of which nothing comes back within a run, names that
// are hard to keep apart, and a limiter for each test with a policy of its own.

import {
  calendarWindow,
  fixedWindow,
  type Limit,
  type Limiter,
  leakyBucket,
  type PolicyOptions,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";

/** A window that no run crosses: it ends in 2069. */
export const AGES = "36500d";

/** One limit of each algorithm that is checked, of which nothing comes back within a run. */
export const limitsOf = (limit: number): readonly Limit[] => [
  tokenBucket({ capacity: limit, refill: `${limit}/30000d` }),
  fixedWindow({ limit, window: AGES }),
  slidingWindow({ limit, window: AGES }),
  slidingLog({ limit, window: AGES }),
  leakyBucket({ queue: limit - 1, rate: `${limit}/30000d` }),
  calendarWindow({ limit, per: "month", timeZone: "Pacific/Kiritimati" }),
];

/** Keys and ids that a store must keep apart, whatever they look like. */
export const AWKWARD = [
  "a:b",
  "}",
  "%7D",
  "{",
  "\0",
  "\n",
  "\ud800",
  "\udc00",
  "ü",
  "x".repeat(120),
  "1:1",
  "__proto__",
];

/** Opens a limiter over the store, whose policies no other test has. */
export type OpenLimiter = (policies: Readonly<Record<string, PolicyOptions>>) => Limiter;

/** Makes limiters of one policy each, whose names begin with `prefix`, and calls for a key of it. */
export function policiesOf(open: OpenLimiter, prefix: string) {
  let runs = 0;
  return (limits: readonly Limit[], settings: Omit<PolicyOptions, "limits"> = {}) => {
    runs += 1;
    const policy = `${prefix}-${runs}`;
    const limiter = open({ [policy]: { limits, ...settings } });
    const request = { policy, key: "k" };
    const left = async (key = "k") => (await limiter.peek({ policy, key, cost: 0 })).remaining;
    return { limiter, policy, request, left };
  };
}

// The policies that the processes of the races share. Their windows are so long that nothing comes back in a run, so
// that what is in use is a sum of what was admitted, to the unit.

import {
  concurrency,
  fixedWindow,
  type PolicyOptions,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";

/** As long as a window can be. */
const AGE = "36500d";

/** How long the permits of `leased` and `guarded` are held, if they are not extended. */
export const LEASE_MS = 2_000;

/** By name, each with its limit: that of the tightest, where it has several. */
export const LIMITS = {
  user: 120,
  organisation: 350,
  endpoint: 500,
  bucket: 350,
  counter: 400,
  pair: 300,
  estimate: 400,
  "estimate-log": 250,
  "estimate-bucket": 300,
  "estimate-few": 6,
  contest: 100,
  held: 24,
  leased: 12,
  guarded: 3,
} as const;

export type PolicyName = keyof typeof LIMITS;

/** What each of them is. */
export const policies: Readonly<Record<PolicyName, PolicyOptions>> = {
  user: { limits: [tokenBucket({ capacity: LIMITS.user, refill: `${LIMITS.user}/${AGE}` })] },
  organisation: { limits: [slidingLog({ limit: LIMITS.organisation, window: AGE })] },
  endpoint: { limits: [fixedWindow({ limit: LIMITS.endpoint, window: AGE })] },
  // A unit returns after no whole number of microseconds: 350 has a factor of 7, which 36500 days have not.
  bucket: { limits: [tokenBucket({ capacity: LIMITS.bucket, refill: `${LIMITS.bucket}/${AGE}` })] },
  counter: { limits: [slidingWindow({ limit: LIMITS.counter, window: AGE })] },
  pair: {
    limits: [
      fixedWindow({ limit: LIMITS.pair + 150, window: AGE, name: "wide" }),
      tokenBucket({ capacity: LIMITS.pair, refill: `${LIMITS.pair}/${AGE}`, name: "tight" }),
    ],
  },
  estimate: { limits: [fixedWindow({ limit: LIMITS.estimate, window: AGE })] },
  "estimate-log": { limits: [slidingLog({ limit: LIMITS["estimate-log"], window: AGE })] },
  "estimate-bucket": {
    limits: [
      tokenBucket({
        // A bucket's debt, too, returns within an age: this one has room for as much as it holds.
        capacity: LIMITS["estimate-bucket"],
        refill: `${LIMITS["estimate-bucket"]}/12000d`,
      }),
    ],
  },
  // As many entries as units: in debt its log is full.
  "estimate-few": { limits: [slidingLog({ limit: LIMITS["estimate-few"], window: AGE })] },
  contest: { limits: [fixedWindow({ limit: LIMITS.contest, window: AGE })] },
  held: { limits: [concurrency({ limit: LIMITS.held, lease: "10m" })] },
  leased: { limits: [concurrency({ limit: LIMITS.leased, lease: LEASE_MS })] },
  guarded: { limits: [concurrency({ limit: LIMITS.guarded, lease: LEASE_MS })] },
};

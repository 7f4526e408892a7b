// What is measured of each algorithm, and of the calls that are more than a check: the same in memory and in Redis.
// Nothing is ever denied, and no key is as if unused while it is measured.

import {
  calendarWindow,
  concurrency,
  fixedWindow,
  type Limit,
  type Limiter,
  leakyBucket,
  type PolicyOptions,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";

/** One row of the tables. */
export interface Subject {
  readonly name: string;
  readonly policies: Readonly<Record<string, PolicyOptions>>;
  /** Puts a key into use. */
  prepare(limiter: Limiter, key: string): Promise<unknown>;
  /** What is counted: one call, or two that belong together. */
  ask(limiter: Limiter, key: string): Promise<{ readonly allowed: boolean }>;
  /** Has a key hold what it takes memory for, once more each time, and for longer than it takes to measure. */
  hold(limiter: Limiter, key: string): Promise<unknown>;
  /** Where a key may hold many: what, and how many are measured besides one. */
  readonly many?: { readonly of: string; readonly count: number };
}

const MOST = 1_000_000_000;
/** An hour's refill, so that a bucket is in use for as long as anything here takes. */
const HOUR = 360_000;
const BUCKET = tokenBucket({ capacity: MOST, refill: "100/s" });
const SLIDING = slidingWindow({ limit: MOST, window: "1d" });
const CALENDAR = calendarWindow({ limit: MOST, per: "month" });

function checked(name: string, ...limits: readonly Limit[]): Subject {
  const use = (limiter: Limiter, key: string) => {
    return limiter.check({ policy: "api", key, cost: HOUR });
  };
  return {
    name,
    policies: { api: { limits } },
    prepare: use,
    ask: (limiter, key) => limiter.check({ policy: "api", key }),
    hold: use,
  };
}

function logged(name: string): Subject {
  const ask = (limiter: Limiter, key: string) => limiter.check({ policy: "api", key });
  const policies = {
    api: { limits: [slidingLog({ limit: 1_000, window: "10s" })] },
    held: { limits: [slidingLog({ limit: 1_000, window: "1h" })] },
  };
  return {
    name,
    policies,
    prepare: ask,
    ask,
    hold: (limiter, key) => limiter.check({ policy: "held", key }),
    many: { of: "entry", count: 64 },
  };
}

function acquired(name: string): Subject {
  const acquire = (limiter: Limiter, key: string) => limiter.acquire({ policy: "api", key });
  return {
    name,
    policies: { api: { limits: [concurrency({ limit: 1_000, lease: "1h" })] } },
    prepare: acquire,
    async ask(limiter, key) {
      const permit = await acquire(limiter, key);
      return { allowed: await limiter.release(permit) };
    },
    hold: acquire,
    many: { of: "permit", count: 16 },
  };
}

function asOne(name: string): Subject {
  const every = (limiter: Limiter, key: string, cost = 1) => {
    return limiter.checkEvery([
      { policy: "user", key, cost },
      { policy: "organisation", key, cost },
      { policy: "endpoint", key, cost },
    ]);
  };
  const use = (limiter: Limiter, key: string) => every(limiter, key, HOUR);
  const policy = { limits: [BUCKET] };
  return {
    name,
    policies: { user: policy, organisation: policy, endpoint: policy },
    prepare: use,
    ask: every,
    hold: use,
  };
}

function reserved(name: string): Subject {
  return {
    ...checked(name, BUCKET),
    async ask(limiter, key) {
      const reservation = await limiter.reserve({ policy: "api", key, cost: 10 });
      return { allowed: (await limiter.settle(reservation, 7)).settled };
    },
    hold: (limiter, key) => limiter.reserve({ policy: "api", key, cost: HOUR }),
    many: { of: "reservation", count: 2 },
  };
}

/** The subject that the others are compared to. */
export const COMPARATOR = "token bucket";

/** All of them, the comparator first. */
export const SUBJECTS: readonly Subject[] = [
  checked(COMPARATOR, BUCKET),
  checked("fixed window", fixedWindow({ limit: MOST, window: "1d" })),
  checked("sliding window", SLIDING),
  logged("sliding log"),
  checked("leaky bucket", leakyBucket({ rate: "100/s", queue: MOST - 2 })),
  checked("calendar window", CALENDAR),
  acquired("concurrency, acquire and release"),
  checked("three limits in one policy", BUCKET, SLIDING, CALENDAR),
  asOne("checkEvery over three keys"),
  reserved("reserve and settle"),
];

/** Finds a subject. */
export function subjectOf(name: string | undefined): Subject {
  const found = SUBJECTS.find((subject) => subject.name === name);
  if (found === undefined) throw new Error(`unknown subject ${name}`);
  return found;
}

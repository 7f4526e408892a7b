// What may be admitted of one key, by the definition of each algorithm and nothing of the code that decides.

import type { Limit } from "../../algorithms/dispatch.ts";

/** Units that were admitted. */
export interface Admission {
  /** In microseconds, by the clock that the limit goes by. */
  readonly atUs: number;
  readonly cost: number;
  /** The same instant in the time of the simulation. */
  readonly trueUs: number;
}

/** How far beyond a limit what was admitted may go. */
export interface Allowance {
  /** Units at any time. */
  readonly beyond: number;
  /** Units that came back may be spent so much later, beside those that come back then. Of buckets alone. */
  readonly holdUs: number;
  /** When the key was first asked for: from then on units come back. Left out, since its first admission. */
  readonly sinceUs?: number;
}

/** Not at all. */
export const NO_ALLOWANCE: Allowance = { beyond: 0, holdUs: 0 };

/** Units beyond what is allowed, and when the first were, in the time of the simulation. */
export interface Excess {
  readonly units: number;
  readonly trueUs: number;
}

/** Returns by how much admissions, in the order of time, go beyond a limit and the allowance at the worst. */
export function excessOf(
  limit: Limit,
  admissions: readonly Admission[],
  allowance: Allowance,
): Excess {
  let units = 0;
  let trueUs = 0;
  const { sinceUs = Number.POSITIVE_INFINITY, holdUs } = allowance;
  const used = usedOf(limit, Math.min(admissions[0]?.atUs ?? 0, sinceUs), holdUs);
  for (const admission of admissions) {
    const beyond = used(admission) - limit.limit - allowance.beyond;
    // Buckets are reckoned with fractions here, and in whole numbers where they decide.
    if (beyond <= 1e-3 || beyond <= units) continue;
    if (units === 0) trueUs = admission.trueUs;
    units = beyond;
  }
  return { units, trueUs };
}

/** Returns what says how much of a limit is in use after an admission. */
function usedOf(limit: Limit, startUs: number, holdUs: number): (admission: Admission) => number {
  switch (limit.algorithm) {
    case "token-bucket":
    case "leaky-bucket":
      return bucketUse(limit.periodUs / limit.units, startUs, holdUs);
    case "fixed-window":
      return windowUse((atUs) => Math.floor(atUs / limit.windowUs));
    case "calendar-window":
      return windowUse((atUs) => limit.calendar.boundariesAround(atUs)[1]!);
    case "sliding-window":
      return slidingUse(limit.windowUs);
    case "sliding-log":
      return logUse(limit.windowUs);
    case "concurrency":
      throw new Error("permits are not simulated");
  }
}

/** The most of: what is in use with what may be held over, and all that was ever taken less what came back. */
function bucketUse(unitUs: number, startUs: number, holdUs: number) {
  let total = 0;
  let backUs = 0;
  return ({ atUs, cost }: Admission) => {
    // Since 1970 there are so many microseconds that their fractions would be lost.
    const nowUs = atUs - startUs;
    total += cost;
    backUs = Math.max(backUs, nowUs) + cost * unitUs;
    const inUse = (backUs - nowUs - holdUs) / unitUs;
    return Math.max(inUse, total - nowUs / unitUs);
  };
}

function windowUse(windowOf: (atUs: number) => number) {
  let window = Number.NaN;
  let count = 0;
  return ({ atUs, cost }: Admission) => {
    const now = windowOf(atUs);
    count = now === window ? count + cost : cost;
    window = now;
    return count;
  };
}

function slidingUse(windowUs: number) {
  let window = Number.NaN;
  let count = 0;
  let before = 0;
  return ({ atUs, cost }: Admission) => {
    const now = Math.floor(atUs / windowUs);
    if (now !== window) {
      before = now === window + 1 ? count : 0;
      count = 0;
      window = now;
    }
    count += cost;
    const overlap = (now + 1) * windowUs - atUs;
    return count + Math.ceil((before * overlap) / windowUs - 1e-9);
  };
}

function logUse(windowUs: number) {
  const entries: Admission[] = [];
  let first = 0;
  let count = 0;
  return (admission: Admission) => {
    entries.push(admission);
    count += admission.cost;
    for (; entries[first]!.atUs <= admission.atUs - windowUs; first += 1) {
      count -= entries[first]!.cost;
    }
    return count;
  };
}

// Random traffic in the measure of a limit: bursts at one instant, waits of parts of its window and of the time that
// a unit takes, instants just before, at and after its boundaries, costs up to a little above it.

import fc from "fast-check";
import type { Limit } from "tidegate";
import type { ManualClock } from "./manual-clock.ts";

/** Some instant that no window begins at. */
export const START_US = Date.UTC(2026, 6, 1, 12, 34, 56, 789) * 1_000 + 123;

/** Histories of windows of a century end here: what is a century later is still exact in a double. */
const END_US = Date.UTC(2100, 0, 1) * 1_000;

/** Requests of one cost at one instant. */
export interface Burst {
  /** How long after the burst before, in windows, and in the time that one unit of a bucket takes. */
  readonly windows: number;
  readonly units: number;
  /** Whether at the next boundary from then on. */
  readonly aligned: boolean;
  /** And how many microseconds after that. */
  readonly us: number;
  /** The cost: a share of the limit, and units more. */
  readonly share: number;
  readonly cost: number;
  readonly times: number;
}

type When = Pick<Burst, "windows" | "units" | "aligned" | "us">;
type Cost = Pick<Burst, "share" | "cost">;

const NOW: When = { windows: 0, units: 0, aligned: false, us: 0 };
const beside = fc.integer({ min: -1, max: 1 });

const whenArbitrary: fc.Arbitrary<When> = fc.oneof(
  { arbitrary: fc.constant(NOW), weight: 2 },
  { arbitrary: fc.integer({ min: 1, max: 2_000 }).map((us) => ({ ...NOW, us })), weight: 1 },
  {
    arbitrary: fc
      .record({ units: fc.integer({ min: 1, max: 4 }), us: beside })
      .map((part) => ({ ...NOW, ...part })),
    weight: 2,
  },
  {
    arbitrary: fc.integer({ min: 1, max: 999 }).map((part) => ({ ...NOW, windows: part / 1_000 })),
    weight: 3,
  },
  {
    arbitrary: fc
      .record({ windows: fc.integer({ min: 0, max: 2 }), us: beside })
      .map((part) => ({ ...NOW, ...part, aligned: true })),
    weight: 2,
  },
  {
    arbitrary: fc
      .record({ windows: fc.integer({ min: 1, max: 3 }), us: beside })
      .map((part) => ({ ...NOW, ...part })),
    weight: 1,
  },
);

const costArbitrary: fc.Arbitrary<Cost> = fc.oneof(
  { arbitrary: fc.constant({ share: 0, cost: 1 }), weight: 5 },
  { arbitrary: fc.integer({ min: 0, max: 5 }).map((cost) => ({ share: 0, cost })), weight: 2 },
  {
    arbitrary: fc.integer({ min: 1, max: 10 }).map((tenths) => ({ share: tenths / 10, cost: 0 })),
    weight: 3,
  },
  { arbitrary: fc.integer({ min: 0, max: 1 }).map((cost) => ({ share: 1, cost })), weight: 1 },
);

const burstArbitrary: fc.Arbitrary<Burst> = fc
  .tuple(whenArbitrary, costArbitrary, fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 8 })))
  .map(([when, cost, times]) => ({ ...when, ...cost, times }));

/** A history of bursts. */
export const trafficArbitrary: fc.Arbitrary<Burst[]> = fc.array(burstArbitrary, {
  minLength: 1,
  maxLength: 30,
  size: "max",
});

/** Moves the clock through a history, and calls `ask` for each request. */
export function replay(
  traffic: readonly Burst[],
  limit: Limit,
  clock: ManualClock,
  ask: (cost: number) => void,
): void {
  for (const burst of traffic) {
    clock.setUs(instantOf(burst, limit, clock.now()));
    const cost = costOf(burst, limit);
    for (let time = 0; time < burst.times; time += 1) ask(cost);
  }
}

/** Returns the cost of a burst's requests. */
export function costOf({ share, cost }: Cost, { limit }: Limit): number {
  return Math.floor(share * limit) + cost;
}

/** Returns when a burst comes after `now`. */
export function instantOf({ windows, units, aligned, us }: When, limit: Limit, now: number) {
  const unitUs = Math.ceil(limit.windowUs / limit.limit);
  const then = now + Math.floor(windows * limit.windowUs) + units * unitUs;
  const instant = (aligned ? boundaryFrom(limit, then) : then) + us;
  return Math.max(instant < END_US ? instant : now, now);
}

/** Returns the next instant from `now` on at which a window begins. */
export function boundaryFrom(limit: Limit, now: number): number {
  if (limit.algorithm === "calendar-window") {
    const boundaries = limit.calendar.boundariesAround(now);
    return boundaries[1] === now ? now : boundaries[2]!;
  }
  return Math.ceil(now / limit.windowUs) * limit.windowUs;
}

/** Units that were admitted at an instant. */
export interface Admission {
  readonly at: number;
  readonly cost: number;
}

/** Returns the most units that were admitted in any span [t, t + spanUs). */
export function busiestSpan(admissions: readonly Admission[], spanUs: number): number {
  let busiest = 0;
  let sum = 0;
  let first = 0;
  for (const { at, cost } of admissions) {
    sum += cost;
    for (; admissions[first]!.at <= at - spanUs; first += 1) sum -= admissions[first]!.cost;
    busiest = Math.max(busiest, sum);
  }
  return busiest;
}

/** Returns the units that were admitted from `from` on and before `to`. */
export function unitsBetween(admissions: readonly Admission[], from: number, to: number): number {
  let sum = 0;
  for (const { at, cost } of admissions) if (at >= from && at < to) sum += cost;
  return sum;
}

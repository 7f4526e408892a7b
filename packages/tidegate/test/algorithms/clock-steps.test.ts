// Trap 15, a clock that is stepped back or forward, or a process that was paused: what each algorithm then admits at
// most (no flood), and how long it denies at most (no lock-out beyond one window more).

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  calendarWindow,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { ALGORITHMS, type Algorithm, COUNTING, limitArbitraries } from "../support/any-limit.ts";
import { createOpenKey, createTestKey } from "../support/test-key.ts";
import {
  type Burst,
  boundaryFrom,
  costOf,
  instantOf,
  START_US,
  trafficArbitrary,
} from "../support/traffic.ts";

/** By how much the clock is off from then on: thousandths of a window, and microseconds. */
interface Step {
  readonly thousandths: number;
  readonly us: number;
}

const stepsArbitrary = fc.array(
  fc.oneof(
    { arbitrary: fc.constant({ thousandths: 0, us: 0 }), weight: 3 },
    {
      arbitrary: fc.record({
        thousandths: fc.oneof(
          fc.integer({ min: -3_000, max: 3_000 }),
          fc.constantFrom(-3_000, -2_000, -1_000, 1_000, 2_000),
        ),
        us: fc.integer({ min: -1, max: 1 }),
      }),
      weight: 1,
    },
  ),
  { minLength: 30, maxLength: 30 },
);

const stepUs = ({ thousandths, us }: Step, { windowUs }: Limit) => {
  return Math.floor((windowUs / 1_000) * thousandths) + us;
};

interface Event {
  readonly trueUs: number;
  /** Units admitted; 0 for steps. */
  readonly cost: number;
  /** Below 0 for a step back, above for one forward; 0 for what is admitted. */
  readonly step: number;
}

/**
 * Runs a history on a clock that is stepped now and then, and returns what happened by the time that truly passed. A
 * store answers the same all along.
 * @param look is called with the key before and after each step, and after each request.
 */
function happenings(
  limit: Limit,
  traffic: readonly Burst[],
  steps: readonly Step[],
  look?: (key: ReturnType<typeof createOpenKey>, now: number, step: number) => void,
): Event[] {
  const key = createOpenKey(limit);
  const stored = createTestKey([limit]);
  const events: Event[] = [];
  let now = START_US;
  let trueUs = 0;
  traffic.forEach((burst, index) => {
    const then = instantOf(burst, limit, now);
    trueUs += then - now;
    // What looks sees brings the state to its instant, in the store as here.
    stored.clock.setUs(then);
    if (look !== undefined) stored.peek(0);
    look?.(key, then, 0);
    const step = stepUs(steps[index]!, limit);
    now = then + step;
    if (step !== 0) events.push({ trueUs, cost: 0, step });
    look?.(key, now, step);
    const cost = costOf(burst, limit);
    stored.clock.setUs(now);
    for (let time = 0; time < burst.times; time += 1) {
      const wait = key.waitUs(now, cost);
      const retryAfterMs = wait === Number.POSITIVE_INFINITY ? null : Math.ceil(wait / 1_000);
      assert.equal(stored.check(cost).retryAfterMs, retryAfterMs);
      if (key.take(now, cost, `p${index}.${time}`)) events.push({ trueUs, cost, step: 0 });
      look?.(key, now, 0);
    }
  });
  return events;
}

/** The longest that a cost within the limit is denied: without steps of the clock, and with. */
const LONGEST: Record<Algorithm, (limit: Limit, now: number) => { usual: number; most: number }> = {
  "token-bucket": ({ windowUs }) => ({ usual: windowUs, most: windowUs }),
  "leaky-bucket": ({ windowUs }) => ({ usual: windowUs, most: windowUs }),
  "fixed-window": ({ windowUs }) => ({ usual: windowUs, most: 2 * windowUs }),
  "sliding-window": ({ windowUs }) => ({ usual: 2 * windowUs, most: 3 * windowUs }),
  "sliding-log": ({ windowUs }) => ({ usual: windowUs, most: 2 * windowUs }),
  "calendar-window": (limit, now) => {
    assert.ok(limit.algorithm === "calendar-window");
    const boundaries = limit.calendar.boundariesAround(now);
    return { usual: boundaries[2]! - now, most: boundaries[3]! - now };
  },
  concurrency: ({ windowUs }) => ({ usual: windowUs, most: windowUs }),
};

for (const algorithm of ALGORITHMS) {
  test(`${algorithm}: no lock-out: after steps of the clock a wait is at most one window longer than ever`, () => {
    const seen = { denied: 0, longer: 0, never: 0 };
    fc.assert(
      fc.property(
        limitArbitraries(false)[algorithm],
        trafficArbitrary,
        stepsArbitrary,
        (limit, traffic, steps) => {
          happenings(limit, traffic, steps, (key, now) => {
            const { usual, most } = LONGEST[algorithm](limit, now);
            for (const cost of [1, limit.limit]) {
              const wait = key.waitUs(now, cost);
              assert.ok(wait <= most, `${wait} of ${most}`);
              if (wait > 0) seen.denied += 1;
              if (wait > usual) seen.longer += 1;
            }
          });
        },
      ),
      { numRuns: 300 },
    );
    assert.ok(seen.denied > 500, `${seen.denied} were denied`);
    const mayBeLonger = !["token-bucket", "leaky-bucket", "concurrency"].includes(algorithm);
    assert.equal(seen.longer > 0, mayBeLonger, `${seen.longer} waited for longer than ever`);
  });
}

for (const algorithm of ALGORITHMS) {
  const what = algorithm === "sliding-window" ? "some of the window before at most" : "nothing";
  test(`${algorithm}: no flood: a step back frees ${what}`, () => {
    const seen = { stepped: 0, far: 0 };
    fc.assert(
      fc.property(
        limitArbitraries(false)[algorithm],
        trafficArbitrary,
        stepsArbitrary,
        (limit, traffic, steps) => {
          let used = 0;
          let start = 0;
          let count = 0;
          happenings(limit, traffic, steps, (key, now, step) => {
            const far = algorithm === "sliding-window" && start - now > limit.windowUs;
            const stays = far ? count : used;
            if (step < 0) {
              assert.ok(key.used(now) >= stays, `${key.used(now)} in use, and before ${stays}`);
              if (stays > 0) seen[far ? "far" : "stepped"] += 1;
            }
            used = key.used(now);
            [start, count] = [key.numbers[0]!, key.numbers[1]!];
          });
        },
      ),
      { numRuns: 300 },
    );
    assert.ok(seen.stepped > 100, JSON.stringify(seen));
    assert.ok(algorithm !== "sliding-window" || seen.far > 50, JSON.stringify(seen));
  });
}

for (const algorithm of COUNTING.filter((name) => name !== "token-bucket")) {
  test(`${algorithm}: a key that was given all back is as if never used, also after a step back`, () => {
    const stepArbitrary = fc.integer({ min: -2_500, max: 0 });
    fc.assert(
      fc.property(limitArbitraries(false)[algorithm], stepArbitrary, (limit, thousandths) => {
        const key = createOpenKey(limit);
        const fresh = createOpenKey(limit);
        assert.ok(key.take(START_US, limit.limit));
        key.give(START_US, limit.limit);
        const now = START_US + stepUs({ thousandths, us: 0 }, limit);
        for (const one of [key, fresh]) assert.ok(one.take(now, limit.limit));
        assert.equal(key.waitUs(now, limit.limit), fresh.waitUs(now, limit.limit));
        assert.equal(key.resetUs(now), fresh.resetUs(now));
      }),
      { numRuns: 100 },
    );
  });
}

/** What is admitted at most in the true time of a window, with so many steps in it. */
const FLOODS: [Algorithm, (limit: number, forward: number, back: number) => number][] = [
  ["token-bucket", (limit, forward) => (2 + forward) * limit],
  ["leaky-bucket", (limit, forward) => (2 + forward) * limit],
  ["fixed-window", (limit, forward, back) => (2 + 2 * forward + back) * limit],
  ["calendar-window", (limit, forward, back) => (2 + 2 * forward + back) * limit],
  ["sliding-window", (limit, forward, back) => (1 + forward + back) * (2 * limit - 1)],
  ["sliding-log", (limit, forward) => (1 + forward) * limit],
];

for (const [algorithm, mostOf] of FLOODS) {
  test(`${algorithm}: no flood: in the time of a window each step adds at most as much as is admitted anyway`, () => {
    const seen = { steps: 0, beyond: 0 };
    fc.assert(
      fc.property(
        limitArbitraries(false)[algorithm],
        trafficArbitrary,
        stepsArbitrary,
        (limit, traffic, steps) => {
          const events = happenings(limit, traffic, steps);
          // No day in these zones is shorter; the others' windows all are as long.
          const spanUs = limit.windowUs - (algorithm === "calendar-window" ? 3_600_000_000 : 0);
          const span = { cost: 0, forward: 0, back: 0 };
          const count = ({ cost, step }: Event, sign: number) => {
            span.cost += sign * cost;
            if (step > 0) span.forward += sign;
            if (step < 0) span.back += sign;
          };
          let first = 0;
          for (const event of events) {
            count(event, 1);
            for (; events[first]!.trueUs <= event.trueUs - spanUs; first += 1) {
              count(events[first]!, -1);
            }
            const { cost, forward, back } = span;
            const most = mostOf(limit.limit, forward, back);
            assert.ok(cost <= most, `${cost} of ${most}, ${forward} forward, ${back} back`);
            seen.steps += forward + back;
            if (cost > mostOf(limit.limit, 0, 0)) seen.beyond += 1;
          }
        },
      ),
      { numRuns: 300 },
    );
    assert.ok(seen.steps > 500, `${seen.steps} steps were in spans`);
    assert.ok(seen.beyond > 0, `${seen.beyond} spans held more than without steps`);
  });
}

/** A limit of 10 a minute; how far back the clock is stepped right after all was taken; the wait for a unit then. */
const WITNESSES: [string, Limit, number, number][] = [
  ["token bucket", tokenBucket({ capacity: 10, refill: "10/m" }), -3_600_000, 6_000],
  ["leaky bucket", leakyBucket({ queue: 9, rate: "10/m" }), -3_600_000, 6_000],
  ["fixed window", fixedWindow({ limit: 10, window: "1m" }), -60_000, 120_000],
  ["fixed window, farther", fixedWindow({ limit: 10, window: "1m" }), -60_000.001, 0.001],
  ["sliding window", slidingWindow({ limit: 10, window: "1m" }), -60_000, 126_000],
  ["sliding log", slidingLog({ limit: 10, window: "1m" }), -60_000, 120_000],
  ["sliding log, farther", slidingLog({ limit: 10, window: "1m" }), -60_000.001, 60_000],
  ["day", calendarWindow({ limit: 10, per: "day" }), -86_400_000, 172_800_000],
  ["day, farther", calendarWindow({ limit: 10, per: "day" }), -86_400_000.001, 0.001],
];

for (const [name, limit, steppedMs, waitMs] of WITNESSES) {
  test(`tight: ${name}: all taken as a window begins, the clock stepped back ${-steppedMs} ms`, () => {
    const key = createOpenKey(limit);
    const day = calendarWindow({ limit: 1, per: "day" });
    const start = boundaryFrom(day, START_US);
    assert.ok(key.take(start, 10));
    const now = start + Math.round(steppedMs * 1_000);
    assert.equal(key.waitUs(now, 1), Math.round(waitMs * 1_000));
    assert.equal(key.used(now), 10);
  });
}

test("tight: fixed window: four times the limit within microseconds and one step forward, three with one back", () => {
  const limit = fixedWindow({ limit: 10, window: "1m" });
  const boundary = boundaryFrom(limit, START_US);
  const before = (minutes: number) => boundary + minutes * 60_000_000 - 1;
  for (const [minutes, admitted] of [
    [5, 4],
    [-5, 3],
  ] as const) {
    const key = createOpenKey(limit);
    let batches = 0;
    for (const now of [before(0), boundary, before(minutes), before(minutes) + 1]) {
      if (key.take(now, 10)) batches += 1;
      assert.equal(key.take(now, 1), false);
    }
    assert.equal(batches, admitted);
  }
});

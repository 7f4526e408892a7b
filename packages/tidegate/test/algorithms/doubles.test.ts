// Trap 19, doubles: at 1.7e15 microseconds a step is a quarter. A billion units, windows of a century and millions of
// units a second are decided beside exact integers, and nothing drifts. Buckets have their own oracle beside this.

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
} from "tidegate";
import { createOpenKey, createTestKey } from "../support/test-key.ts";
import { boundaryFrom, START_US } from "../support/traffic.ts";
import { ceilDivide } from "./bucket-oracle.ts";

const CENTURY_MS = 36_500 * 86_400_000;
/** Three windows of these 95 years end before 2^53 microseconds. */
const LONGEST_MS = 3_000_000_000_000;
const BILLION = 1_000_000_000;
const EXACT = 2 ** 52;

/** A counter with units in the window before, and how much of its window is left. */
const weighedArbitrary = fc
  .record({
    windowMs: fc.oneof(
      fc.constantFrom(1, 1_000, 60_000, 3_600_000, 86_400_000, LONGEST_MS),
      fc.integer({ min: 1, max: LONGEST_MS }),
      fc.integer({ min: 1, max: 10_000_000 }),
    ),
    units: fc.oneof(
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: BILLION }),
      fc.integer({ min: BILLION - 100, max: BILLION }),
    ),
    part: fc.bigInt({ min: 0n, max: 1_000_000_000_000n }),
    /** Beside an instant at which a whole number of units counts, where rounding shows. */
    beside: fc.option(fc.integer({ min: -2, max: 2 })),
  })
  .map(({ windowMs, units, part, beside }) => {
    const windowUs = windowMs * 1_000;
    const leftUs = (BigInt(windowUs) * part) / 1_000_000_000_000n;
    if (beside === null) return { windowMs, units, leftUs: Number(leftUs) };
    const whole = (BigInt(units) * leftUs) / BigInt(windowUs);
    const there = Number((whole * BigInt(windowUs)) / BigInt(units)) + beside;
    return { windowMs, units, leftUs: Math.min(Math.max(there, 0), windowUs) };
  });

test("sliding window: weighs exactly while units × microseconds stay below 2^52, and else off by one at most", () => {
  const seen = { exact: 0, large: 0, off: 0 };
  fc.assert(
    fc.property(weighedArbitrary, ({ windowMs, units, leftUs }) => {
      const limit = slidingWindow({ limit: BILLION, window: windowMs });
      const { windowUs } = limit;
      const key = createOpenKey(limit);
      const start = windowUs;
      key.numbers.set([start, 0, units]);
      if (leftUs === 0) return;
      const used = key.used(start + windowUs - leftUs);
      const exact = Number(ceilDivide(BigInt(units) * BigInt(leftUs), BigInt(windowUs)));
      assert.ok(Math.abs(used - exact) <= 1, `${used} for ${exact}`);
      assert.ok(used > 0 && used <= units, "never nothing before the window is over, never more");
      if (units * windowUs < EXACT) {
        assert.equal(used, exact);
        seen.exact += 1;
      } else {
        seen.large += 1;
        if (used !== exact) seen.off += 1;
      }
    }),
    {
      numRuns: 10_000,
      // The quotient comes out above the units.
      examples: [[{ windowMs: LONGEST_MS, units: 999_999_925, leftUs: 1_000 * LONGEST_MS }]],
    },
  );
  assert.ok(seen.exact > 1_000 && seen.large > 1_000 && seen.off > 0, JSON.stringify(seen));
});

test("sliding window: waits are exact to the microsecond by what it weighs, whatever the numbers", () => {
  let waited = 0;
  const askedArbitrary = fc.record({
    /** Of the limit, in thousandths. */
    cost: fc.integer({ min: 1, max: 1_000 }),
    /** What this window has taken, in quarters. */
    taken: fc.nat(3),
    /** How much more the limit is than the units of the window before. */
    more: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000 })),
  });
  fc.assert(
    fc.property(weighedArbitrary, askedArbitrary, (weighed, { cost, taken, more }) => {
      const { windowMs, units, leftUs } = weighed;
      const limit = slidingWindow({ limit: Math.min(units + more, BILLION), window: windowMs });
      const key = createOpenKey(limit);
      const start = limit.windowUs;
      key.numbers.set([start, Math.floor((units * taken) / 4), units]);
      const now = start + limit.windowUs - Math.max(leftUs, 1);
      for (const asked of [Math.ceil((units * cost) / 1_000), Math.max(limit.limit - units, 1)]) {
        const wait = key.waitUs(now, asked);
        assert.ok(wait >= 0);
        if (wait === 0) continue;
        assert.notEqual(key.waitUs(now + wait - 1, asked), 0, "a microsecond before");
        assert.equal(key.waitUs(now + wait, asked), 0);
        assert.ok(key.used(now + wait) + asked <= limit.limit);
        waited += 1;
        return;
      }
    }),
    {
      numRuns: 3_000,
      // The estimate of how much may be left comes out a microsecond too high.
      examples: [
        [
          { windowMs: 1_641_887_133_002, units: 121, leftUs: 1_200_000_000_000_000 },
          { cost: 347, taken: 0, more: 0 },
        ],
      ],
    },
  );
  assert.ok(waited > 1_000, `${waited} denials were waited for`);
});

const LARGE: [string, Limit, number][] = [
  ["fixed window", fixedWindow({ limit: BILLION, window: CENTURY_MS }), 36_500],
  ["sliding window", slidingWindow({ limit: BILLION, window: CENTURY_MS }), 2 * 36_500],
  ["sliding log", slidingLog({ limit: 1_000_000, window: CENTURY_MS }), 36_500],
  ["calendar window", calendarWindow({ limit: BILLION, per: "month" }), 31],
];

for (const [name, limit, days] of LARGE) {
  test(`${name}: the largest limit, taken in a thousand uneven parts, is full to the unit`, () => {
    const key = createTestKey([limit]);
    let left = limit.limit;
    for (let part = 1; part < 1_000; part += 1) {
      key.clock.setUs(key.clock.now() + 1);
      const cost = Math.floor((left * (part % 7)) / 1_000) + 1;
      left -= cost;
      const decision = key.check(cost);
      assert.equal(decision.allowed, true);
      assert.equal(decision.remaining, left);
    }
    assert.equal(key.check(left + 1).allowed, false);
    const last = key.check(left);
    assert.equal(last.remaining, 0);
    assert.equal(key.check(1).allowed, false);
    assert.ok(last.resetAfterMs <= days * 86_400_000, `${last.resetAfterMs}`);
    key.clock.advanceMs(last.resetAfterMs - 1);
    assert.ok(key.peek(0).remaining < limit.limit, "1 ms before");
    key.clock.advanceMs(1);
    assert.equal(key.check(limit.limit).allowed, true);
  });
}

/** Limits that are asked all the time for so many windows, and how much each then admits in all. */
const LONG: [string, Limit, number, number][] = [
  ["fixed window", fixedWindow({ limit: 3, window: "7ms" }), 7_000, 3 * 10_000],
  ["sliding window", slidingWindow({ limit: 3, window: "7ms" }), 7_000, 3 + 2 * 9_999],
  ["sliding log", slidingLog({ limit: 3, window: "7ms" }), 7_000, 3 * 10_000],
  // Two at once, and then 3 in each 7 ms.
  ["leaky bucket", leakyBucket({ queue: 1, rate: "3/7ms" }), 7_000, 2 + 3 * 10_000 - 1],
];

for (const [name, limit, windowUs, total] of LONG) {
  test(`${name}: no drift over ten thousand windows of seven milliseconds`, () => {
    const key = createOpenKey(limit);
    const start = boundaryFrom(fixedWindow({ limit: 1, window: windowUs / 1_000 }), START_US);
    const end = start + 10_000 * windowUs;
    let admitted = 0;
    for (let now = start; now < end; now += Math.max(key.waitUs(now, 1), 1)) {
      while (admitted <= total && key.take(now, 1)) admitted += 1;
    }
    assert.equal(admitted, total);
  });
}

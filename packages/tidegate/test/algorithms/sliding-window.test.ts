// What the sliding window counter promises, over every window. Of limit L and windows of W: in a span [t, t + W) that
// begins at the fraction f of an aligned window in which P units were taken, A of them in the span, it admits at most
// L + A - ceil(P (1 - f)). So L where the window before was evenly busy or busier at its beginning, never more than
// L + floor(P f), and at most 2 L - 1. And how much later than an exact log it admits: up to W.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { slidingWindow } from "tidegate";
import { admissionsOf, createOpenKey } from "../support/test-key.ts";
import {
  type Admission,
  boundaryFrom,
  costOf,
  instantOf,
  START_US,
  trafficArbitrary,
  unitsBetween,
} from "../support/traffic.ts";
import { ceilDivide } from "./bucket-oracle.ts";

const ruleArbitrary = fc.record({
  limit: fc.oneof(
    { arbitrary: fc.integer({ min: 1, max: 12 }), weight: 4 },
    { arbitrary: fc.integer({ min: 1, max: 100_000 }), weight: 1 },
  ),
  window: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.constantFrom(60_000, 3_600_000)),
});

test("in any span what the window before had more in its last part than on average, beyond the limit", () => {
  let beyond = 0;
  let unevenly = 0;
  fc.assert(
    fc.property(ruleArbitrary, trafficArbitrary, (rule, traffic) => {
      const limit = slidingWindow(rule);
      const { windowUs } = limit;
      const admitted = admissionsOf([limit], traffic);
      for (const { at } of admitted) {
        // Of all spans that end with this admission the longest, [t, t + W).
        const t = at - windowUs + 1;
        const start = at - (at % windowUs);
        const before = unitsBetween(admitted, start - windowUs, start);
        const late = unitsBetween(admitted, t, start);
        const sum = late + unitsBetween(admitted, start, at + 1);
        assert.ok(sum - late <= rule.limit, "in the aligned window at most the limit");
        // 1 - f of the window before is in the span.
        const average = Number(ceilDivide(BigInt(before) * BigInt(start - t), BigInt(windowUs)));
        const bound = rule.limit + late - average;
        assert.ok(sum <= bound, `${sum} of ${bound}`);
        assert.ok(bound <= 2 * rule.limit && sum <= 2 * rule.limit - 1);
        if (sum > rule.limit) beyond += 1;
        if (bound > rule.limit) unevenly += 1;
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(beyond > 100, `${beyond} spans held more than the limit`);
  assert.ok(unevenly > 300, `${unevenly} spans had to allow for that`);
});

test("tight: L + floor(P f) to the microsecond, in a span that begins anywhere, and so 2 L - 1", () => {
  let most = 0;
  fc.assert(
    fc.property(
      ruleArbitrary,
      fc.integer({ min: 1, max: 999 }),
      fc.integer({ min: 1, max: 10 }),
      (rule, thousandths, tenths) => {
        const limit = slidingWindow(rule);
        const { windowUs } = limit;
        const key = createOpenKey(limit);
        const boundary = boundaryFrom(limit, START_US);
        const intoUs = (windowUs / 1_000) * thousandths;
        const t = boundary - windowUs + intoUs;
        const before = Math.ceil((rule.limit * tenths) / 10);
        assert.ok(key.take(t, before));
        // The last instant of [t, t + W) is a microsecond less far into its window than t is.
        const last = t + windowUs - 1;
        const gone = Number((BigInt(before) * BigInt(intoUs - 1)) / BigInt(windowUs));
        const rest = rule.limit - before + gone;
        assert.ok(rest === 0 || key.take(last, rest));
        assert.equal(key.take(last, 1), false, "and no more");
        if (before + rest === 2 * rule.limit - 1) most += 1;
      },
    ),
    { numRuns: 1_000 },
  );
  assert.ok(most > 40, `${most} histories reached 2 L - 1`);
});

test("even traffic: at most the limit in any span, whatever comes after it", () => {
  let full = 0;
  fc.assert(
    fc.property(
      ruleArbitrary,
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 0, max: 999 }),
      trafficArbitrary,
      (rule, tenths, offset, traffic) => {
        const limit = slidingWindow(rule);
        const { windowUs } = limit;
        const units = Math.ceil((Math.min(rule.limit, 200) * tenths) / 10);
        const key = createOpenKey(limit);
        const boundary = boundaryFrom(limit, START_US);
        const admitted: Admission[] = [];
        // Evenly spaced through one window, from some instant of it on.
        for (let index = 0; index < units; index += 1) {
          const at = boundary + Math.floor((windowUs * (index + offset / 1_000)) / units);
          assert.ok(key.take(at, 1));
          admitted.push({ at, cost: 1 });
        }
        const next = boundary + windowUs;
        let now = next;
        for (const burst of traffic) {
          now = instantOf(burst, limit, now);
          const cost = costOf(burst, limit);
          for (let time = 0; time < burst.times; time += 1) {
            if (now < next + windowUs && key.take(now, cost)) admitted.push({ at: now, cost });
          }
        }
        for (const { at } of admitted) {
          const sum = unitsBetween(admitted, at - windowUs + 1, at + 1);
          assert.ok(sum <= rule.limit, `${sum} of ${rule.limit}`);
          if (at >= next && sum === rule.limit) full += 1;
        }
      },
    ),
    { numRuns: 800 },
  );
  assert.ok(full > 80, `${full} spans across the boundary held the whole limit`);
});

/** When a log of what was admitted has room for `cost` again. */
function logAdmitsAt(admitted: readonly Admission[], most: number, now: number, windowUs: number) {
  let at = now;
  let used = unitsBetween(admitted, now - windowUs + 1, now + 1);
  for (const one of admitted) {
    if (used <= most) break;
    if (one.at <= now - windowUs) continue;
    used -= one.cost;
    at = one.at + windowUs;
  }
  return at;
}

test("a denial: of n units of a window the m-th is back m / n into the next, so up to a window after a log's", () => {
  let later = 0;
  let earlier = 0;
  fc.assert(
    fc.property(ruleArbitrary, trafficArbitrary, (rule, traffic) => {
      const limit = slidingWindow(rule);
      const { windowUs } = limit;
      const key = createOpenKey(limit);
      const admitted: Admission[] = [];
      let now = START_US;
      for (const burst of traffic) {
        now = instantOf(burst, limit, now);
        const cost = costOf(burst, limit);
        for (let time = 0; time < burst.times; time += 1) {
          if (key.take(now, cost)) admitted.push({ at: now, cost });
        }
        const wait = key.waitUs(now, cost);
        if (wait === 0 || wait === Number.POSITIVE_INFINITY) continue;
        const start = now - (now % windowUs);
        const before = unitsBetween(admitted, start - windowUs, start);
        const count = unitsBetween(admitted, start, now + 1);
        const missing = before + count + cost - rule.limit;
        const [from, units, index] =
          missing <= before
            ? [start, before, missing]
            : [start + windowUs, count, missing - before];
        const share = Number(ceilDivide(BigInt(index) * BigInt(windowUs), BigInt(units)));
        assert.equal(now + wait, from + share);
        const logAt = logAdmitsAt(admitted, rule.limit - cost, now, windowUs);
        assert.ok(now + wait - logAt <= share, `${now + wait - logAt} us later`);
        assert.ok(logAt - now - wait < windowUs, `${logAt - now - wait} us earlier`);
        if (now + wait > logAt) later += 1;
        if (now + wait < logAt) earlier += 1;
      }
    }),
    { numRuns: 1_000 },
  );
  assert.ok(later > 300, `${later} were denied for longer than by a log`);
  assert.ok(earlier > 100, `${earlier} were denied for a shorter time`);
});

test("tight: the limit taken as a window begins is back a whole window after a log's, its first unit W / L", () => {
  const limit = slidingWindow({ limit: 10, window: "1s" });
  const boundary = boundaryFrom(limit, START_US);
  for (const [cost, backUs] of [
    [1, 1_100_000],
    [5, 1_500_000],
    [10, 2_000_000],
  ] as const) {
    const key = createOpenKey(limit);
    assert.ok(key.take(boundary, 10));
    assert.equal(key.waitUs(boundary + 999_999, cost), backUs - 999_999, "a log's is 1");
  }
});

test("a key that asks all the time is given L - 1 a window in the long run, with L = 1 every other window 1", () => {
  for (const units of [1, 2, 3, 7, 1_000]) {
    const limit = slidingWindow({ limit: units, window: "1s" });
    const key = createOpenKey(limit);
    const boundary = boundaryFrom(limit, START_US);
    const perWindow = Array.from({ length: 8 }, () => 0);
    for (let now = boundary; now < boundary + 8_000_000; ) {
      const window = Math.floor((now - boundary) / 1_000_000);
      while (perWindow[window]! <= units && key.take(now, 1)) perWindow[window]! += 1;
      now += Math.max(key.waitUs(now, 1), 1);
    }
    const expected =
      units === 1
        ? [1, 0, 1, 0, 1, 0, 1, 0]
        : [units, ...Array.from({ length: 7 }, () => units - 1)];
    assert.deepEqual(perWindow, expected);
  }
});

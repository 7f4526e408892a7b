// What the sliding window log promises: at most the limit in any span [t, t + W), denied exactly where it would be
// more, and never more entries than units of the limit, and one in debt, whatever happens to it.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Limit, slidingLog } from "tidegate";
import { EntryLog } from "../../src/algorithms/entry-log.ts";
import { createOpenKey, createTestKey, type OpenKey } from "../support/test-key.ts";
import {
  type Admission,
  busiestSpan,
  costOf,
  instantOf,
  replay,
  START_US,
  trafficArbitrary,
  unitsBetween,
} from "../support/traffic.ts";

const ruleArbitrary = fc.record({
  limit: fc.oneof(
    { arbitrary: fc.integer({ min: 1, max: 12 }), weight: 4 },
    { arbitrary: fc.integer({ min: 1, max: 1_000_000 }), weight: 1 },
  ),
  window: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.constantFrom(60_000, 86_400_000)),
});

test("in any span at most the limit; denied exactly where it would be more", () => {
  let denied = 0;
  let full = 0;
  fc.assert(
    fc.property(ruleArbitrary, trafficArbitrary, (rule, traffic) => {
      const limit = slidingLog(rule);
      const key = createTestKey([limit]);
      const admitted: Admission[] = [];
      replay(traffic, limit, key.clock, (cost) => {
        const now = key.clock.now();
        const used = unitsBetween(admitted, now - limit.windowUs + 1, now + 1);
        const decision = key.check(cost);
        assert.equal(decision.allowed, cost === 0 || used + cost <= rule.limit);
        if (decision.allowed) admitted.push({ at: now, cost });
        else if (cost <= rule.limit) denied += 1;
        assert.equal(decision.remaining, rule.limit - used - (decision.allowed ? cost : 0));
      });
      const most = busiestSpan(admitted, limit.windowUs);
      assert.ok(most <= rule.limit, `${most} of ${rule.limit}`);
      if (most === rule.limit) full += 1;
    }),
    { numRuns: 600 },
  );
  assert.ok(denied > 600, `${denied} were denied for now`);
  assert.ok(full > 300, `${full} histories had a span that held the whole limit`);
});

test("tight: the limit in every window, unit by unit or at once, as each is exactly a window old", () => {
  fc.assert(
    fc.property(
      ruleArbitrary,
      fc.uniqueArray(fc.integer({ min: 1, max: 999 }), { maxLength: 8 }),
      (rule, thousandths) => {
        const limit = slidingLog(rule);
        const key = createOpenKey(limit);
        const admitted: Admission[] = [];
        const offsets = [0, ...thousandths].sort((a, b) => a - b);
        const units = Math.min(offsets.length, rule.limit);
        for (let round = 0; round < 3; round += 1) {
          for (let index = 0; index < units; index += 1) {
            const into = Math.floor((limit.windowUs * offsets[index]!) / 1_000);
            const at = START_US + round * limit.windowUs + into;
            const cost = index === 0 ? rule.limit - units + 1 : 1;
            if (round > 0) assert.equal(key.take(at - 1, cost), false, "a microsecond before");
            assert.ok(key.take(at, cost));
            admitted.push({ at, cost });
          }
        }
        assert.equal(busiestSpan(admitted, limit.windowUs), rule.limit);
      },
    ),
    { numRuns: 200 },
  );
});

type Act = "take" | "charge" | "give" | "give-last" | "soft" | "raise" | "lower" | "step-back";

const actsArbitrary = fc.array(
  fc.constantFrom<Act[]>(
    ...(["take", "take", "take", "take", "charge", "charge", "give", "give-last"] as const),
    ...(["soft", "raise", "lower", "step-back"] as const),
  ),
  { minLength: 30, maxLength: 30 },
);

/** What must hold of a log at any time. */
function checkLog({ log, numbers }: OpenKey, most: number) {
  assert.ok(log.size <= most, `${log.size} entries of ${most}`);
  let sum = 0;
  for (let index = 0; index < log.size; index += 1) {
    assert.ok(log.unitsAt(index) >= 1);
    assert.ok(index === 0 || log.timeAt(index) > log.timeAt(index - 1), "one entry an instant");
    sum += log.unitsAt(index);
  }
  const ends = log.size === 0 ? [0, 0] : [log.timeAt(log.size - 1), log.timeAt(0)];
  assert.deepEqual([...numbers], [sum, ...ends]);
}

/** Does one thing to a log. */
function act(
  key: OpenKey & { limit: Limit },
  kind: Act,
  now: number,
  cost: number,
  taken: number[],
) {
  switch (kind) {
    case "take":
      if (key.take(now, cost)) taken.push(now);
      break;
    case "charge":
      key.charge(now, cost);
      break;
    case "give":
      key.give(now, cost, taken.at(-2) ?? now);
      break;
    case "give-last":
      key.give(now, cost);
      break;
    case "soft":
      key.limit = slidingLog({ ...ruleOf(key.limit), soft: true });
      key.take(now, cost);
      key.limit = slidingLog(ruleOf(key.limit));
      break;
    case "raise":
      key.limit = slidingLog({ ...ruleOf(key.limit), limit: key.limit.limit + 3 });
      break;
    case "lower":
      key.limit = slidingLog({ ...ruleOf(key.limit), limit: Math.ceil(key.limit.limit / 2) });
      break;
    case "step-back":
      break;
  }
}

function ruleOf({ limit, windowUs }: Limit) {
  return { limit, window: windowUs / 1_000 };
}

test("never more entries than the limit, and one in debt: charged, given back, changed, or stepped back", () => {
  let filled = 0;
  let inDebt = 0;
  fc.assert(
    fc.property(
      fc.record({
        limit: fc.integer({ min: 1, max: 8 }),
        window: fc.integer({ min: 1, max: 500 }),
      }),
      trafficArbitrary,
      actsArbitrary,
      (rule, traffic, acts) => {
        const key = createOpenKey(slidingLog(rule));
        const taken: number[] = [];
        let now = START_US;
        let most = 0;
        traffic.forEach((burst, index) => {
          const kind = acts[index]!;
          now = instantOf(burst, key.limit, now);
          if (kind === "step-back") now -= Math.floor(burst.share * 3 * key.limit.windowUs);
          for (let time = 0; time < burst.times; time += 1) {
            act(key, kind, now, costOf(burst, key.limit), taken);
            // In debt there is one more; under a lower limit, those of the one before, fewer and fewer.
            const debt = key.numbers[0]! > key.limit.limit ? 1 : 0;
            checkLog(key, Math.max(key.limit.limit + debt, most));
            most = key.log.size;
            if (key.log.size === key.limit.limit) filled += 1;
            if (key.numbers[0]! > key.limit.limit) inDebt += 1;
            now += kind === "take" ? 1 : 0;
          }
        });
      },
    ),
    { numRuns: 1_000 },
  );
  assert.ok(filled > 500, `${filled} times it was full of entries`);
  assert.ok(inDebt > 500, `${inDebt} times more than the limit was in use`);
});

test("what is taken at one instant shares an entry, and a full log has one more for all that it is charged", () => {
  const key = createOpenKey(slidingLog({ limit: 5, window: "1s" }));
  for (let time = 0; time < 3; time += 1) assert.ok(key.take(START_US, 1));
  assert.equal(key.log.size, 1);
  assert.ok(key.take(START_US + 1, 1));
  assert.ok(key.take(START_US + 2, 1));
  assert.equal(key.log.size, 3);
  const full = createOpenKey(slidingLog({ limit: 3, window: "1s" }));
  for (let time = 0; time < 3; time += 1) assert.ok(full.take(START_US + time, 1));
  for (const after of [400_000, 500_000]) full.charge(START_US + after, 1);
  assert.equal(full.log.size, 4);
  assert.equal(full.log.timeAt(3), START_US + 500_000, "of the later instant, for all its units");
  assert.equal(full.log.unitsAt(3), 2);
});

test("the ring keeps order while it grows, wraps around, and drops from both ends and the middle", () => {
  let grown = 0;
  const stepArbitrary = fc.oneof(
    { arbitrary: fc.constant("push"), weight: 6 },
    { arbitrary: fc.constant("oldest"), weight: 3 },
    { arbitrary: fc.nat(20), weight: 1 },
    { arbitrary: fc.constant("clear"), weight: 1 },
  );
  fc.assert(
    fc.property(fc.array(stepArbitrary, { minLength: 60, maxLength: 120 }), (steps) => {
      const log = new EntryLog();
      const model: [number, number][] = [];
      steps.forEach((step, index) => {
        if (step === "clear" && index % 10 === 0) {
          log.clear();
          model.length = 0;
        } else if (step === "oldest" && model.length > 0) {
          log.dropOldest();
          model.shift();
        } else if (typeof step === "number" && step < model.length) {
          log.drop(step);
          model.splice(step, 1);
        } else {
          log.push(index, step === "push" ? 1 : 2);
          model.push([index, step === "push" ? 1 : 2]);
        }
        const seen = model.map((_entry, at) => [log.timeAt(at), log.unitsAt(at)]);
        assert.deepEqual(seen, model);
        assert.equal(log.size, model.length);
        if (model.length > 16) grown += 1;
      });
    }),
    { numRuns: 300 },
  );
  assert.ok(grown > 300, `${grown} times it held more than 16`);
});

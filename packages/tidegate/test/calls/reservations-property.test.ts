// However reservations, settlements and checks interleave: what was really used keeps the limit, at every
// instant, as if the true amounts had been taken at once. What is settled late must not free what others use.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fixedWindow, type Limit, memoryStore, slidingLog, tokenBucket } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import { createManualClock } from "../support/manual-clock.ts";

interface Use {
  readonly atUs: number;
  units: number;
}

const steps = fc.array(
  fc.record({
    gapMs: fc.oneof(fc.constantFrom(0, 0, 100, 500), fc.nat(400), fc.constant(3_000)),
    act: fc.constantFrom("check", "reserve", "reserve", "settle", "settle"),
    units: fc.integer({ min: 1, max: 10 }),
    /** Which reservation is settled, and to which share of its estimate. */
    which: fc.nat(8),
    share: fc.constantFrom(0, 0.5, 1),
  }),
  { minLength: 2, maxLength: 40 },
);
type Steps = typeof steps extends fc.Arbitrary<infer Value> ? Value : never;

/** Runs the steps over one limit, and returns what was used in truth, in order, and what is left. */
function run(limit: Limit, history: Steps): { uses: Use[]; remaining: number } {
  const clock = createManualClock();
  const store = memoryStore({ clock });
  const policy = createPolicy("api", { limits: [limit] });
  const part = (cost: number) => ({ policy, key: "a", cost });
  const uses: Use[] = [];
  const open: { readonly id: string; readonly use: Use }[] = [];
  for (const [index, { gapMs, act, units, which, share }] of history.entries()) {
    clock.advanceMs(gapMs);
    const use = { atUs: clock.now(), units };
    if (act === "check") {
      if (store.decide(policy, "a", units, true).allowed) uses.push(use);
    } else if (act === "reserve") {
      const id = `r${index}`;
      const record = { id, ttlUs: 86_400_000_000 };
      const receiptUs = record.ttlUs;
      const { done } = store.run({ kind: "take", parts: [part(units)], record, receiptUs });
      if (done) uses.push(use);
      if (done) open.push({ id, use });
    } else {
      const [settled] = open.splice(which % Math.max(open.length, 1), 1);
      if (settled === undefined) continue;
      settled.use.units = Math.floor(settled.use.units * share);
      store.run({ kind: "settle", part: part(settled.use.units), id: settled.id });
    }
  }
  return { uses, remaining: store.decide(policy, "a", 0, false).remaining };
}

function usesOf(limit: Limit, history: Steps): Use[] {
  return run(limit, history).uses;
}

/** The most units that lie in one span of `windowUs`. */
function mostIn(uses: readonly Use[], isTogether: (first: Use, other: Use) => boolean): number {
  const sums = uses.map((first) => {
    const together = uses.filter((other) => isTogether(first, other));
    return together.reduce((sum, { units }) => sum + units, 0);
  });
  return Math.max(0, ...sums);
}

for (const refill of ["10/s", "7/s", "3/2s", "100/s"]) {
  test(`a bucket of 10 at ${refill} is never used beyond what it had`, () => {
    const [, units, seconds] = /^(\d+)\/(\d*)s$/.exec(refill)!;
    const perUs = Number(units) / (Number(seconds || 1) * 1_000_000);
    fc.assert(
      fc.property(steps, (history) => {
        const uses = usesOf(tokenBucket({ capacity: 10, refill }), history);
        let available = 10;
        let last = 0;
        for (const { atUs, units: used } of uses) {
          available = Math.min(10, available + (atUs - last) * perUs) - used;
          last = atUs;
          assert.ok(available > -1e-3, `${-available} too many in use`);
        }
      }),
      { numRuns: 10_000 },
    );
  });
}

test("a fixed window and a log of 10 are never used beyond it", () => {
  const windowUs = 1_000_000;
  const sameWindow = (a: Use, b: Use) => {
    return Math.floor(a.atUs / windowUs) === Math.floor(b.atUs / windowUs);
  };
  const within = (a: Use, b: Use) => b.atUs >= a.atUs && b.atUs < a.atUs + windowUs;
  fc.assert(
    fc.property(steps, (history) => {
      const window = usesOf(fixedWindow({ limit: 10, window: "1s" }), history);
      assert.ok(mostIn(window, sameWindow) <= 10);
      const log = usesOf(slidingLog({ limit: 10, window: "1s" }), history);
      assert.ok(mostIn(log, within) <= 10);
    }),
    { numRuns: 10_000 },
  );
});

test("where no time passes, what is in use is the sum of what was used, in whatever order it is settled", () => {
  const limits = [
    fixedWindow({ limit: 150, window: "1s" }),
    slidingLog({ limit: 150, window: "1s" }),
    tokenBucket({ capacity: 150, refill: "7/s" }),
    tokenBucket({ capacity: 150, refill: "10/s" }),
  ];
  fc.assert(
    fc.property(steps, fc.constantFrom(...limits), (history, limit) => {
      const still = history.map((step) => ({ ...step, gapMs: 0 }));
      const { uses, remaining } = run(limit, still);
      const used = uses.reduce((sum, { units }) => sum + units, 0);
      // At 7/s a unit returns in no whole number of microseconds; what is less than one may not be given back.
      const begun = limit.algorithm === "token-bucket" && limit.partUs > 0 ? 1 : 0;
      assert.ok(remaining === 150 - used || remaining === 150 - used - begun, `${remaining}`);
    }),
    { numRuns: 5_000 },
  );
});

// What a concurrency limit promises: at no instant more than the limit held; what is neither released nor extended
// comes back when its lease ends, and within a lease whatever the clock does.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concurrency, type Decision, type Limit, memoryStore } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { START_US } from "../support/traffic.ts";

interface Step {
  /** How long after the step before, in thousandths of a lease, and microseconds more. */
  readonly thousandths: number;
  readonly us: number;
  readonly act: "acquire" | "release" | "extend" | "pass";
  /** Which permit, and how many units. */
  readonly id: number;
  readonly cost: number;
  /** By how many thousandths of a lease the clock is off from then on; 0 for hardly any. */
  readonly stepped: number;
}

const stepsArbitrary = fc.array(
  fc.record({
    thousandths: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 400 }), fc.constant(1_000)),
    us: fc.integer({ min: 0, max: 2 }),
    act: fc.constantFrom<Step["act"][]>(
      "acquire",
      "acquire",
      "acquire",
      "release",
      "extend",
      "pass",
    ),
    id: fc.nat(11),
    cost: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 5 })),
    stepped: fc.oneof(
      { arbitrary: fc.constant(0), weight: 3 },
      { arbitrary: fc.integer({ min: -3_000, max: 3_000 }), weight: 1 },
    ),
  }),
  { minLength: 1, maxLength: 40, size: "max" },
);

const ruleArbitrary = fc.record({
  limit: fc.integer({ min: 1, max: 8 }),
  lease: fc.oneof(fc.integer({ min: 1, max: 100 }), fc.constantFrom(30_000, 86_400_000)),
});

/** Whose permit, until when by the time that truly passes. */
interface Held {
  readonly cost: number;
  endsUs: number;
}

function createHolders(limit: Limit) {
  const clock = createManualClock(START_US);
  const store = memoryStore({ clock });
  const policy = createPolicy("jobs", { limits: [limit] });
  const part = (cost: number) => ({ policy, key: "k", cost });
  return {
    clock,
    acquire: (id: number, cost: number) => {
      return store.run({ kind: "take", parts: [part(cost)], permit: `p${id}` });
    },
    change: (kind: "release" | "extend", id: number) => {
      return store.run({ kind, part: part(0), permit: `p${id}` });
    },
    look: (cost: number): Decision => store.decide(policy, "k", cost, false),
  };
}

const unitsOf = (held: ReadonlyMap<number, Held>) => {
  return [...held.values()].reduce((sum, { cost }) => sum + cost, 0);
};

/** Picks a permit that is held, or now and then one that may not be. */
function whose(held: ReadonlyMap<number, Held>, id: number): number {
  const ids = [...held.keys()];
  return id < 9 && ids.length > 0 ? ids[id % ids.length]! : id;
}

/** When `missing` units are back, if nobody gives any back by itself. */
function backAt(held: ReadonlyMap<number, Held>, missing: number): number {
  let left = missing;
  const ends = [...held.values()].sort((a, b) => a.endsUs - b.endsUs);
  for (const { cost, endsUs } of ends) {
    left -= cost;
    if (left <= 0) return endsUs;
  }
  return Number.POSITIVE_INFINITY;
}

test("held exactly until it is released or its lease ends, extended or not; never more than the limit", () => {
  const seen = { denied: 0, crashed: 0, extended: 0, full: 0 };
  fc.assert(
    fc.property(ruleArbitrary, stepsArbitrary, (rule, steps) => {
      const limit = concurrency(rule);
      const { clock, acquire, change, look } = createHolders(limit);
      const held = new Map<number, Held>();
      for (const { thousandths, us, act, id, cost } of steps) {
        clock.setUs(clock.now() + Math.floor((thousandths * limit.windowUs) / 1_000) + us);
        const now = clock.now();
        for (const [other, { endsUs }] of held) {
          if (endsUs > now) continue;
          held.delete(other);
          seen.crashed += 1;
        }
        const endsUs = now + limit.windowUs;
        if (act === "acquire") {
          const again = held.has(id);
          const missing = unitsOf(held) + cost - rule.limit;
          const { decision, done } = acquire(id, cost);
          assert.equal(done, again || missing <= 0);
          if (done && !again) held.set(id, { cost, endsUs });
          else if (!done && cost <= rule.limit) {
            const waitUs = backAt(held, missing) - now;
            assert.equal(decision.retryAfterMs, Math.ceil(waitUs / 1_000));
            seen.denied += 1;
          }
        } else if (act !== "pass") {
          const which = whose(held, id);
          const { done } = change(act, which);
          assert.equal(done, held.has(which));
          if (act === "release") held.delete(which);
          else if (done) {
            held.get(which)!.endsUs = endsUs;
            seen.extended += 1;
          }
        }
        const { remaining, resetAfterMs } = look(0);
        assert.equal(remaining, rule.limit - unitsOf(held));
        const last = Math.max(now, ...[...held.values()].map((one) => one.endsUs));
        assert.equal(resetAfterMs, Math.ceil((last - now) / 1_000));
        if (remaining === 0) seen.full += 1;
      }
    }),
    { numRuns: 600 },
  );
  for (const [what, count] of Object.entries(seen))
    assert.ok(count > 150, `${what} ${count} times`);
});

test("clock steps: nobody waits longer than a lease, and steps back take no permit before its lease has passed", () => {
  const seen = { steppedBack: 0, kept: 0, waited: 0 };
  fc.assert(
    fc.property(ruleArbitrary, stepsArbitrary, fc.boolean(), (rule, steps, forward) => {
      const limit = concurrency(rule);
      const { clock, acquire, change, look } = createHolders(limit);
      const held = new Map<number, Held>();
      let trueUs = 0;
      let lastId = 0;
      for (const { thousandths, us, act, id, cost, stepped } of steps) {
        const passedUs = Math.floor((thousandths * limit.windowUs) / 1_000) + us;
        trueUs += passedUs;
        clock.setUs(clock.now() + passedUs);
        const before = look(0).remaining;
        const stepUs = Math.floor((stepped * limit.windowUs) / 1_000);
        if (stepUs < 0 || forward) clock.setUs(clock.now() + stepUs);
        const { remaining } = look(0);
        if (stepUs <= 0) assert.equal(remaining, before, "a step back frees nothing");
        if (stepUs < 0 && remaining < rule.limit) seen.steppedBack += 1;
        for (const [other, { endsUs }] of held) if (endsUs <= trueUs) held.delete(other);
        if (act === "acquire") {
          lastId += 1;
          const { done } = acquire(lastId, cost);
          if (done) held.set(lastId, { cost, endsUs: trueUs + limit.windowUs });
        } else if (act === "release") {
          const which = whose(held, id);
          change("release", which);
          held.delete(which);
        }
        // A step forward ends leases early, by the clock that they are counted on; a step back never does.
        if (!forward) {
          assert.ok(look(0).remaining <= rule.limit - unitsOf(held));
          seen.kept += held.size;
        }
        for (let units = 1; units <= rule.limit; units += 1) {
          const { retryAfterMs } = look(units);
          assert.ok(retryAfterMs !== null && retryAfterMs <= rule.lease, `${retryAfterMs} ms`);
          if (retryAfterMs > 0) seen.waited += 1;
        }
        assert.ok(look(0).resetAfterMs <= rule.lease);
      }
      clock.advanceMs(rule.lease);
      assert.equal(look(rule.limit).allowed, true, "all of them are back after a lease");
    }),
    { numRuns: 400 },
  );
  for (const [what, count] of Object.entries(seen))
    assert.ok(count > 150, `${what} ${count} times`);
});

test("tight: the limit at once, all of it lost, back after exactly a lease, also after a step back of an hour", () => {
  for (const stepMs of [0, -10, -3_600_000]) {
    const { clock, acquire, look } = createHolders(concurrency({ limit: 5, lease: "30s" }));
    for (let id = 0; id < 5; id += 1) assert.ok(acquire(id, 1).done);
    assert.equal(acquire(5, 1).done, false);
    clock.advanceMs(stepMs);
    assert.equal(look(1).retryAfterMs, 30_000);
    clock.advanceMs(29_999);
    assert.equal(look(1).allowed, false);
    clock.advanceMs(1);
    assert.equal(look(5).allowed, true);
  }
});

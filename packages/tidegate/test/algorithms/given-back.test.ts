// What is given back and what is charged afterwards, for every algorithm: a refund never lifts a key above full,
// settle gives back only what is still in use, and what it charges goes to a debt of the limit and no further.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fixedWindow, type Limit, slidingLog, slidingWindow, tokenBucket } from "tidegate";
import { ALGORITHMS, COUNTING, limitArbitraries } from "../support/any-limit.ts";
import { createOpenKey, createTestKey } from "../support/test-key.ts";
import { type Admission, replay, START_US, trafficArbitrary } from "../support/traffic.ts";
import { createLedger, type Ledger } from "./ledgers.ts";

for (const algorithm of ALGORITHMS) {
  const gives = COUNTING.includes(algorithm);
  test(`${algorithm}: a refund gives back ${gives ? "what was taken, and never more" : "nothing"}`, () => {
    const seen = { given: 0, full: 0, again: 0 };
    fc.assert(
      fc.property(limitArbitraries(false)[algorithm], trafficArbitrary, (limit, traffic) => {
        const key = createTestKey([limit]);
        let turn = 0;
        replay(traffic, limit, key.clock, (cost) => {
          turn += 1;
          const before = key.peek(0);
          if (turn % 3 === 0) {
            const { decision } = key.refund(cost);
            const most = Math.min(limit.limit, before.remaining + cost);
            if (!gives) assert.deepEqual(decision, before);
            // Of a counter it may be units of the window before, which count in part.
            else if (algorithm === "sliding-window") assert.ok(decision.remaining <= most);
            else assert.equal(decision.remaining, most);
            assert.ok(decision.remaining >= before.remaining && decision.remaining <= limit.limit);
            assert.deepEqual(key.peek(0), decision);
            if (decision.remaining > before.remaining) seen.given += 1;
            if (decision.remaining === limit.limit) seen.full += 1;
          } else if (cost > 0 && key.check(cost).allowed && turn % 3 === 1 && gives) {
            assert.deepEqual(key.refund(cost).decision, before, "as before it was taken");
            seen.again += 1;
            key.check(cost);
          }
        });
      }),
      { numRuns: 150 },
    );
    assert.ok(
      !gives || (seen.given > 200 && seen.full > 100 && seen.again > 200),
      JSON.stringify(seen),
    );
  });
}

const windowRule = fc.record({
  limit: fc.integer({ min: 1, max: 12 }),
  window: fc.oneof(fc.integer({ min: 1, max: 10_000 }), fc.constantFrom(60_000, 86_400_000)),
});

/** A limit, and its ledger. */
type Kept = () => { limit: Limit; ledger: Ledger };

const bucketRule = fc.record({
  capacity: fc.integer({ min: 1, max: 12 }),
  units: fc.constantFrom(1, 3, 7, 999_983),
  periodMs: fc.integer({ min: 1, max: 100_000 }),
});

const keep = (limit: Limit) => () => ({ limit, ledger: createLedger(limit) });

const KEPT: Record<string, fc.Arbitrary<Kept>> = {
  "token-bucket": bucketRule.map((rule) => {
    const { capacity, units, periodMs } = rule;
    const limit = tokenBucket({ capacity, refill: `${units}/${periodMs}ms` });
    return () => ({ limit, ledger: createLedger(limit, rule) });
  }),
  "fixed-window": windowRule.map((rule) => keep(fixedWindow(rule))),
  "sliding-window": windowRule.map((rule) => keep(slidingWindow(rule))),
  // Never full of entries, where all that is charged counts as taken with the last of it.
  "sliding-log": windowRule.map((rule) => keep(slidingLog({ ...rule, limit: rule.limit + 60 }))),
  "calendar-window": limitArbitraries(false)["calendar-window"].map(keep),
};

for (const [algorithm, keptArbitrary] of Object.entries(KEPT)) {
  test(`${algorithm}: reserve, settle and refund, beside a ledger of what was taken when`, () => {
    const seen = { less: 0, more: 0, debt: 0, nothing: 0 };
    const actuals = fc.array(fc.nat(12), { minLength: 60, maxLength: 60 });
    fc.assert(
      fc.property(keptArbitrary, trafficArbitrary, actuals, (create, traffic, shares) => {
        const { limit, ledger } = create();
        const key = createTestKey([limit]);
        const open: { id: string; at: number; estimate: number }[] = [];
        let turn = 0;
        replay(
          traffic.map(({ times, ...burst }) => ({ ...burst, times: Math.min(times, 2) })),
          limit,
          key.clock,
          (cost) => {
            const now = key.clock.now();
            const share = shares[turn % shares.length]!;
            const id = `r${turn}`;
            turn += 1;
            const remains = () => Math.max(limit.limit - ledger.used(now), 0);
            if (turn % 5 === 0) {
              ledger.give(now, cost, Number.POSITIVE_INFINITY);
              key.refund(cost);
            } else if (turn % 2 === 0 && open.length > 0) {
              const { id: old, at, estimate } = open.splice(share % open.length, 1)[0]!;
              const asked = Math.floor((estimate * share) / 6);
              // What a bucket gives back hangs on what has returned by itself since: gifts.test.ts holds that.
              const actual = algorithm === "token-bucket" ? Math.max(asked, estimate) : asked;
              const before = ledger.used(now);
              if (actual > estimate) ledger.charge(now, actual - estimate);
              else ledger.give(now, estimate - actual, at);
              const { decision, done } = key.settle(old, actual);
              assert.equal(done, true);
              assert.equal(decision.remaining, remains(), `${actual} of ${estimate}`);
              assert.deepEqual(key.settle(old, 0).decision, decision, "settled once");
              seen[actual > estimate ? "more" : "less"] += 1;
              if (actual < estimate && ledger.used(now) === before) seen.nothing += 1;
            } else if (key.reserve(id, cost).done && cost > 0) {
              ledger.take(now, cost);
              open.push({ id, at: now, estimate: cost });
            }
            assert.equal(key.peek(0).remaining, remains());
            assert.ok(ledger.used(now) <= 2 * limit.limit);
            if (ledger.used(now) > limit.limit) seen.debt += 1;
          },
        );
      }),
      { numRuns: 300 },
    );
    const enough = seen.less > 200 && seen.more > 200 && seen.debt > 30;
    assert.ok(enough && (algorithm === "token-bucket" || seen.nothing > 50), JSON.stringify(seen));
  });

  test(`${algorithm}: what is charged goes to a debt of the limit, and no further, and ends`, () => {
    fc.assert(
      fc.property(keptArbitrary, fc.nat(12), (create, taken) => {
        const { limit } = create();
        const key = createOpenKey(limit);
        const first = Math.min(taken, limit.limit);
        assert.ok(key.take(START_US, first));
        key.charge(START_US, 1);
        assert.equal(key.used(START_US), first + 1);
        for (let time = 0; time < 2; time += 1) {
          key.charge(START_US, 1_000_000_000);
          assert.equal(key.used(START_US), 2 * limit.limit);
        }
        assert.equal(key.take(START_US, 1), false);
        const wait = key.waitUs(START_US, limit.limit);
        const windows = /token-bucket|sliding-window/.test(algorithm) ? 2 : 1;
        const longest =
          algorithm === "calendar-window" ? key.resetUs(START_US) : windows * limit.windowUs;
        assert.ok(wait > 0 && wait <= longest, `${wait} of ${longest}`);
        assert.ok(key.take(START_US + wait, limit.limit), "and then all of it");
      }),
      { numRuns: 100 },
    );
  });
}

test("token bucket: in any span at most the capacity, what comes back, and what is given back in it", () => {
  const seen = { given: 0, beyond: 0 };
  fc.assert(
    fc.property(bucketRule, trafficArbitrary, (rule, traffic) => {
      const { capacity, units, periodMs } = rule;
      const limit = tokenBucket({ capacity, refill: `${units}/${periodMs}ms` });
      const key = createTestKey([limit]);
      const events: (Admission & { given: number })[] = [];
      let turn = 0;
      replay(traffic, limit, key.clock, (cost) => {
        turn += 1;
        const at = key.clock.now();
        if (turn % 3 !== 0) {
          if (key.check(cost).allowed) events.push({ at, cost, given: 0 });
          return;
        }
        const { remaining } = key.peek(0);
        const given = key.refund(cost).decision.remaining - remaining;
        events.push({ at, cost: 0, given });
        if (given > 0) seen.given += 1;
      });
      const perUnit = BigInt(periodMs) * 1_000n;
      let lowest: bigint | undefined;
      let level = 0n;
      let taken = 0n;
      let last = events[0]?.at ?? 0;
      for (const { at, cost, given } of events) {
        level -= BigInt(units) * BigInt(at - last) + BigInt(given) * perUnit;
        last = at;
        if (lowest === undefined || level < lowest) lowest = level;
        level += BigInt(cost) * perUnit;
        taken += BigInt(cost);
        assert.ok(level - lowest <= BigInt(capacity) * perUnit);
      }
      if (taken > capacity) seen.beyond += 1;
    }),
    { numRuns: 300 },
  );
  assert.ok(seen.given > 300 && seen.beyond > 100, JSON.stringify(seen));
});

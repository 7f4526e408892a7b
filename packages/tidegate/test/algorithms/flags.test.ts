// What decisions flag, for every algorithm: soft limits never deny and say when a request goes beyond them, shadow
// policies admit all and take nothing that their limits deny, nearLimit is said from its threshold on.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fixedWindow, type Limit } from "tidegate";
import {
  ALGORITHMS,
  COUNTING,
  checkedLimit,
  hardLimit,
  limitArbitraries,
} from "../support/any-limit.ts";
import { createTestKey } from "../support/test-key.ts";
import { replay, trafficArbitrary } from "../support/traffic.ts";

for (const algorithm of COUNTING) {
  test(`${algorithm}, soft: never denies, and says soft exactly where the cost is more than remained`, () => {
    const seen = { within: 0, beyond: 0 };
    fc.assert(
      fc.property(limitArbitraries(true)[algorithm], trafficArbitrary, (limit, traffic) => {
        const key = createTestKey([limit]);
        replay(traffic, limit, key.clock, (cost) => {
          const { remaining } = key.peek(0);
          const peeked = key.peek(cost);
          const decision = key.check(cost);
          assert.equal(decision.allowed, true);
          assert.equal(decision.retryAfterMs, 0);
          assert.equal(decision.soft, cost > remaining);
          assert.equal(peeked.soft, decision.soft);
          // It takes what it has.
          assert.equal(decision.remaining, Math.max(remaining - cost, 0));
          seen[decision.soft ? "beyond" : "within"] += 1;
        });
      }),
      { numRuns: 120 },
    );
    assert.ok(seen.within > 200 && seen.beyond > 200, JSON.stringify(seen));
  });
}

test("soft limits among hard ones: they decide nothing, and a denied request takes nothing of theirs", () => {
  const seen = { denied: 0, flagged: 0 };
  const softLimit = fc.oneof(...COUNTING.map((algorithm) => limitArbitraries(true)[algorithm]));
  const both = fc.tuple(fc.array(hardLimit, { minLength: 1, maxLength: 2 }), softLimit, fc.nat(2));
  fc.assert(
    fc.property(both, trafficArbitrary, ([hard, soft, at], traffic) => {
      const key = createTestKey([...hard.slice(0, at), soft, ...hard.slice(at)]);
      const [hardOnly, softOnly] = [createTestKey(hard), createTestKey([soft])];
      replay(traffic, soft, key.clock, (cost) => {
        for (const alone of [hardOnly, softOnly]) alone.clock.setUs(key.clock.now());
        const decision = key.check(cost);
        const expected = hardOnly.check(cost);
        assert.equal(decision.allowed, expected.allowed);
        assert.equal(decision.retryAfterMs, expected.retryAfterMs);
        // The soft limit is as one that is asked for what was admitted alone.
        assert.equal(decision.soft, decision.allowed && softOnly.check(cost).soft);
        if (!decision.allowed) seen.denied += 1;
        if (decision.soft) seen.flagged += 1;
      });
    }),
    { numRuns: 300 },
  );
  assert.ok(seen.denied > 500 && seen.flagged > 500, JSON.stringify(seen));
});

test("shadow: always admits, says shadow where the limits deny, and then takes nothing", () => {
  const seen = { admitted: 0, shadowed: 0 };
  const limits = fc.array(hardLimit, { minLength: 1, maxLength: 3 });
  fc.assert(
    fc.property(limits, trafficArbitrary, (list, traffic) => {
      const key = createTestKey(list, { shadow: true });
      const twin = createTestKey(list);
      replay(traffic, list[0]!, key.clock, (cost) => {
        twin.clock.setUs(key.clock.now());
        const decision = key.check(cost);
        const hard = twin.check(cost);
        const shadow = !hard.allowed;
        const retryAfterMs = 0;
        // All else, what remains included, is as if the limits had denied.
        assert.deepEqual(decision, { ...hard, allowed: true, retryAfterMs, shadow });
        seen[shadow ? "shadowed" : "admitted"] += 1;
      });
    }),
    { numRuns: 300 },
  );
  assert.ok(seen.admitted > 500 && seen.shadowed > 500, JSON.stringify(seen));
});

/** Thousandths of a percent, as "80%" or "12.345%", or left out for 80 %. */
const shareArbitrary = fc.oneof(
  fc.constantFrom(undefined, 100_000, 80_000, 50_000, 1),
  fc.integer({ min: 1, max: 100 }).map((percent) => percent * 1_000),
  fc.integer({ min: 1, max: 100_000 }),
);

/** Whether so much of a limit is used, in exact integers. */
function isNear({ limit }: Limit, remaining: number, share: number): boolean {
  return BigInt(limit - remaining) * 100_000n >= BigInt(share) * BigInt(limit);
}

for (const algorithm of ALGORITHMS) {
  test(`${algorithm}: nearLimit exactly from its threshold on`, () => {
    const seen = { near: 0, far: 0 };
    fc.assert(
      fc.property(
        limitArbitraries(false)[algorithm],
        shareArbitrary,
        trafficArbitrary,
        (limit, share, traffic) => {
          const near = share === undefined ? {} : { nearLimit: `${share / 1_000}%` };
          const key = createTestKey([limit], near);
          replay(traffic, limit, key.clock, (cost) => {
            const { nearLimit, remaining } = key.check(cost);
            assert.equal(nearLimit, isNear(limit, remaining, share ?? 80_000));
            seen[nearLimit ? "near" : "far"] += 1;
          });
        },
      ),
      { numRuns: 120 },
    );
    assert.ok(seen.near > 300 && seen.far > 300, JSON.stringify(seen));
  });
}

test("nearLimit: exactly from the threshold on, at every limit and share, and one unit less is not yet near", () => {
  const limits = fc.oneof(fc.integer({ min: 1, max: 1_000_000_000 }), fc.constant(1_000_000_000));
  let thresholds = 0;
  fc.assert(
    fc.property(limits, fc.integer({ min: 1, max: 100_000 }), (units, share) => {
      const limit = fixedWindow({ limit: units, window: "1d" });
      const key = createTestKey([limit], { nearLimit: `${share / 1_000}%` });
      const threshold = Number((BigInt(share) * BigInt(units) + 99_999n) / 100_000n);
      if (threshold > 1) {
        assert.equal(key.check(threshold - 1).nearLimit, false);
        thresholds += 1;
      }
      assert.equal(key.check(1).nearLimit, true);
    }),
    { numRuns: 1_000 },
  );
  assert.ok(thresholds > 800, `${thresholds} thresholds were above a unit`);
});

test("nearLimit of several limits: where any of them is", () => {
  const seen = { near: 0, far: 0 };
  fc.assert(
    fc.property(
      fc.array(checkedLimit, { minLength: 2, maxLength: 3 }),
      trafficArbitrary,
      (list, traffic) => {
        const key = createTestKey(list);
        const alone = list.map((limit) => createTestKey([limit]));
        replay(traffic, list[0]!, key.clock, (cost) => {
          const decision = key.check(cost);
          const nears = alone.map((one) => {
            one.clock.setUs(key.clock.now());
            return decision.allowed ? one.check(cost).nearLimit : one.peek(0).nearLimit;
          });
          assert.equal(decision.nearLimit, nears.includes(true));
          seen[decision.nearLimit ? "near" : "far"] += 1;
        });
      },
    ),
    { numRuns: 300 },
  );
  assert.ok(seen.near > 500 && seen.far > 500, JSON.stringify(seen));
});

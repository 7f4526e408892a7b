// Units in hand: spent from the older lease first, never after its end, and given back once.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { Hand } from "../../src/leases/hand.ts";
import { isAlive, isOwn, SPENT, type Tranche } from "../../src/leases/tranche.ts";

function tranche(units: number, from: number, lastsUs = 1_000, returnsUs = 5_000): Tranche {
  const receipt = { cost: units, units: [units], marks: [from] };
  const renewUs = 0.8 * lastsUs;
  return { units, from, lastsUs, renewUs, returnsUs, back: { takenAt: from, receipt } };
}

test("a tranche may be spent from when it was asked for until it ends", () => {
  const one = tranche(1, 100, 50, 80);
  assert.deepEqual(
    [99, 100, 149, 150].map((now) => isAlive(one, now)),
    [false, true, true, false],
  );
  assert.deepEqual(
    [99, 100, 179, 180].map((now) => isOwn(one, now)),
    [true, true, true, false],
  );
  assert.equal(isOwn(tranche(0, 100), 100), false);
  assert.equal(isAlive(SPENT, 0), false);
});

test("the older is spent first, a cost may be of both, and what is left is given back with its own receipt", () => {
  const hand = new Hand();
  assert.equal(hand.spend(1, 0), false);
  hand.add(tranche(5, 0));
  hand.add(tranche(10, 500));
  assert.equal(hand.unitsAt(600), 15);
  assert.equal(hand.spend(3, 600), true);
  assert.equal(hand.spend(13, 600), false);
  assert.equal(hand.spend(4, 600), true);
  assert.equal(hand.unitsAt(600), 8);
  hand.putAway();
  assert.deepEqual(
    hand.takeBacks(700).map(({ units, takenAt }) => [units, takenAt]),
    [[8, 500]],
  );
  assert.deepEqual(hand.takeBacks(700), [], "once");
});

test("what has ended is not spent, and given back while its units have not returned by themselves", () => {
  const hand = new Hand();
  hand.add(tranche(5, 0));
  hand.add(tranche(7, 500));
  assert.equal(hand.spend(6, 1_000), true, "of the newer alone");
  assert.equal(hand.unitsAt(1_000), 1);
  assert.equal(hand.spend(1, 1_500), false);
  hand.expire(1_500);
  assert.equal(hand.hasBacks(1_500), true);
  assert.deepEqual(
    hand.takeBacks(5_200).map(({ units }) => units),
    [1],
  );
  assert.deepEqual(hand.takeLost(), [5]);
  assert.deepEqual(hand.takeLost(), []);
});

test("of three the oldest that is not being spent makes room", () => {
  const hand = new Hand();
  hand.add(tranche(1, 0));
  hand.makeRoom();
  assert.equal(hand.unitsAt(1), 1, "there is room for one more");
  hand.add(tranche(2, 0));
  hand.makeRoom();
  hand.add(tranche(4, 0));
  assert.equal(hand.unitsAt(1), 6);
  assert.deepEqual(
    hand.takeBacks(1).map(({ units }) => units),
    [1],
  );
  hand.forfeit();
  assert.deepEqual([hand.unitsAt(1), hand.hasBacks(1)], [0, false]);
});

test("it is low where few are left of the last, or not for long", () => {
  const hand = new Hand();
  hand.add(tranche(10, 0));
  hand.low = 2;
  assert.equal(hand.isLow(1), false);
  assert.equal(hand.isLow(799), false);
  assert.equal(hand.isLow(800), true);
  hand.spend(8, 1);
  assert.equal(hand.isLow(1), true);
  hand.add(tranche(10, 1));
  assert.equal(hand.isLow(800), false, "the next is there already");
  hand.spend(3, 1);
  assert.equal(hand.isLow(1), false, "9 are left of the next, which is the last now");
});

test("units are spent, in hand, given back or expired, and nowhere else, whatever happens", () => {
  const step = fc.record({
    what: fc.constantFrom("add", "spend", "spend", "spend", "expire", "room", "away", "backs"),
    units: fc.integer({ min: 1, max: 30 }),
    gap: fc.integer({ min: -300, max: 900 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const hand = new Hand();
      let now = 0;
      let [added, spent, given, expired] = [0, 0, 0, 0];
      for (const { what, units, gap } of steps) {
        now += gap;
        const there = hand.unitsAt(now);
        if (what === "add") {
          hand.add(tranche(units, now));
          added += units;
        } else if (what === "spend") {
          const isSpent = hand.spend(units, now);
          assert.equal(isSpent, units <= there);
          if (isSpent) spent += units;
        } else if (what === "expire") hand.expire(now);
        else if (what === "room") hand.makeRoom();
        else if (what === "away") hand.putAway();
        else given += hand.takeBacks(now).reduce((sum, back) => sum + back.units, 0);
        for (const lost of hand.takeLost()) expired += lost;
      }
      hand.putAway();
      given += hand.takeBacks(now).reduce((sum, back) => sum + back.units, 0);
      for (const lost of hand.takeLost()) expired += lost;
      assert.equal(spent + given + expired, added);
    }),
    { numRuns: 1_000 },
  );
});

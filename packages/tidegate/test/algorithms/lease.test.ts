// How what there is of a key is shared out: never more than there is, the least where it is there, by demand.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { calendarWindow, fixedWindow, type Limit, slidingWindow, tokenBucket } from "tidegate";
import { advance, take } from "../../src/algorithms/dispatch.ts";
import { grantOf, leftOf, windowLeft } from "../../src/algorithms/lease.ts";

const TABLE: [
  room: number,
  want: number,
  least: number,
  demand: number,
  spare: number,
  grant: number,
  most?: number,
][] = [
  // Enough for all: all that is wanted, and a part of what nobody wants.
  [100, 10, 1, 10, 0, 10],
  [100, 10, 1, 10, 0.25, 32],
  [100, 10, 1, 90, 0.5, 15],
  [100, 10, 1, 10, 1, 100],
  // No more on top than is of use, and never less than is wanted.
  [100, 10, 1, 10, 0.25, 20, 20],
  [100, 10, 1, 10, 0.25, 32, 50],
  [100, 10, 1, 10, 0.25, 10, 5],
  // Just so much: nothing on top.
  [10, 10, 1, 10, 1, 10],
  // Less: by what each wants.
  [100, 50, 1, 200, 0.25, 25],
  [3, 10, 1, 100, 0, 1],
  [1, 10, 1, 100, 0, 1],
  [0, 10, 1, 100, 0, 0],
  // The least that is of use, or what there is of one's share.
  [5, 10, 5, 100, 0, 5],
  [4, 10, 5, 100, 0, 0],
  [4, 10, 5, 10, 0, 4],
];

test("grants by room, want, least, demand and spare", () => {
  for (const [room, want, least, demand, spare, expected, most] of TABLE) {
    const said = `${room} ${want} ${least} ${demand} ${spare}`;
    assert.equal(grantOf(room, want, least, demand, spare, most), expected, said);
  }
});

const units = fc.integer({ min: 1, max: 1_000_000_000 });

test("never more than there is, the least where it is there, and all that is wanted where all can be had", () => {
  fc.assert(
    fc.property(
      fc.nat(1_000_000_000),
      units,
      units,
      fc.nat(10_000_000_000),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (room, want, of, others, spare) => {
        const least = Math.min(of, want);
        const granted = grantOf(room, want, least, want + others, spare);
        assert.ok(Number.isInteger(granted) && granted >= 0 && granted <= room);
        if (room >= least) assert.ok(granted >= least);
        if (room >= want + others) assert.ok(granted >= want);
        else assert.ok(granted <= Math.max(want, least));
      },
    ),
    { numRuns: 2_000 },
  );
});

test("grants one after the other are never more than there was, whoever asks", () => {
  const asks = fc.array(
    fc.record({ want: units, least: units, spare: fc.constantFrom(0, 0.25, 1) }),
    {
      maxLength: 50,
    },
  );
  fc.assert(
    fc.property(fc.nat(1_000_000_000), asks, (start, all) => {
      let room = start;
      let demand = 0;
      for (const { want, least, spare } of all) {
        demand += want;
        room -= grantOf(room, want, Math.min(least, want), demand, spare);
        assert.ok(room >= 0);
      }
    }),
    { numRuns: 1_000 },
  );
});

/** States of a key of which so much was taken. */
function stateOf(limits: readonly Limit[], now: number, taken: readonly number[]) {
  const numbers = new Float64Array(20);
  let at = 3;
  for (const [index, limit] of limits.entries()) {
    advance(limit, numbers, at, now, undefined);
    take(limit, numbers, at, now, taken[index]!, undefined, "");
    at += limit.width;
  }
  return { numbers, at: 3, entries: undefined };
}

const NOW = Date.UTC(2026, 0, 1, 12, 30) * 1_000;

test("what is left is what all limits have, and less than nothing of a key in debt", () => {
  const limits = [
    tokenBucket({ capacity: 10, refill: "1/s" }),
    fixedWindow({ limit: 30, window: "1h" }),
    slidingWindow({ limit: 8, window: "1h" }),
  ];
  assert.equal(leftOf(limits, stateOf(limits, NOW, [0, 0, 0]), NOW), 8);
  assert.equal(leftOf(limits, stateOf(limits, NOW, [4, 4, 0]), NOW), 6);
  assert.equal(leftOf(limits, stateOf(limits, NOW, [4, 28, 1]), NOW), 2);
  assert.equal(leftOf(limits, stateOf(limits, NOW, [4, 33, 8]), NOW), -3);
});

test("a lease ends with the first window of a limit", () => {
  const cases: [Limit[], number][] = [
    [[tokenBucket({ capacity: 10, refill: "1/s" })], Number.POSITIVE_INFINITY],
    [[fixedWindow({ limit: 30, window: "1h" })], 1_800_000_000],
    [[slidingWindow({ limit: 30, window: "15m" })], 900_000_000],
    [[calendarWindow({ limit: 30, per: "day" })], 41_400_000_000],
    [
      [tokenBucket({ capacity: 9, refill: "1/s" }), fixedWindow({ limit: 30, window: "1h" })],
      1_800_000_000,
    ],
  ];
  for (const [limits, expected] of cases) {
    const state = stateOf(
      limits,
      NOW,
      limits.map(() => 1),
    );
    assert.equal(windowLeft(limits, state, NOW), expected, limits[0]!.algorithm);
  }
});

// Gifts to a bucket, held against a queue of all that was taken: in which order units return, and when.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { addGift, createGifts, instantOf, placeTaken } from "../../src/algorithms/gifts.ts";

/** What was taken, in order: how much of it has not returned, or been given back. */
interface Taken {
  readonly mark: number;
  left: number;
}

/** A bucket as a queue of microseconds, beside gifts that know of it only what receipts say. */
function createBoth() {
  const gifts = createGifts();
  const queue: Taken[] = [];
  let now = 1_000;
  const endOf = (last: number) => {
    return queue.slice(0, last + 1).reduce((sum, { left }) => sum + left, now);
  };
  return {
    gifts,
    queue,
    endOf,
    pass(us: number) {
      now += us;
      let returned = us;
      for (const taken of queue) {
        const part = Math.min(returned, taken.left);
        taken.left -= part;
        returned -= part;
      }
    },
    take(us: number) {
      queue.push({ mark: 0, left: us });
      const mark = placeTaken(gifts, endOf(queue.length - 1));
      queue[queue.length - 1] = { mark, left: us };
    },
    /** Gives back what is left of one that was taken, as far as the gifts know of it. */
    give(index: number) {
      const taken = queue[index]!;
      const known = Math.max(instantOf(gifts, taken.mark) - now, 0);
      const given = Math.min(taken.left, known);
      taken.left -= given;
      addGift(gifts, taken.mark, given, now);
      return { given, known };
    },
  };
}

const steps = fc.array(
  fc.record({
    act: fc.constantFrom("take", "take", "give", "pass"),
    us: fc.integer({ min: 1, max: 50 }),
  }),
  { minLength: 1, maxLength: 60 },
);

test("a receipt's units return when the queue says, however much was given back of others", () => {
  fc.assert(
    fc.property(steps, (history) => {
      const both = createBoth();
      for (const { act, us } of history) {
        if (act === "take") both.take(us);
        else if (act === "pass") both.pass(us);
        else if (both.queue.length > 0) {
          const index = us % both.queue.length;
          const { left } = both.queue[index]!;
          assert.equal(both.give(index).given, left, "all of what has not returned");
        }
        for (const [index, { mark, left }] of both.queue.entries()) {
          if (left > 0) assert.equal(instantOf(both.gifts, mark), both.endOf(index));
        }
      }
    }),
    { numRuns: 5_000 },
  );
});

test("they are 64 at most, and beyond that never say that something returns later than it does", () => {
  const order = Array.from({ length: 500 }, (_, index) => (index * 211) % 500);
  const both = createBoth();
  for (const index of order) both.take(1 + (index % 7));
  let kept = 0;
  for (const index of order) {
    const { left } = both.queue[index]!;
    kept += left - both.give(index).given;
    assert.ok(both.gifts.places.length <= 64);
    assert.equal(both.gifts.places.length, both.gifts.sizes.length);
    for (const [at, { mark, left: rest }] of both.queue.entries()) {
      if (rest > 0) assert.ok(instantOf(both.gifts, mark) <= both.endOf(at));
    }
  }
  assert.ok(kept <= 200, `${kept} of 1,996 units were not given back`);
});

test("what has passed is not told apart any more", () => {
  const both = createBoth();
  for (let index = 0; index < 40; index += 1) both.take(10);
  for (let index = 0; index < 39; index += 2) both.give(index);
  assert.ok(both.gifts.places.length >= 19);
  both.pass(190);
  both.give(39);
  assert.deepEqual(both.gifts.places, []);
  assert.equal(instantOf(both.gifts, both.queue[39]!.mark), 1_190);
});

test("a bucket that returns earlier than it said forgets which gift was where, and is careful", () => {
  const both = createBoth();
  both.take(1_000);
  both.take(1_000);
  both.give(1);
  // A reset: nothing is in use any more, so the next units are where the gift was.
  const place = placeTaken(both.gifts, 1_005);
  assert.deepEqual(both.gifts.places, []);
  assert.equal(instantOf(both.gifts, place), 1_005);
});

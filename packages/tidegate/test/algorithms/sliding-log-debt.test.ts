// A sliding log in debt: what is charged beyond the limit neither loses nor moves what was admitted.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLimiter, memoryStore, slidingLog } from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";

function createCounted(limit: number) {
  const clock = createManualClock();
  const limiter = createLimiter({
    store: memoryStore({ clock }),
    clock,
    policies: { log: { limits: [slidingLog({ limit, window: "1h" })] } },
  });
  const asked = { policy: "log", key: "k" };
  return {
    async reserve() {
      clock.advanceMs(1);
      return limiter.reserve(asked);
    },
    async settle(reservation: { readonly id: string }, actual: number) {
      clock.advanceMs(1);
      return (await limiter.settle({ ...asked, id: reservation.id }, actual)).remaining;
    },
  };
}

test("a full log that is charged gives back what its newest reservation did not use", async () => {
  const { reserve, settle } = createCounted(3);
  const [first, second, third] = [await reserve(), await reserve(), await reserve()];
  assert.equal(await settle(first, 2), 0, "4 in use");
  assert.equal(await settle(second, 0), 0, "3 in use");
  assert.equal(await settle(third, 0), 1, "2 in use");
});

test("and so does one that is charged again and again", async () => {
  const { reserve, settle } = createCounted(5);
  const all = [];
  for (let index = 0; index < 5; index += 1) all.push(await reserve());
  const actuals = [2, 2, 0, 0, 0];
  const remaining = [];
  for (const [index, actual] of actuals.entries())
    remaining.push(await settle(all[index]!, actual));
  assert.deepEqual(remaining, [0, 0, 0, 0, 1]);
});

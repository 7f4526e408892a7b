// What a memory store counts beside its own checks, for keys that it is told where to look for.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createStanding } from "../../src/algorithms/elsewhere.ts";
import { tokenBucket } from "../../src/index.ts";
import { createPolicy } from "../../src/policy/policy.ts";
import { createSeededRandom } from "../../src/simulation/seeded-random.ts";
import { countingStore } from "../../src/stores/memory.ts";
import { createManualClock } from "../support/manual-clock.ts";

test("a key is found where it was, and where it is by now", () => {
  const clock = createManualClock();
  const store = countingStore({ clock, maxKeys: 2, random: createSeededRandom(1) });
  const policy = createPolicy("api", { limits: [tokenBucket({ capacity: 100, refill: "100/s" })] });
  const one = { name: "one", at: 0 };
  const units = { present: new Float64Array([40]), before: new Float64Array(1) };
  const room = (key: { name: string; at: number }) => {
    const standing = createStanding();
    store.standing(policy, key, 0, standing);
    return standing.room;
  };
  assert.deepEqual([room(one), one.at], [100, 0], "nowhere");
  store.count(policy, one, units);
  assert.equal(room(one), 60);
  const at = one.at;
  assert.ok(at > 0);
  // Its slot becomes another's.
  store.reset(policy, "one");
  store.count(policy, { name: "two", at: 0 }, units);
  assert.deepEqual([room({ name: "two", at: 0 }), room(one)], [60, 100]);
  store.count(policy, one, units);
  assert.notEqual(one.at, at);
  assert.equal(room(one), 60);
  assert.equal(room({ name: "one", at }), 60, "and a place that is another's is of no harm");
});

test("a key that goes by other limits by now stands as what was counted does under those", () => {
  const clock = createManualClock();
  const store = countingStore({ clock, random: createSeededRandom(1) });
  const [fast, slow] = ["100/s", "1/s"].map((refill) => {
    return createPolicy("api", { limits: [tokenBucket({ capacity: 100, refill })] });
  });
  const units = { present: new Float64Array([40]), before: new Float64Array(1) };
  const one = { name: "one", at: 0 };
  const room = (policy = slow!) => {
    const standing = createStanding();
    store.standing(policy, one, 0, standing);
    return standing.room;
  };
  store.count(fast!, one, units);
  store.count(slow!, { name: "two", at: 0 }, units);
  assert.equal(room(), 60);
  clock.advanceMs(1_000);
  assert.equal(room(), 61);
  store.count(fast!, one, units);
  assert.equal(room(fast), 21);
});

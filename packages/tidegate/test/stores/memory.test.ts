// The memory store's bound: what it forgets, what it never forgets, and how it gets its slots back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Clock, fixedWindow, memoryStore, tokenBucket } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import { createManualClock } from "../support/manual-clock.ts";

/** A linear congruential generator, so that the sampled slots are the same in every run. */
function createSeededRandom(seed = 1) {
  let state = seed;
  return {
    next() {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state / 2 ** 32;
    },
  };
}

function createBounded(maxKeys: number, clock: Clock) {
  const told = { evicted: 0, overflowed: 0 };
  const store = memoryStore({ maxKeys, clock, random: createSeededRandom() });
  store.attach({
    evicted: () => {
      told.evicted += 1;
    },
    overflowed: () => {
      told.overflowed += 1;
    },
  });
  return { store, told };
}

const bucket = createPolicy("api", { limits: [tokenBucket({ capacity: 10, refill: "1/m" })] });

test("never holds more than maxKeys, whatever comes", () => {
  const { store, told } = createBounded(100, createManualClock());
  for (let index = 0; index < 10_000; index += 1) store.decide(bucket, `k${index}`, 1, true);
  assert.equal(store.size, 100);
  assert.equal(told.evicted, 9_900);
  assert.equal(told.overflowed, 0);
});

test("a key that is being limited is never the one forgotten", () => {
  const { store } = createBounded(100, createManualClock());
  store.decide(bucket, "exhausted", 10, true);
  store.decide(bucket, "denied", 5, true);
  store.decide(bucket, "denied", 6, true);
  store.decide(bucket, "heavy", 9, true);
  for (let index = 0; index < 100_000; index += 1) store.decide(bucket, `k${index}`, 1, true);
  assert.equal(store.decide(bucket, "exhausted", 1, false).allowed, false);
  assert.equal(store.decide(bucket, "denied", 6, false).allowed, false);
  assert.equal(store.size, 100);
});

test("of the others the one that loses least is forgotten, so a flood of new keys forgets itself", () => {
  const { store } = createBounded(1_000, createManualClock());
  for (let index = 0; index < 500; index += 1) store.decide(bucket, `heavy${index}`, 9, true);
  for (let index = 0; index < 20_000; index += 1) store.decide(bucket, `flood${index}`, 1, true);
  let kept = 0;
  for (let index = 0; index < 500; index += 1) {
    if (store.decide(bucket, `heavy${index}`, 2, false).allowed === false) kept += 1;
  }
  assert.ok(kept >= 495, `${kept} of 500: all 16 samples are heavy ones once in 65,536 evictions`);
});

test("when every key is being limited, new keys share one count", () => {
  const clock = createManualClock();
  const { store, told } = createBounded(50, clock);
  for (let index = 0; index < 50; index += 1) store.decide(bucket, `k${index}`, 10, true);
  let admitted = 0;
  for (let index = 0; index < 1_000; index += 1) {
    if (store.decide(bucket, `new${index}`, 1, true).allowed) admitted += 1;
  }
  assert.equal(admitted, 10, "what one key may take");
  assert.equal(told.overflowed, 1_000);
  assert.equal(store.size, 50);
  assert.equal(store.decide(bucket, "k7", 1, false).allowed, false);
  clock.advanceMs(600_000);
  assert.equal(store.decide(bucket, "late", 10, true).allowed, true, "room again");
  assert.equal(store.decide(bucket, "later", 10, true).allowed, true, "and each key its own count");
});

test("what has expired is swept by the checks, without a timer", () => {
  const clock = createManualClock();
  const { store } = createBounded(100_000, clock);
  const window = createPolicy("w", { limits: [fixedWindow({ limit: 5, window: "1s" })] });
  for (let index = 0; index < 10_000; index += 1) store.decide(window, `old${index}`, 1, true);
  assert.equal(store.size, 10_000);
  clock.advanceMs(1_000);
  for (let index = 0; index < 5_000; index += 1) store.decide(window, `new${index}`, 1, true);
  assert.equal(store.size, 5_000, "four slots are looked at with every new key");
  clock.advanceMs(1_000);
  for (let index = 0; index < 200_000; index += 1) store.decide(window, "busy", 0, true);
  assert.equal(store.size, 0, "known and unknown keys sweep as well");
});

test("looks and refusals of unknown keys take no room", () => {
  const { store } = createBounded(100, createManualClock());
  for (let index = 0; index < 1_000; index += 1) {
    store.decide(bucket, `a${index}`, 1, false);
    store.decide(bucket, `b${index}`, 0, true);
    store.decide(bucket, `c${index}`, 11, true);
  }
  assert.equal(store.size, 0);
});

test("a changed limit keeps what was consumed", () => {
  const clock = createManualClock();
  const store = memoryStore({ clock });
  const policy = (capacity: number, refill: string) => {
    return createPolicy("api", { limits: [tokenBucket({ capacity, refill })] });
  };
  store.decide(policy(100, "10/s"), "a", 60, true);
  assert.equal(store.decide(policy(150, "10/s"), "a", 0, true).remaining, 90, "raised");
  assert.equal(store.decide(policy(70, "10/s"), "a", 0, true).remaining, 10, "lowered");
  assert.equal(store.decide(policy(50, "10/s"), "a", 0, true).remaining, 0, "lowered below");
  assert.equal(store.decide(policy(50, "1/s"), "a", 0, true).remaining, 0, "another rate");
  clock.advanceMs(20_000);
  assert.equal(store.decide(policy(50, "1/s"), "a", 0, true).remaining, 10, "40 still in use");
  const window = createPolicy("api", { limits: [fixedWindow({ limit: 100, window: "1h" })] });
  assert.equal(store.decide(window, "a", 0, true).remaining, 60, "another algorithm");
  assert.equal(store.size, 1, "the key is held once");
});

test("definitions that come and go do not pile up", () => {
  const clock = createManualClock();
  const store = memoryStore({ clock, maxKeys: 1_000 });
  for (let turn = 1; turn <= 200; turn += 1) {
    const policy = createPolicy("api", {
      limits: [tokenBucket({ capacity: 10, refill: `${turn}/h` })],
    });
    for (let index = 0; index < 50; index += 1) store.decide(policy, `k${turn}.${index}`, 1, true);
    assert.ok(store.size <= 1_000);
  }
});

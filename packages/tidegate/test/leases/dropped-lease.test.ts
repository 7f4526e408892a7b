// Who waits for a lease is answered, whatever becomes of the key until the store is asked: it is decided elsewhere,
// reset, or given other limits, or the limiter is closed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Decision, fixedWindow, type Limiter } from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { createSharedStore } from "../support/shared-store.ts";
import { createTestLimiter } from "../support/test-limiter.ts";

const POLICY = {
  coordination: "hybrid",
  limits: [fixedWindow({ limit: 10, window: "1h" })],
} as const;
const TWO = { policy: "api", key: "two" };

const ways: readonly (readonly [string, (limiter: Limiter) => unknown])[] = [
  ["a check with an id", (limiter) => limiter.check({ ...TWO, id: "a" })],
  ["a check of several keys", (limiter) => limiter.checkEvery([TWO, { ...TWO, key: "three" }])],
  ["a reservation", (limiter) => limiter.reserve(TWO)],
  ["a reset", (limiter) => limiter.reset(TWO)],
  [
    "other limits",
    (limiter) => {
      const limits = [fixedWindow({ limit: 20, window: "1h" })];
      limiter.setPolicy("api", { ...POLICY, limits });
      return limiter.check(TWO);
    },
  ],
  ["a close", (limiter) => limiter.close()],
];

for (const [name, happen] of ways) {
  test(`who waits is answered: ${name}`, async () => {
    const clock = createManualClock();
    const store = createSharedStore(clock);
    const { limiter, timer } = createTestLimiter({ api: POLICY }, { clock, store });
    // The store has just been asked, so that the next key waits for some milliseconds.
    await limiter.check({ policy: "api", key: "one" });
    let answer: Decision | undefined;
    const check = limiter.check(TWO).then((decision) => {
      answer = decision;
    });
    const happened = happen(limiter);
    await timer.advanceMs(100);
    assert.deepEqual([answer?.allowed, answer?.source], [true, "lease"]);
    await Promise.all([check, happened]);
    const closing = limiter.close();
    await timer.advanceMs(5_000);
    await closing;
  });
}

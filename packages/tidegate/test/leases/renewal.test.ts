// Leases of keys that are asked for often are renewed before they are spent and before they end, so that nobody waits;
// those of keys that are hardly asked for are not.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow, type Limit, tokenBucket } from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { settled } from "../support/manual-timer.ts";
import { createSharedStore } from "../support/shared-store.ts";
import { createTestLimiter } from "../support/test-limiter.ts";

/** Checks one key every `everyMs`, and counts those that did not decide from memory, and the asks for leases. */
async function ask(limit: Limit, everyMs: number, times: number) {
  const clock = createManualClock();
  const store = createSharedStore(clock);
  const policies = { api: { coordination: "hybrid", limits: [limit] } } as const;
  const { limiter, timer } = createTestLimiter(policies, { clock, store });
  let waited = 0;
  for (let time = 0; time < times; time += 1) {
    let isAnswered = false;
    const check = limiter.check({ policy: "api", key: "one" }).then(({ allowed, source }) => {
      isAnswered = true;
      assert.deepEqual([allowed, source], [true, "lease"]);
    });
    // What comes from memory needs no turn of the event loop.
    for (let hop = 0; hop < 10; hop += 1) await undefined;
    if (!isAnswered) waited += 1;
    await settled();
    await timer.advanceMs(everyMs);
    await check;
  }
  const asks = store.works.filter((work) => work.kind === "lease" && work.ask.want > 0).length;
  await limiter.close();
  return { waited, asks };
}

test("a key that is asked for often waits once: its lease is renewed before it ends", async () => {
  // Of the 25 units that are granted, 20 are asked for until the lease ends.
  const { waited, asks } = await ask(tokenBucket({ capacity: 100, refill: "100/s" }), 50, 100);
  assert.equal(waited, 1);
  assert.ok(asks >= 5 && asks <= 10, `${asks} asks in 5 s`);
});

test("a lease that is spent before it ends is renewed before that", async () => {
  const { waited, asks } = await ask(tokenBucket({ capacity: 100, refill: "100/s" }), 12.5, 400);
  assert.equal(waited, 1);
  assert.ok(asks >= 10 && asks <= 40, `${asks} asks in 5 s`);
});

test("a key that is hardly asked for is not renewed ahead", async () => {
  const { waited, asks } = await ask(tokenBucket({ capacity: 100, refill: "100/s" }), 600, 20);
  assert.equal(asks, waited, "only those who wait ask");
  assert.ok(waited >= 6, `${waited} waited`);
});

test("a lease that ends with its window is not renewed for its end, and the next window waits", async () => {
  const limit = fixedWindow({ limit: 1_000, window: "1s" });
  const { waited, asks } = await ask(limit, 50, 100);
  assert.equal(waited, 5, "once in each window");
  assert.equal(asks, 5);
});

// What keys have taken while their overrides come, go and change; and many overrides at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow, memoryStore, type PolicyOptions, slidingLog, tokenBucket } from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { createTestLimiter } from "../support/test-limiter.ts";

const window = (limit: number) => [fixedWindow({ limit, window: "1h" })];

test("what was taken under an override counts after it has ended, and before it began", async () => {
  const api: PolicyOptions = {
    limits: window(10),
    overrides: [{ key: "vip", limits: window(100), until: "2026-01-01T00:10:00Z" }],
  };
  const { limiter, clock } = createTestLimiter({ api });
  const check = (cost: number) => limiter.check({ policy: "api", key: "vip", cost });
  assert.equal((await check(60)).remaining, 40);
  clock.advanceMs(600_000);
  const ended = await check(1);
  assert.deepEqual([ended.allowed, ended.remaining, ended.limit], [false, 0, 10]);
  assert.equal(ended.retryAfterMs, 3_000_000, "no more than the window");
  limiter.setPolicy("api", { ...api, overrides: [{ key: "vip", limits: window(70) }] });
  assert.equal((await check(0)).remaining, 10, "60 of 70 are in use still");
});

test("an override that is changed at run time keeps what was taken, whatever its limits are", async () => {
  const limits = window(10);
  const { limiter } = createTestLimiter({ api: { limits } });
  const check = (cost: number) => limiter.check({ policy: "api", key: "vip", cost });
  const change = (...override: PolicyOptions["limits"][number][]) => {
    limiter.setPolicy("api", { limits, overrides: [{ key: "vip", limits: override }] });
  };
  await check(8);
  change(...window(50));
  assert.equal((await check(12)).remaining, 30, "raised");
  change(tokenBucket({ capacity: 40, refill: "1/h" }));
  assert.equal((await check(0)).remaining, 20, "another algorithm");
  change(slidingLog({ limit: 30, window: "1h" }));
  assert.equal((await check(0)).remaining, 10, "one with a log");
  change(...window(25), tokenBucket({ capacity: 9, refill: "1/h" }));
  const two = await check(0);
  assert.deepEqual([two.limitName, two.remaining], ["api-1", 5], "the second limit is new");
  limiter.setPolicy("api", { limits });
  assert.equal((await check(1)).allowed, false, "20 are more than 10");
});

test("a block and a limitless time leave what was taken before where it was", async () => {
  const limits = window(10);
  const { limiter } = createTestLimiter({ api: { limits } });
  const request = { policy: "api", key: "a", cost: 4 };
  await limiter.check(request);
  limiter.setPolicy("api", { limits, overrides: [{ key: "a", unlimited: true }] });
  await limiter.check(request);
  limiter.setPolicy("api", { limits, overrides: [{ key: "a", blocked: true }] });
  assert.equal((await limiter.check(request)).allowed, false);
  limiter.setPolicy("api", { limits });
  assert.equal((await limiter.check(request)).remaining, 2);
});

test("reset clears a key under whatever override it is", async () => {
  const limits = window(10);
  const { limiter } = createTestLimiter({ api: { limits } });
  const request = { policy: "api", key: "a", cost: 4 };
  const log = [slidingLog({ limit: 5, window: "1h" })];
  limiter.setPolicy("api", { limits, overrides: [{ key: "a", limits: log }] });
  await limiter.check(request);
  await limiter.reset(request);
  assert.equal((await limiter.check(request)).remaining, 1);
  limiter.setPolicy("api", { limits, overrides: [{ key: "a", blocked: true }] });
  await limiter.reset(request);
  limiter.setPolicy("api", { limits });
  assert.equal((await limiter.check(request)).remaining, 6);
});

test("ten thousand overrides, each with limits of its own, are right and cost no table each", async () => {
  const overrides = Array.from({ length: 10_000 }, (_, index) => ({
    key: `user:${index}`,
    limits:
      index % 2 === 0
        ? window(index + 1)
        : [tokenBucket({ capacity: index + 1, refill: `${(index % 7) + 1}/m` }), ...window(1e9)],
  }));
  const { limiter } = createTestLimiter({ api: { limits: window(3), overrides } });
  const before = process.memoryUsage().arrayBuffers;
  for (const cost of [1, 0]) {
    for (let index = 0; index < 10_000; index += 1) {
      const decision = await limiter.check({ policy: "api", key: `user:${index}`, cost });
      assert.deepEqual([decision.limit, decision.remaining], [index + 1, index], `user:${index}`);
    }
  }
  const grown = process.memoryUsage().arrayBuffers - before;
  // A table has room for 1,024 keys at once: 10,000 of them would take 170 MB.
  assert.ok(grown < 5_000_000, `${grown} bytes for 10,000 keys of 2 or 4 numbers`);
  assert.equal((await limiter.check({ policy: "api", key: "user:10000" })).limit, 3);
});

test("checkEvery over limits of different widths takes from the key it found, swept or not", async () => {
  // The key's state is over when it is found, which is when a sweep for the next key might free its place.
  const clock = createManualClock();
  const store = memoryStore({ clock, sweepSlots: 100 });
  const api = {
    limits: window(5),
    overrides: [{ key: "vip", limits: [...window(5), ...window(50)] }],
  };
  const { limiter } = createTestLimiter({ api }, { clock, store });
  const request = (key: string, cost = 1) => ({ policy: "api", key, cost });
  await limiter.check(request("a"));
  clock.advanceMs(7_200_000);
  assert.equal((await limiter.checkEvery([request("a", 5), request("vip")])).allowed, true);
  assert.equal((await limiter.peek(request("a"))).allowed, false);
  assert.equal((await limiter.peek(request("vip"))).remaining, 4);
  assert.equal(store.size, 2);
});

// What telemetry is told: each decision once, and nothing of what decides nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, type Decision, fixedWindow, leakyBucket } from "tidegate";
import { createTestLimiter } from "../support/test-limiter.ts";

const a = { policy: "api", key: "a" };
const job = { policy: "job", key: "j" };
const hour = (limit: number) => [fixedWindow({ limit, window: "1h" })];
const policies = {
  api: {
    limits: hour(10),
    overrides: [
      { key: "free", unlimited: true },
      { key: "bad", blocked: true },
    ],
  },
  job: { limits: [concurrency({ limit: 1, lease: "10s" })] },
  queue: { limits: [leakyBucket({ rate: "1/s", queue: 3 })] },
};

test("every decision is told once, as it was answered", async () => {
  const { limiter, told, timer } = createTestLimiter(policies);
  const same = async (call: () => Promise<Decision>) => {
    const before = told.length;
    const { policy, key, allowed } = await call();
    assert.equal(told.length, before + 1);
    const last = told.at(-1)!;
    assert.deepEqual([last.policy, last.key, last.allowed], [policy, key, allowed]);
  };
  await same(() => limiter.check(a));
  await same(() => limiter.check({ ...a, cost: 11 }));
  await same(() => limiter.check({ ...a, cost: 0 }));
  await same(() => limiter.check({ ...a, id: "1" }));
  await same(() => limiter.check({ ...a, id: "1" }));
  await same(() => limiter.check({ ...a, key: "free" }));
  await same(() => limiter.check({ ...a, key: "bad" }));
  await same(() => limiter.checkEvery([a, { ...a, key: "b" }]));
  await same(() => limiter.checkEvery([a, { ...a, key: "bad" }]));
  await same(() => limiter.checkEvery([{ ...a, key: "free" }]));
  await same(() => limiter.reserve(a));
  await same(() => limiter.reserve({ ...a, cost: 11 }));
  await same(() => limiter.reserve({ ...a, key: "bad" }));
  await same(() => limiter.schedule(a));
  await same(() => limiter.acquire(job));
  await same(() => limiter.acquire(job));
  await same(() => limiter.acquire({ ...job, key: "other" }));
  const before = told.length;
  await limiter.withPermit({ ...job, key: "third" }, async () => timer.advanceMs(30_000));
  assert.equal(told.length, before + 1);
  const list = await limiter.checkAll([a, { ...a, id: "1" }, { ...a, key: "bad" }]);
  assert.deepEqual(told.slice(before + 1), list);
  const waits = limiter.schedule({ policy: "queue", key: "q", cost: 2 });
  const next = limiter.schedule({ policy: "queue", key: "q" });
  await waits;
  await timer.advanceMs(2_000);
  await next;
  assert.equal(told.length, before + 6);
});

test("nothing is told of looks, settlements, refunds, resets and permits that change", async () => {
  const { limiter, told } = createTestLimiter(policies);
  const reservation = await limiter.reserve({ ...a, cost: 3 });
  const permit = await limiter.acquire(job);
  const before = told.length;
  await limiter.peek(a);
  await limiter.peek({ ...a, key: "bad" });
  await limiter.settle(reservation, 1);
  await limiter.settle(reservation, 1);
  await limiter.refund(a);
  await limiter.refund({ ...a, id: "1" });
  await limiter.extend(permit);
  await limiter.release(permit);
  await limiter.reset(a);
  limiter.describe("api", "a");
  await assert.rejects(limiter.check({ ...a, cost: -1 }));
  await assert.rejects(limiter.checkAll([a, { ...a, cost: -1 }]));
  await assert.rejects(limiter.check(a, { signal: AbortSignal.abort() }));
  assert.equal(told.length, before);
});

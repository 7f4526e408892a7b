// Traps of time and change: clocks that step, times that wobble, limits that are reloaded, denials that outlive them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, type Limit } from "tidegate";
import { ALGORITHMS, inEveryWorld } from "./worlds.ts";

const request = { policy: "api", key: "k" };

inEveryWorld("time", (world) => {
  for (const { name, limitOf, overMs } of ALGORITHMS) {
    const open = (...limits: Limit[]) => world.open({ api: { limits } });

    test(`trap 5: times to retry and to reset are exact, and do not wobble: ${name}`, async () => {
      const limiter = open(limitOf(7));
      await limiter.check({ ...request, cost: 5 });
      await world.pass(1_234);
      const denied = await limiter.check({ ...request, cost: 4 });
      assert.equal(denied.allowed, false);
      const resets: number[] = [];
      let passedMs = 0;
      for (const stepMs of [0, 1, 700, 13, 2_000]) {
        await world.pass(stepMs);
        passedMs += stepMs;
        const look = await limiter.peek({ ...request, cost: 4 });
        if (!look.allowed) assert.equal(look.retryAfterMs! + passedMs, denied.retryAfterMs);
        resets.push(look.resetAfterMs + passedMs);
      }
      assert.deepEqual(new Set(resets).size, 1, resets.join(" "));
      await world.pass(denied.retryAfterMs! - passedMs - 1);
      assert.equal((await limiter.check({ ...request, cost: 4 })).allowed, false, "1 ms before");
      await world.pass(1);
      const admitted = await limiter.check({ ...request, cost: 4 });
      assert.equal(admitted.allowed, true, "exactly then");
      await world.pass(admitted.resetAfterMs);
      assert.equal((await limiter.peek({ ...request, cost: 0 })).remaining, 7, "as if never used");
    });

    test(`trap 6: a denial is over where the limit is raised, and its numbers are of one limit: ${name}`, async () => {
      const limiter = open(limitOf(5));
      await limiter.check({ ...request, cost: 5 });
      for (let time = 0; time < 3; time += 1) {
        const denied = await limiter.check(request);
        const { limitName, limit, remaining } = denied;
        assert.deepEqual([denied.allowed, limitName, limit, remaining], [false, "api", 5, 0]);
      }
      limiter.setPolicy("api", { limits: [limitOf(8)] });
      const admitted = await limiter.check(request);
      assert.deepEqual([admitted.allowed, admitted.limit, admitted.remaining], [true, 8, 2]);
      limiter.setPolicy("api", { limits: [limitOf(8), limitOf(6)] });
      await limiter.check({ ...request, cost: 2 });
      const denied = await limiter.check({ ...request, cost: 5 });
      assert.deepEqual([denied.limitName, denied.limit, denied.remaining], ["api-1", 8, 0]);
    });

    test(`trap 7: a reloaded limit is the new one, with what was consumed: ${name}`, async () => {
      for (const after of ALGORITHMS) {
        const limiter = open(limitOf(10));
        await limiter.check({ ...request, cost: 6 });
        limiter.setPolicy("api", { limits: [after.limitOf(8)] });
        const lowered = await limiter.check({ ...request, cost: 3 });
        assert.deepEqual(
          [lowered.allowed, lowered.limit, lowered.remaining],
          [false, 8, 2],
          after.name,
        );
        limiter.setPolicy("api", { limits: [after.limitOf(50)] });
        assert.equal((await limiter.check({ ...request, cost: 3 })).remaining, 41, after.name);
        limiter.setPolicy("api", { limits: [limitOf(1)] });
        assert.equal((await limiter.check(request)).allowed, false, `${after.name} and back`);
      }
    });

    test(`trap 15: a clock that steps admits no flood and locks nobody out: ${name}`, async () => {
      for (const backMs of [1, 5_000, 59_999, 3_600_000, 400 * 86_400_000]) {
        const limiter = open(limitOf(6));
        await limiter.check({ ...request, cost: 6 });
        await world.pass(-backMs);
        const denied = await limiter.check(request);
        assert.equal(denied.allowed, false, `${backMs} ms back: no flood`);
        assert.ok(
          denied.retryAfterMs! <= 2 * overMs,
          `${denied.retryAfterMs} ms after ${backMs} ms back`,
        );
        await world.pass(2 * overMs);
        assert.equal((await limiter.check({ ...request, cost: 6 })).allowed, true, "no lock-out");
        await world.pass(backMs + 1_000);
      }
      const limiter = open(limitOf(6));
      await limiter.check({ ...request, cost: 6 });
      await world.pass(400 * 86_400_000);
      assert.equal((await limiter.check({ ...request, cost: 6 })).allowed, true, "a long pause");
      assert.equal((await limiter.check(request)).allowed, false, "which saves nothing up");
      await world.pass(-400 * 86_400_000);
      assert.equal((await limiter.check(request)).allowed, false, "and is not had twice");
    });
  }

  test("trap 15: a clock that steps neither frees a permit early nor keeps it for ever", async () => {
    const limiter = world.open({ job: { limits: [concurrency({ limit: 1, lease: "1m" })] } });
    const job = { policy: "job", key: "k" };
    for (const backMs of [1, 30_000, 3_600_000, 400 * 86_400_000]) {
      const permit = await limiter.acquire(job);
      assert.equal(permit.allowed, true);
      await world.pass(-backMs);
      const denied = await limiter.acquire(job);
      assert.equal(denied.allowed, false, `${backMs} ms back`);
      assert.ok(denied.retryAfterMs! <= 120_000, `${denied.retryAfterMs} ms`);
      await world.pass(denied.retryAfterMs!);
      assert.equal(await limiter.extend(permit), false, "its lease has ended");
      await world.pass(backMs);
    }
  });

  test("trap 15: reservations and ids over a stepped clock are settled and answered once", async () => {
    for (const { name, limitOf } of ALGORITHMS) {
      const limiter = world.open({ api: { limits: [limitOf(10)] } });
      const reservation = await limiter.reserve({ ...request, cost: 6, ttl: "1d" });
      const named = await limiter.check({ ...request, cost: 1, id: "r" });
      await world.pass(-5_000);
      assert.deepEqual(await limiter.check({ ...request, cost: 1, id: "r" }), named, name);
      assert.equal((await limiter.settle(reservation, 2)).settled, true);
      const { remaining } = await limiter.settle(reservation, 0);
      // A place in a queue is not given back; and of buckets five seconds more are in use than there were.
      assert.ok(remaining >= 2 && remaining <= 7, `${name}: ${remaining}`);
      await world.pass(5_000);
    }
  });
});

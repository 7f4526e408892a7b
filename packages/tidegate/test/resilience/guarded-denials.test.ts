// Denials that are answered from memory, through a limiter: which calls they save, and what makes them be asked again.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, fixedWindow, type Limiter } from "tidegate";
import { settled } from "../support/manual-timer.ts";
import { brief, createGuardedLimiter, limits } from "./guarded-limiter.ts";

const HOUR_MS = 3_600_000;
const request = { policy: "allow", key: "k" };

/** A limiter whose store has denied the key once. */
async function createDenied() {
  const one = createGuardedLimiter();
  await settled();
  await one.limiter.check({ ...request, cost: 10 });
  const denied = await one.limiter.check(request);
  assert.deepEqual(brief(denied), [false, 0, HOUR_MS, "store"]);
  const asked = one.store.calls.length;
  return { ...one, asked: () => one.store.calls.length - asked };
}

test("a denial is asked once, and then answered from memory for 0.9 s", async () => {
  const { limiter, timer, asked } = await createDenied();
  for (let time = 0; time < 1_000; time += 1) {
    assert.deepEqual(brief(await limiter.check(request)), [false, 0, HOUR_MS, "cache"]);
  }
  assert.equal(asked(), 0);
  await timer.advanceMs(899);
  assert.equal((await limiter.check(request)).retryAfterMs, HOUR_MS - 899);
  const announced = asked();
  await timer.advanceMs(1);
  assert.equal((await limiter.check(request)).source, "store");
  assert.equal(asked(), announced + 1);
});

test("calls that take several parts or reserve are answered from memory too", async () => {
  const { limiter, asked } = await createDenied();
  const other = { policy: "deny", key: "other" };
  assert.equal((await limiter.checkEvery([other, request])).source, "cache");
  assert.equal((await limiter.reserve(request)).source, "cache");
  assert.equal((await limiter.checkAll([request]))[0]?.source, "cache");
  assert.equal((await limiter.schedule(request)).source, "cache");
  assert.equal(asked(), 0);
  assert.equal((await limiter.peek(other)).remaining, 10, "nothing was taken of the other");
});

test("a look, a cost of nothing and an id of the caller's are asked, as long as the store answers", async () => {
  const { limiter, asked } = await createDenied();
  assert.equal((await limiter.peek(request)).source, "store");
  assert.deepEqual(brief(await limiter.check({ ...request, cost: 0 })), [true, 0, 0, "store"]);
  assert.equal((await limiter.check({ ...request, id: "i" })).source, "store");
  assert.equal((await limiter.reserve({ ...request, id: "r" })).source, "store");
  assert.equal((await limiter.checkEvery([request], { id: "e" })).source, "store");
  assert.equal(asked(), 5);
});

test("the answer that an id is told again is old, and is no denial to remember", async () => {
  const { limiter, timer } = await createDenied();
  const named = { ...request, id: "i" };
  await limiter.check(named);
  await limiter.reset(request);
  await timer.advanceMs(1_000);
  assert.deepEqual(brief(await limiter.check(named)), [false, 0, HOUR_MS, "store"]);
  assert.deepEqual(brief(await limiter.check(request)), [true, 9, 0, "store"]);
});

const CHANGES: Record<string, (limiter: Limiter) => Promise<unknown>> = {
  reset: (limiter) => limiter.reset(request),
  refund: (limiter) => limiter.refund({ ...request, cost: 2 }),
  settle: (limiter) => limiter.settle({ ...request, id: "r" }, 1),
};

for (const [name, change] of Object.entries(CHANGES)) {
  test(`trap 6: ${name} forgets what was denied, and what is asked before it and answered after`, async () => {
    const { limiter, store, timer } = createGuardedLimiter();
    await settled();
    await limiter.reserve({ ...request, cost: 10, id: "r" });
    await limiter.check(request);
    assert.equal((await limiter.check(request)).source, "cache");
    const other = limiter.check({ ...request, key: "l", cost: 11 });
    assert.equal((await other).allowed, false);
    await change(limiter);
    assert.deepEqual([(await limiter.check(request)).allowed], [true]);
    assert.equal((await limiter.check({ ...request, key: "l", cost: 11 })).source, "cache");
    await limiter.check({ ...request, cost: 10 });
    await limiter.reset(request);
    await limiter.reserve({ ...request, cost: 10, id: "r2" });
    await timer.advanceMs(2_000);
    store.set("hung");
    const asked = limiter.check({ ...request, cost: 10 });
    store.set("up");
    const changed =
      name === "settle" ? limiter.settle({ ...request, id: "r2" }, 1) : change(limiter);
    // It is denied as the key stood before: the hung call is done first, and answered last.
    await changed;
    store.thaw();
    await asked;
    assert.equal((await limiter.check(request)).source, "store");
  });
}

test("trap 6: a limit that is raised is asked for at once", async () => {
  const { limiter, asked } = await createDenied();
  limiter.setPolicy("allow", { limits: [fixedWindow({ limit: 20, window: "1h" })] });
  assert.deepEqual(brief(await limiter.check(request)), [true, 9, 0, "store"]);
  assert.equal(asked(), 1);
});

test("while the store is away a denial holds for its whole time to retry, also for looks", async () => {
  for (const policy of ["allow", "deny", "local"]) {
    const one = createGuardedLimiter();
    await settled();
    await one.limiter.check({ policy, key: "k", cost: 10 });
    await one.limiter.check({ policy, key: "k", cost: 2 });
    await one.goAway();
    await one.timer.advanceMs(HOUR_MS - 1);
    const denied = await one.limiter.check({ policy, key: "k", cost: 2 });
    assert.deepEqual(brief(denied), [false, 0, 1, "cache"], policy);
    assert.deepEqual(brief(await one.limiter.peek({ policy, key: "k", cost: 2 })), brief(denied));
    assert.equal((await one.limiter.check({ policy, key: "k" })).source !== "cache", true);
    await one.timer.advanceMs(1);
    const after = await one.limiter.check({ policy, key: "k", cost: 2 });
    assert.equal(after.allowed, policy !== "deny", "its time is over");
  }
});

test("before a circuit opens, too, a denial that was known holds where the store does not answer", async () => {
  for (const policy of ["allow", "deny", "local"]) {
    const { limiter, store, timer } = createGuardedLimiter();
    await settled();
    await limiter.check({ policy, key: "k", cost: 10 });
    await limiter.check({ policy, key: "k", cost: 2 });
    await timer.advanceMs(10_000);
    store.set("down");
    assert.equal((await limiter.check({ policy, key: "k", cost: 2 })).source, "cache", policy);
  }
});

test("what gives back and is refused, since the store is away, leaves the denial as it is", async () => {
  const { limiter, goAway } = await createDenied();
  await goAway();
  const away = { code: "STORE_UNAVAILABLE" };
  await assert.rejects(limiter.refund(request), away);
  await assert.rejects(limiter.settle({ ...request, id: "r" }, 1), away);
  await assert.rejects(limiter.reset(request), away);
  assert.equal((await limiter.check(request)).source, "cache");
});

test("what gives back and is not answered may be done yet, so the denial is forgotten", async () => {
  const { limiter, store, expire } = await createDenied();
  store.set("hung");
  const refund = assert.rejects(limiter.refund(request), { code: "STORE_UNAVAILABLE" });
  await expire();
  await refund;
  store.thaw();
  store.set("up");
  assert.deepEqual(brief(await limiter.check(request)), [true, 0, 0, "store"]);
});

test("of several denials that are known, the one to wait longest for is told; null is never hidden", async () => {
  const { limiter, store } = createGuardedLimiter({
    minute: { limits: [fixedWindow({ limit: 1, window: "1m" })] },
    hour: { limits: [fixedWindow({ limit: 1, window: "1h" })] },
    free: { limits: [fixedWindow({ limit: 1, window: "1d" })] },
  });
  const minute = { policy: "minute", key: "k" };
  const hour = { policy: "hour", key: "k" };
  for (const one of [minute, minute, hour, hour]) await limiter.check(one);
  const asked = store.calls.length;
  for (const requests of [
    [minute, hour],
    [hour, minute],
    [{ policy: "free", key: "k" }, minute, hour],
  ]) {
    const { policy, source, retryAfterMs } = await limiter.checkEvery(requests);
    assert.deepEqual([policy, source, retryAfterMs], ["hour", "cache", HOUR_MS]);
  }
  const never = await limiter.checkEvery([hour, { ...minute, cost: 2 }]);
  assert.deepEqual([never.policy, never.source, never.retryAfterMs], ["minute", "cache", null]);
  assert.equal(store.calls.length, asked);
  // That the third never admits it is not known, and would be hidden behind the hour.
  const unknown = await limiter.checkEvery([hour, { policy: "free", key: "k", cost: 2 }]);
  assert.deepEqual([unknown.policy, unknown.source, unknown.retryAfterMs], ["free", "store", null]);
});

test("the part of a checkEvery that denied is remembered, and no other", async () => {
  const { limiter, store } = createGuardedLimiter();
  await settled();
  await limiter.check({ ...request, cost: 10 });
  const other = { policy: "deny", key: "k" };
  assert.equal((await limiter.checkEvery([other, request])).policy, "allow");
  const asked = store.calls.length;
  assert.equal((await limiter.check(request)).source, "cache");
  assert.deepEqual(brief(await limiter.check(other)), [true, 9, 0, "store"]);
  assert.equal(store.calls.length, asked + 1);
});

test("what a shadow lets through is asked each time, and so are permits", async () => {
  const { limiter, store } = createGuardedLimiter({
    shadow: { limits, shadow: true },
    job: { limits: [concurrency({ limit: 1, lease: "1m" })] },
  });
  await limiter.check({ policy: "shadow", key: "k", cost: 10 });
  const permit = await limiter.acquire({ policy: "job", key: "k" });
  for (let time = 0; time < 3; time += 1) {
    const shadow = await limiter.check({ policy: "shadow", key: "k" });
    assert.deepEqual([shadow.allowed, shadow.shadow, shadow.source], [true, true, "store"]);
    const denied = await limiter.acquire({ policy: "job", key: "k" });
    assert.deepEqual([denied.allowed, denied.source], [false, "store"]);
  }
  await limiter.release(permit);
  assert.equal((await limiter.acquire({ policy: "job", key: "k" })).allowed, true);
  assert.equal(store.calls.length, 10);
});

test("an override that ends leaves no denial behind", async () => {
  const until = Date.UTC(2026, 0, 1) + 500;
  const none = [fixedWindow({ limit: 1, window: "1h" })];
  const { limiter, timer } = createGuardedLimiter({
    api: { limits, overrides: [{ key: "k", limits: none, until }] },
  });
  const ask = () => limiter.check({ policy: "api", key: "k" });
  assert.equal((await ask()).allowed, true);
  assert.deepEqual([(await ask()).source, (await ask()).source], ["store", "cache"]);
  await timer.advanceMs(500);
  assert.deepEqual(brief(await ask()), [true, 8, 0, "store"]);
});

test("a clock that is stepped back or forward by an hour asks the store again", async () => {
  for (const stepMs of [-HOUR_MS, HOUR_MS]) {
    const { limiter, clock, asked } = await createDenied();
    clock.advanceMs(stepMs);
    assert.equal((await limiter.check(request)).source, "store");
    assert.equal(asked(), 1);
  }
});

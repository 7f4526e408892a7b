// What is left when a limiter is closed, whatever its store does: no timer, no promise that is pending, no error that
// is nobody's. Any such error fails the test that runs at the time.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency } from "tidegate";
import { settled } from "../support/manual-timer.ts";
import { createGuardedLimiter, type GuardedLimiter, POLICIES } from "./guarded-limiter.ts";

const policies = {
  ...POLICIES,
  job: { limits: [concurrency({ limit: 4, lease: "1m" })], onStoreFailure: "local" },
} as const;

/** Asks everything that there is, and counts what has settled. */
function askAll({ limiter }: GuardedLimiter) {
  const state = { settled: 0, asked: 0 };
  const count = (call: Promise<unknown>) => {
    state.asked += 1;
    const done = () => {
      state.settled += 1;
    };
    call.then(done, done);
  };
  count(limiter.ping());
  for (const policy of ["allow", "deny", "local"]) {
    const request = { policy, key: "k" };
    const calls: Promise<unknown>[] = [
      limiter.check(request),
      limiter.check({ ...request, id: "i" }),
      limiter.checkAll([request, { ...request, key: "l" }]),
      limiter.checkEvery([request, { ...request, key: "l" }]),
      limiter.peek(request),
      limiter.schedule(request),
      limiter.reserve(request),
      limiter.settle({ ...request, id: "r" }, 1),
      limiter.refund(request),
      limiter.reset(request),
      limiter.acquire({ policy: "job", key: "k" }),
      limiter.release({ policy: "job", key: "k", id: "p" }),
      limiter.withPermit({ policy: "job", key: "l" }, async () => 1),
    ];
    for (const call of calls) count(call);
  }
  return state;
}

test("calls of a store that hangs all settle by the deadline, and close leaves no timer", async () => {
  const one = createGuardedLimiter(policies);
  await settled();
  one.store.set("hung");
  const state = askAll(one);
  const closing = one.limiter.close();
  await one.expire();
  await closing;
  // What follows a call by itself, such as the release of a permit, has a deadline of its own.
  await one.expire();
  assert.deepEqual([state.settled, one.timer.size], [state.asked, 0]);
});

for (const end of ["thaw", "lose"] as const) {
  test(`answers that come after close are nobody's: ${end}`, async () => {
    const one = createGuardedLimiter(policies);
    await settled();
    one.store.set("hung");
    const state = askAll(one);
    await one.limiter.close();
    await one.expire();
    one.store[end]();
    await one.expire();
    one.store[end]();
    await one.timer.advanceMs(60_000);
    assert.deepEqual([state.settled, one.timer.size], [state.asked, 0]);
  });
}

test("close while the circuit is open, and during a probe, ends both", async () => {
  for (const waitMs of [0, 50, 60]) {
    const one = createGuardedLimiter(policies);
    await settled();
    await one.goAway();
    one.store.set("hung");
    await one.timer.advanceMs(waitMs);
    await one.limiter.close();
    await settled();
    assert.equal(one.timer.size, 0, `${waitMs} ms`);
    const told = one.changes.length;
    one.store.thaw();
    await one.timer.advanceMs(60_000);
    assert.deepEqual([one.timer.size, one.changes.length], [0, told]);
  }
});

test("a limiter that is closed while it announces itself does not go on", async () => {
  for (const end of ["thaw", "lose", undefined] as const) {
    const one = createGuardedLimiter(policies);
    await settled();
    one.store.set("hung");
    await one.timer.advanceMs(1_000);
    assert.equal(one.store.hanging, 1);
    await one.limiter.close();
    if (end !== undefined) one.store[end]();
    await one.timer.advanceMs(60_000);
    assert.equal(one.timer.size, 0);
  }
});

test("calls that fail once the limiter is closed begin no probes", async () => {
  const one = createGuardedLimiter(policies);
  await settled();
  one.store.set("hung");
  for (let time = 0; time < 10; time += 1) {
    void one.limiter.check({ policy: "allow", key: "k" });
    await settled();
  }
  await one.limiter.close();
  await one.expire();
  assert.deepEqual([one.timer.size, one.changes.length], [0, 0]);
});

test("a checkEvery that gives back after the limiter was closed settles, and leaves nothing", async () => {
  const one = createGuardedLimiter(policies, { cluster: true });
  await settled();
  await one.limiter.check({ policy: "allow", key: "b", cost: 10 });
  one.store.set("hung", "a");
  const asked = one.limiter.checkEvery([
    { policy: "local", key: "a" },
    { policy: "allow", key: "b" },
  ]);
  await one.limiter.close();
  await one.expire();
  assert.equal((await asked).allowed, false);
  one.store.thaw();
  await settled();
  assert.equal(one.timer.size, 0);
});

test("after close every call is refused, whatever the circuit says", async () => {
  const one = createGuardedLimiter(policies);
  await one.goAway();
  await one.limiter.close();
  const closed = { code: "LIMITER_CLOSED" };
  await assert.rejects(one.limiter.check({ policy: "allow", key: "k" }), closed);
  await assert.rejects(one.limiter.refund({ policy: "local", key: "k" }), closed);
  await assert.rejects(one.limiter.ping(), closed);
});

test("an hour away under load: a bounded number of timers, and one probe for each step", async () => {
  const one = createGuardedLimiter(policies);
  await settled();
  await one.goAway();
  one.store.calls.length = 0;
  const minutes = 60;
  for (let minute = 0; minute < minutes; minute += 1) {
    await Promise.all(
      Array.from({ length: 100 }, (_, index) => {
        const policy = ["allow", "deny", "local"][index % 3]!;
        return one.limiter.check({ policy, key: `k${minute}-${index}` });
      }),
    );
    await one.timer.advanceMs(60_000);
    assert.equal(one.timer.size, 2, "the next probe and the next announcement");
  }
  // 50, 100 and 200 ms, and then one every 250.
  assert.deepEqual(new Set(one.store.calls), new Set(["ping"]));
  const probes = 3 + Math.floor((minutes * 60_000 - 350) / 250);
  assert.equal(one.store.calls.length, probes);
});

// Reservations, refunds, permits and several keys as one, through a limiter whose store fails.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, type Limiter } from "tidegate";
import { settled } from "../support/manual-timer.ts";
import { ANSWERS, brief, createGuardedLimiter, limits, POLICIES } from "./guarded-limiter.ts";

const AWAY = { name: "TidegateError", code: "STORE_UNAVAILABLE", transient: true };
const permits = [concurrency({ limit: 4, lease: "1m" })];
const WITH_JOBS = {
  ...POLICIES,
  "job-allow": { limits: permits, onStoreFailure: "allow" },
  "job-deny": { limits: permits, onStoreFailure: "deny" },
  "job-local": { limits: permits, onStoreFailure: "local" },
} as const;

/** The calls that no policy can answer in place of the store. */
const CHANGES: Record<string, (limiter: Limiter, answer: string) => Promise<unknown>> = {
  settle: (limiter, policy) => limiter.settle({ policy, key: "k", id: "unknown" }, 1),
  refund: (limiter, policy) => limiter.refund({ policy, key: "k" }),
  reset: (limiter, policy) => limiter.reset({ policy, key: "k" }),
  release: (limiter, answer) => limiter.release({ policy: `job-${answer}`, key: "k", id: "p" }),
  extend: (limiter, answer) => limiter.extend({ policy: `job-${answer}`, key: "k", id: "p" }),
};

for (const [name, change] of Object.entries(CHANGES)) {
  test(`${name} rejects at the deadline, and at once where the store is known to be away`, async () => {
    for (const answer of ANSWERS) {
      const { limiter, store, timer, expire, goAway } = createGuardedLimiter(WITH_JOBS);
      await settled();
      store.set("hung");
      let rejected = false;
      const asked = change(limiter, answer).catch((error: Error) => {
        rejected = true;
        throw error;
      });
      const outcome = assert.rejects(asked, {
        ...AWAY,
        message: "the store gave no answer within the deadline of 50 ms; it may yet do it",
      });
      await timer.advanceMs(49);
      assert.equal(rejected, false);
      await expire();
      await outcome;
      store.thaw();
      await goAway();
      const calls = store.calls.length;
      await assert.rejects(change(limiter, answer), {
        ...AWAY,
        message:
          "the store is away (Redis gave no answer: test), and is asked again in 50 ms at most",
      });
      assert.equal(store.calls.length, calls);
    }
  });
}

test("what says that it is away is passed on, with its own message", async () => {
  const { limiter, store } = createGuardedLimiter();
  await settled();
  store.set("down");
  const message = "Redis gave no answer: test";
  await assert.rejects(limiter.refund({ policy: "local", key: "k" }), { ...AWAY, message });
  await assert.rejects(limiter.ping(), { ...AWAY, message });
});

test("local: a reservation made in memory is settled there, during the outage and after it", async () => {
  const { limiter, store, goAway, comeBack } = createGuardedLimiter();
  await settled();
  await goAway();
  const during = await limiter.reserve({ policy: "local", key: "k", cost: 3 });
  const after = await limiter.reserve({ policy: "local", key: "k", cost: 2 });
  assert.deepEqual([during.source, after.remaining], ["fallback", 0]);
  const settlement = await limiter.settle(during, 1);
  assert.deepEqual(
    [settlement.settled, settlement.remaining, settlement.source],
    [true, 2, "fallback"],
  );
  await comeBack();
  const calls = store.calls.length;
  assert.equal((await limiter.settle(after, 1)).settled, true);
  assert.equal(store.calls.length, calls);
  const unknown = await limiter.settle({ policy: "local", key: "k", id: "unknown" }, 1);
  assert.deepEqual([unknown.settled, unknown.source], [false, "store"]);
});

test("local: what the store has reserved is settled there, and rejects until it can be", async () => {
  const { limiter, goAway, comeBack } = createGuardedLimiter();
  await settled();
  const reservation = await limiter.reserve({ policy: "local", key: "k", cost: 8 });
  await goAway();
  await assert.rejects(limiter.settle(reservation, 2), AWAY);
  await comeBack();
  const settlement = await limiter.settle(reservation, 2);
  assert.deepEqual([settlement.settled, settlement.remaining], [true, 8]);
});

test("local: a reset that fails forgets nothing of what memory has counted, one that is done all of it", async () => {
  const { limiter, store, expire, goAway, comeBack } = createGuardedLimiter();
  await settled();
  const request = { policy: "local", key: "k" };
  const left = async () => (await limiter.peek({ ...request, cost: 0 })).remaining;
  await goAway();
  assert.deepEqual(brief(await limiter.check({ ...request, cost: 5 })), [true, 0, 0, "fallback"]);
  await assert.rejects(limiter.reset(request), AWAY);
  assert.equal(await left(), 0, "the store was known to be away");
  await comeBack();
  store.set("hung");
  const asked = assert.rejects(limiter.reset(request), AWAY);
  await expire();
  await asked;
  store.lose();
  await goAway();
  assert.equal(await left(), 0, "the store did not answer");
  await comeBack();
  await limiter.reset(request);
  await goAway();
  assert.equal(await left(), 5);
});

test("local: permits are this node's share in memory, and are extended and released there", async () => {
  const { limiter, goAway, comeBack } = createGuardedLimiter(WITH_JOBS);
  await settled();
  await goAway();
  const request = { policy: "job-local", key: "k" };
  const [first, second, third] = await Promise.all([
    limiter.acquire(request),
    limiter.acquire(request),
    limiter.acquire(request),
  ]);
  assert.deepEqual([first.allowed, second.allowed, third.allowed], [true, true, false]);
  assert.deepEqual([first.source, first.leaseMs], ["fallback", 60_000]);
  assert.equal(await limiter.extend(first), true);
  assert.equal(await limiter.release(first), true);
  assert.equal((await limiter.acquire(request)).allowed, true);
  await comeBack();
  assert.equal(await limiter.release(second), true);
  assert.equal(await limiter.release(second), false, "the store does not know it either");
});

test("allow and deny: a permit that nobody counts has no lease, and there is none where it is denied", async () => {
  const { limiter, goAway } = createGuardedLimiter(WITH_JOBS);
  await goAway();
  const open = await limiter.acquire({ policy: "job-allow", key: "k" });
  assert.deepEqual([open.allowed, open.leaseMs, open.source], [true, 0, "fail-open"]);
  const closed = await limiter.acquire({ policy: "job-deny", key: "k" });
  assert.deepEqual([closed.allowed, closed.source], [false, "fail-closed"]);
  const result = await limiter.withPermit({ policy: "job-allow", key: "k" }, async () => "done");
  assert.ok(result.allowed && result.value === "done");
});

test("work under a permit that nobody counts is not told that it lost it", async () => {
  const { limiter, goAway, timer } = createGuardedLimiter(WITH_JOBS);
  await goAway();
  const { promise, resolve } = Promise.withResolvers<void>();
  let lost: AbortSignal | undefined;
  const working = limiter.withPermit({ policy: "job-allow", key: "k" }, (_permit, signal) => {
    lost = signal;
    return promise;
  });
  await timer.advanceMs(3_600_000);
  assert.equal(lost?.aborted, false);
  resolve();
  assert.equal((await working).allowed, true);
});

test("several policies as one: each as it says, and where one denies nothing is taken", async () => {
  const { limiter, goAway } = createGuardedLimiter();
  await settled();
  await goAway();
  const part = (policy: string, cost = 1) => ({ policy, key: "k", cost });
  const every = async (...parts: ReturnType<typeof part>[]) =>
    brief(await limiter.checkEvery(parts));
  assert.deepEqual(await every(part("allow"), part("local", 2)), [true, 3, 0, "fallback"]);
  assert.deepEqual(await every(part("local"), part("deny")), [false, 0, 50, "fail-closed"]);
  assert.deepEqual(await every(part("local"), part("allow", 11)), [false, 10, null, "fail-open"]);
  assert.deepEqual(await every(part("local", 11), part("deny")), [false, 3, null, "fallback"]);
  assert.deepEqual(await every(part("local", 4)), [false, 3, 3_600_000, "fallback"]);
  assert.equal((await limiter.peek({ policy: "local", key: "k" })).remaining, 3);
});

test("with a policy of this node's own as one: that is given back where the other is denied", async () => {
  const { limiter, goAway, comeBack } = createGuardedLimiter({
    ...POLICIES,
    own: { limits, coordination: "local" },
  });
  await settled();
  await goAway();
  const part = (policy: string) => ({ policy, key: "k" });
  const left = async () => (await limiter.peek({ ...part("own"), cost: 0 })).remaining;
  assert.equal((await limiter.checkEvery([part("own"), part("allow")])).allowed, true);
  assert.equal(await left(), 9);
  assert.equal((await limiter.checkEvery([part("own"), part("deny")])).allowed, false);
  assert.equal(await left(), 9);
  await limiter.check({ ...part("own"), cost: 9 });
  assert.equal((await limiter.checkEvery([part("own"), part("local")])).allowed, false);
  const share = await limiter.peek({ ...part("local"), cost: 0 });
  assert.deepEqual([share.remaining, share.source], [5, "fallback"]);
  await comeBack();
  assert.equal((await limiter.checkEvery([part("own"), part("local")])).allowed, false);
  assert.equal((await limiter.peek({ ...part("local"), cost: 0 })).remaining, 10);
});

test("a permit that is acquired by somebody who goes away meanwhile is given back in memory", async () => {
  const { limiter, goAway } = createGuardedLimiter(WITH_JOBS);
  await settled();
  await goAway();
  const gone = new AbortController();
  const asked = limiter.acquire({ policy: "job-local", key: "k" }, { signal: gone.signal });
  gone.abort(new Error("gone"));
  await assert.rejects(asked, /gone/);
  await settled();
  assert.equal((await limiter.peek({ policy: "job-local", key: "k" })).remaining, 2);
});

for (const answer of ANSWERS) {
  test(`${answer}: a permit that comes too late is given back, unless its id is the caller's`, async () => {
    const { limiter, store, expire, late } = createGuardedLimiter(WITH_JOBS);
    await settled();
    const request = { policy: `job-${answer}`, key: "k" };
    const held = async () => 4 - (await limiter.peek({ ...request, cost: 0 })).remaining;
    store.set("hung");
    const nameless = limiter.acquire(request);
    await expire();
    assert.notEqual((await nameless).source, "store");
    store.set("up");
    store.thaw();
    await settled();
    assert.deepEqual([await held(), late.length], [0, 1]);
    // It may have been acquired again by then, and is held once.
    store.set("hung");
    const named = limiter.acquire({ ...request, id: "mine" });
    await expire();
    await named;
    store.set("up");
    store.thaw();
    await settled();
    assert.deepEqual([await held(), late.length], [1, 2]);
  });
}

test("a permit that is given after its time and cannot be given back is nobody's error", async () => {
  const { limiter, store, expire, late } = createGuardedLimiter(WITH_JOBS);
  await settled();
  store.set("hung");
  const asked = limiter.acquire({ policy: "job-deny", key: "k" });
  await expire();
  await asked;
  store.set("down");
  store.thaw();
  await settled();
  assert.deepEqual([late.length, store.calls.at(-1)], [1, "release"]);
});

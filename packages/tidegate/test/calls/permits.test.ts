// acquire, release and extend: who holds how many units, and until when.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, fixedWindow, type Held, memoryStore, slidingLog } from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { createSharedStore } from "../support/shared-store.ts";
import { createTestLimiter } from "../support/test-limiter.ts";

const job = { policy: "job", key: "j" };

function create(limit = 3, more: ReturnType<typeof fixedWindow>[] = []) {
  const limits = [concurrency({ limit, lease: "10s" }), ...more];
  const own = createTestLimiter({ job: { limits }, api: { limits: more.length ? more : limits } });
  const held = async () => limit - (await own.limiter.peek({ ...job, cost: 0 })).remaining;
  return { ...own, held };
}

test("permits are held until they are released, each once", async () => {
  const { limiter, held } = create(2);
  const first = await limiter.acquire(job);
  assert.deepEqual(
    [first.allowed, first.cost, first.leaseMs, first.remaining, first.limitName],
    [true, 1, 10_000, 1, "job"],
  );
  const second = await limiter.acquire(job);
  assert.notEqual(first.id, second.id);
  const denied = await limiter.acquire(job);
  assert.deepEqual([denied.allowed, denied.retryAfterMs], [false, 10_000]);
  assert.equal(await limiter.release(first), true);
  assert.equal(await limiter.release(first), false, "it is held no more");
  assert.equal(await limiter.release(denied), false, "it never was");
  assert.equal(await held(), 1);
  assert.equal((await limiter.acquire(job)).allowed, true);
  assert.equal(await limiter.release({ ...job, key: "other", id: second.id }), false);
  assert.equal(await held(), 2);
});

test("a permit comes back when its lease ends, unless it is extended", async () => {
  const { limiter, clock, held } = create(2);
  const kept = await limiter.acquire(job);
  const left = await limiter.acquire(job);
  clock.advanceMs(9_999);
  assert.equal(await limiter.extend(kept), true);
  const denied = await limiter.acquire(job);
  assert.deepEqual([denied.allowed, denied.retryAfterMs], [false, 1]);
  clock.advanceMs(1);
  assert.equal(await held(), 1, "the lease of one has ended");
  assert.equal(await limiter.extend(left), false, "and begins no more");
  assert.equal(await limiter.release(left), false);
  clock.advanceMs(9_998);
  assert.equal(await held(), 1);
  clock.advanceMs(1);
  assert.equal(await held(), 0);
  assert.equal(await limiter.extend(kept), false);
});

test("a permit may be for several units, and for none is refused", async () => {
  const { limiter, held } = create(5);
  const three = await limiter.acquire({ ...job, cost: 3 });
  assert.deepEqual([three.allowed, three.cost, three.remaining], [true, 3, 2]);
  assert.equal((await limiter.acquire({ ...job, cost: 3 })).allowed, false);
  assert.equal((await limiter.acquire({ ...job, cost: 2 })).allowed, true);
  const never = await limiter.acquire({ ...job, cost: 6 });
  assert.deepEqual([never.allowed, never.retryAfterMs], [false, null]);
  assert.equal(await limiter.extend(three), true);
  assert.equal(await limiter.release(three), true);
  assert.equal(await held(), 2);
  await assert.rejects(limiter.acquire({ ...job, cost: 0 }), {
    code: "INVALID_REQUEST",
    field: "cost",
    message: "cost must be at least 1 for a permit, got 0",
  });
});

test("acquired again under its id, a permit is held once", async () => {
  const { limiter, held } = create(2);
  const request = { ...job, id: "worker-1" };
  for (let time = 0; time < 3; time += 1) {
    const permit = await limiter.acquire(request);
    assert.deepEqual([permit.allowed, permit.id, permit.remaining], [true, "worker-1", 1]);
  }
  await limiter.acquire(job);
  assert.equal((await limiter.acquire(request)).allowed, true, "also where there is no room");
  assert.equal(await limiter.release(request), true);
  assert.equal(await limiter.release(request), false);
  assert.equal(await held(), 1);
  assert.equal((await limiter.acquire(request)).allowed, true, "free to be taken again");
});

test("acquired again under its id, a permit is told with its units and what is left of its lease", async () => {
  const { limiter, clock, held } = create(5);
  const request = { ...job, id: "worker-1" };
  const first = await limiter.acquire({ ...request, cost: 3 });
  assert.deepEqual([first.cost, first.leaseMs], [3, 10_000]);
  const again = async (cost: number) => {
    const permit = await limiter.acquire({ ...request, cost });
    return [permit.allowed, permit.cost, permit.leaseMs];
  };
  assert.deepEqual(await again(3), [true, 3, 10_000]);
  clock.advanceMs(4_000);
  assert.deepEqual(await again(3), [true, 3, 6_000]);
  assert.deepEqual(await again(1), [true, 3, 6_000], "whatever is asked for");
  assert.deepEqual(await again(9), [true, 3, 6_000], "also what would never fit");
  clock.setUs(clock.now() + 1);
  assert.deepEqual(await again(3), [true, 3, 5_999], "rounded down");
  assert.equal(await held(), 3);
  assert.equal(await limiter.extend(request), true);
  assert.deepEqual(
    await again(3),
    [true, 3, 10_000],
    "extending begins it anew, and asking does not",
  );
  clock.setUs(clock.now() + 9_999_999);
  assert.deepEqual(await again(3), [true, 3, 1], "0 would be none");
  clock.setUs(clock.now() + 1);
  assert.deepEqual(await again(2), [true, 2, 10_000], "another one, since that one has ended");
  assert.equal(await held(), 2);
});

test("of several concurrency limits, what is left is that of the lease that ends first", async () => {
  const limits = [
    concurrency({ limit: 4, lease: "10s", name: "long" }),
    concurrency({ limit: 4, lease: "3s", name: "short" }),
  ];
  const { limiter, clock } = createTestLimiter({ job: { limits } });
  const request = { ...job, id: "a", cost: 2 };
  const answer = async () => {
    const permit = await limiter.acquire(request);
    return [permit.cost, permit.leaseMs];
  };
  assert.deepEqual(await answer(), [2, 3_000]);
  clock.advanceMs(1_000);
  assert.deepEqual(await answer(), [2, 2_000]);
  clock.advanceMs(3_000);
  assert.deepEqual(await answer(), [2, 6_000], "held of the long one still");
});

test("the other limits of the policy are charged as by a check, and stay so", async () => {
  const { limiter } = create(2, [fixedWindow({ limit: 3, window: "1h", name: "hourly" })]);
  const permits: Held[] = [];
  for (let count = 0; count < 3; count += 1) {
    const permit = await limiter.acquire(job);
    assert.equal(permit.allowed, true);
    await limiter.release(permit);
    permits.push(permit);
  }
  const denied = await limiter.acquire(job);
  assert.deepEqual([denied.allowed, denied.limitName], [false, "hourly"]);
  assert.equal(denied.retryAfterMs, 3_600_000);
});

test("permits are acquired, and other policies are checked: each refusal says what to do", async () => {
  const { limiter } = create(2, [fixedWindow({ limit: 3, window: "1h" })]);
  const acquireIt =
    'policy must be one without a concurrency limit, got "job": ' +
    "acquire a permit of it, and release that afterwards";
  const refused = { code: "INVALID_REQUEST", field: "policy", message: acquireIt };
  await assert.rejects(limiter.check(job), refused);
  await assert.rejects(limiter.check({ ...job, id: "1" }), refused);
  await assert.rejects(limiter.schedule(job), refused);
  await assert.rejects(limiter.reserve(job), refused);
  await assert.rejects(limiter.refund(job), refused);
  await assert.rejects(limiter.settle({ ...job, id: "1" }, 1), refused);
  const inList = { ...refused, field: "requests[1].policy", message: `requests[1]: ${acquireIt}` };
  const api = { policy: "api", key: "a" };
  await assert.rejects(limiter.checkAll([api, job]), inList);
  await assert.rejects(limiter.checkEvery([api, job]), inList);
  const checkIt = {
    code: "INVALID_REQUEST",
    field: "policy",
    message: 'policy must be one with a concurrency limit, got "api": check it',
  };
  await assert.rejects(limiter.acquire(api), checkIt);
  await assert.rejects(limiter.release({ ...api, id: "1" }), checkIt);
  await assert.rejects(limiter.extend({ ...api, id: "1" }), checkIt);
  await assert.rejects(
    limiter.withPermit(api, async () => 1),
    checkIt,
  );
  assert.equal((await limiter.peek(job)).allowed, true, "a look says whether there is one");
  assert.equal((await limiter.peek(api)).remaining, 3, "nothing was taken");
});

test("what names a permit is refused by field where it names none", async () => {
  const { limiter } = create();
  const table: [held: unknown, field: string][] = [
    [null, "request"],
    [{ ...job }, "id"],
    [{ ...job, id: "" }, "id"],
    [{ ...job, id: 5 }, "id"],
    [{ ...job, id: "x".repeat(129) }, "id"],
    [{ policy: "job", key: "", id: "1" }, "key"],
    [{ key: "j", id: "1" }, "policy"],
  ];
  for (const [held, field] of table) {
    for (const method of ["release", "extend"] as const) {
      const call = limiter[method](held as Held);
      await assert.rejects(call, { code: "INVALID_REQUEST", field }, `${method}, ${field}`);
    }
  }
  await assert.rejects(limiter.acquire({ ...job, id: "" }), { field: "id" });
  const longest = { ...job, id: "\0\n\ud800".padEnd(128, "x") };
  assert.equal((await limiter.acquire(longest)).id, longest.id);
  assert.equal(await limiter.release(longest), true);
});

test("keys without a limit and blocked ones hold no permits", async () => {
  const overrides = [
    { key: "free", unlimited: true },
    { key: "bad", blocked: true },
  ];
  const limits = [concurrency({ limit: 1, lease: "10s" })];
  const { limiter } = createTestLimiter({ job: { limits, overrides } });
  const free = await Promise.all(
    Array.from({ length: 5 }, () => limiter.acquire({ policy: "job", key: "free" })),
  );
  for (const permit of free) {
    assert.deepEqual([permit.allowed, permit.leaseMs], [true, 0]);
    assert.deepEqual([await limiter.extend(permit), await limiter.release(permit)], [true, true]);
  }
  const bad = await limiter.acquire({ policy: "job", key: "bad" });
  assert.deepEqual([bad.allowed, bad.limitName], [false, "blocked"]);
  assert.deepEqual([await limiter.extend(bad), await limiter.release(bad)], [false, false]);
});

test("changed limits and leases hold for what is acquired from then on", async () => {
  const { limiter, clock, held } = create(3);
  const old = await limiter.acquire({ ...job, cost: 3 });
  limiter.setPolicy("job", { limits: [concurrency({ limit: 1, lease: "2s" })] });
  const denied = await limiter.acquire(job);
  assert.deepEqual([denied.allowed, denied.remaining], [false, 0]);
  assert.equal(denied.retryAfterMs, 10_000);
  assert.equal(await limiter.release(old), true);
  const permit = await limiter.acquire(job);
  assert.deepEqual([permit.allowed, permit.leaseMs], [true, 2_000]);
  clock.advanceMs(2_000);
  assert.equal(await held(), 2, "one remains of one");
});

test("reset takes all permits back", async () => {
  const { limiter, held } = create(2);
  const permit = await limiter.acquire(job);
  await limiter.acquire(job);
  await limiter.reset(job);
  assert.equal(await held(), 0);
  assert.equal(await limiter.release(permit), false);
  assert.equal(await limiter.extend(permit), false);
});

test("a shadow policy gives out more permits than it has, and says so", async () => {
  const limits = [concurrency({ limit: 1, lease: "10s" })];
  const { limiter } = createTestLimiter({ job: { limits, shadow: true } });
  const permit = await limiter.acquire(job);
  const beyond = await limiter.acquire(job);
  assert.deepEqual([beyond.allowed, beyond.shadow, permit.shadow], [true, true, false]);
  assert.equal(await limiter.release(beyond), false, "there is nothing to release");
  assert.equal(await limiter.release(permit), true);
});

test("an acquisition that is given up while it is under way is released, unless it was named", async () => {
  const clock = createManualClock();
  const store = createSharedStore(clock);
  const limits = [concurrency({ limit: 1, lease: "10s" })];
  const { limiter } = createTestLimiter({ job: { limits } }, { clock, store });
  const giveUp = async (id?: string) => {
    const controller = new AbortController();
    const request = id === undefined ? job : { ...job, id };
    const call = limiter.acquire(request, { signal: controller.signal });
    controller.abort(new Error("gone"));
    await assert.rejects(call, /gone/);
  };
  await giveUp();
  await limiter.ping();
  assert.equal((await limiter.peek(job)).allowed, true);
  await giveUp("mine");
  assert.equal((await limiter.acquire({ ...job, id: "mine" })).allowed, true, "it may be repeated");
  assert.equal((await limiter.peek(job)).allowed, false);
});

test("keys that share a count for want of room get their permits back all the same", async () => {
  const clock = createManualClock();
  const store = memoryStore({ clock, maxKeys: 1 });
  const limits = [concurrency({ limit: 1, lease: "10s" }), slidingLog({ limit: 9, window: "1s" })];
  const { limiter } = createTestLimiter({ job: { limits } }, { clock, store });
  const room = await limiter.acquire({ policy: "job", key: "first" });
  const shared = await limiter.acquire({ policy: "job", key: "second" });
  assert.deepEqual([room.allowed, shared.allowed, store.size], [true, true, 1]);
  assert.equal((await limiter.acquire({ policy: "job", key: "third" })).allowed, false);
  await limiter.release(room);
  clock.advanceMs(1_000);
  assert.equal(
    (await limiter.acquire({ policy: "job", key: "fourth" })).allowed,
    true,
    "room again",
  );
  assert.equal(await limiter.extend(shared), true);
  assert.equal(await limiter.release(shared), true);
  assert.equal(await limiter.release(shared), false);
});

test("a permit of a key that had no room is found by its id, also when the key has room by then", async () => {
  const clock = createManualClock();
  const store = memoryStore({ clock, maxKeys: 1 });
  const limits = [concurrency({ limit: 2, lease: "10s" })];
  const { limiter } = createTestLimiter({ job: { limits } }, { clock, store });
  const room = await limiter.acquire({ policy: "job", key: "first" });
  const acquire = (key: string) => limiter.acquire({ policy: "job", key, id: "run-1" });
  const second = await acquire("second");
  assert.deepEqual([second.allowed, second.remaining, second.leaseMs], [true, 1, 10_000]);
  const third = await acquire("third");
  assert.deepEqual([third.allowed, third.remaining], [true, 0], "not that of another key");
  assert.equal(await limiter.release(third), true);
  clock.advanceMs(1_000);
  for (const released of [false, true]) {
    if (released) await limiter.release(room);
    const again = await acquire("second");
    assert.deepEqual([again.allowed, again.leaseMs], [true, 9_000]);
  }
  assert.equal(await limiter.release(second), true);
  assert.equal(await limiter.release(second), false, "it was held once");
  const fresh = await acquire("second");
  assert.deepEqual([fresh.remaining, fresh.leaseMs, store.size], [1, 10_000, 1]);
});

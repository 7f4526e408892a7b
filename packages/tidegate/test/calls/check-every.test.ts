// checkEvery in one store: several policies and keys decided as one.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CheckRequest,
  concurrency,
  fixedWindow,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { createTestLimiter } from "../support/test-limiter.ts";

const hour = (limit: number) => [fixedWindow({ limit, window: "1h" })];
const policies = {
  user: { limits: [tokenBucket({ capacity: 5, refill: "5/h" })] },
  organisation: { limits: [slidingLog({ limit: 8, window: "1h" })] },
  endpoint: { limits: [slidingWindow({ limit: 100, window: "1h" }), ...hour(50)] },
  trial: { limits: hour(2), shadow: true },
  plan: { limits: [fixedWindow({ limit: 3, window: "1h", soft: true })] },
  queue: { limits: [leakyBucket({ rate: "1/s", queue: 3 })] },
  lists: {
    limits: hour(10),
    overrides: [
      { key: "free", unlimited: true },
      { key: "bad", blocked: true },
    ],
  },
  marked: { limits: hour(10), shadow: true, overrides: [{ key: "bad", blocked: true }] },
  job: { limits: [concurrency({ limit: 1, lease: "1m" })] },
};

function create() {
  const own = createTestLimiter(policies);
  const left = async (policy: string, key: string) => {
    return (await own.limiter.peek({ policy, key, cost: 0 })).remaining;
  };
  return { ...own, left };
}

const user = { policy: "user", key: "u" };
const organisation = { policy: "organisation", key: "o" };
const endpoint = { policy: "endpoint", key: "e" };

test("all or nothing: where one denies, nothing is taken from any", async () => {
  const { limiter, left } = create();
  const lefts = async () => [
    await left("user", "u"),
    await left("organisation", "o"),
    await left("endpoint", "e"),
  ];
  const every = (cost: number) => {
    return limiter.checkEvery([{ ...user, cost }, organisation, { ...endpoint, cost: 10 }]);
  };
  const admitted = await every(2);
  assert.equal(admitted.allowed, true);
  assert.deepEqual([admitted.policy, admitted.key, admitted.remaining], ["user", "u", 3]);
  assert.deepEqual(await lefts(), [3, 7, 40]);
  await limiter.check({ ...organisation, cost: 7 });
  for (let time = 0; time < 3; time += 1) {
    const denied = await every(1);
    assert.equal(denied.allowed, false);
    assert.deepEqual([denied.policy, denied.key, denied.limit], ["organisation", "o", 8]);
  }
  assert.deepEqual(await lefts(), [3, 0, 40]);
});

test("the decision is that of the request to wait longest for, whichever place it has", async () => {
  const { limiter, clock } = create();
  await limiter.check({ ...user, cost: 5 });
  clock.advanceMs(60_000);
  await limiter.check({ ...organisation, cost: 8 });
  for (const requests of [
    [user, organisation, endpoint],
    [endpoint, organisation, user],
  ]) {
    const denied = await limiter.checkEvery(requests);
    assert.deepEqual([denied.policy, denied.retryAfterMs], ["organisation", 3_600_000]);
    clock.advanceMs(denied.retryAfterMs! - 1);
    assert.equal((await limiter.checkEvery(requests)).allowed, false);
    clock.advanceMs(1);
    const admitted = await limiter.checkEvery(requests);
    assert.equal(admitted.allowed, true, "exactly then");
    await limiter.refund(user);
    await limiter.refund(organisation);
    await limiter.check({ ...organisation, cost: 8 });
  }
  const never = await limiter.checkEvery([organisation, { ...user, cost: 6 }]);
  assert.deepEqual([never.policy, never.retryAfterMs], ["user", null], "none helps");
});

test("requests for one policy key are one, with the sum of their costs", async () => {
  const { limiter, left } = create();
  const twice = await limiter.checkEvery([user, organisation, { ...user, cost: 3 }]);
  assert.equal(twice.allowed, true);
  assert.equal(await left("user", "u"), 1);
  assert.equal((await limiter.checkEvery([user, user])).allowed, false, "each would fit alone");
  assert.equal(await left("user", "u"), 1);
  const large = { ...user, cost: 600_000_000 };
  await assert.rejects(limiter.checkEvery([large, large]), { field: "cost" });
  const colons: CheckRequest[] = [
    { policy: "user", key: "a:b" },
    { policy: "user", key: "a" },
  ];
  await limiter.checkEvery(colons);
  assert.deepEqual([await left("user", "a:b"), await left("user", "a")], [4, 4]);
});

test("requests of 0 units take nothing, and 1 to 64 of them are taken", async () => {
  const { limiter, left } = create();
  const requests = Array.from({ length: 64 }, (_, index) => ({
    policy: "endpoint",
    key: `e${index}`,
    cost: index % 2,
  }));
  assert.equal((await limiter.checkEvery(requests)).allowed, true);
  assert.deepEqual([await left("endpoint", "e1"), await left("endpoint", "e2")], [49, 50]);
  assert.equal((await limiter.checkEvery([user])).remaining, 4);
  const zero = await limiter.checkEvery([
    { ...user, cost: 0 },
    { ...organisation, cost: 0 },
  ]);
  assert.deepEqual([zero.allowed, zero.remaining], [true, 4]);
  for (const list of [[], [...requests, user], Array.from({ length: 100_000 }, () => user)]) {
    await assert.rejects(limiter.checkEvery(list), {
      code: "INVALID_REQUEST",
      field: "requests",
      message: `requests must be a list of 1 to 64 requests, got ${list.length}`,
    });
  }
});

test("a key without a limit is no part of it; of such keys alone it is admitted", async () => {
  const { limiter, left } = create();
  const free = { policy: "lists", key: "free", cost: 1_000_000 };
  const mixed = await limiter.checkEvery([free, user]);
  assert.deepEqual([mixed.allowed, mixed.policy, mixed.remaining], [true, "user", 4]);
  const alone = await limiter.checkEvery([free, free]);
  assert.deepEqual([alone.allowed, alone.limitName], [true, "unlimited"]);
  assert.equal((await limiter.checkEvery([free, { ...user, cost: 5 }])).allowed, false);
  assert.equal(await left("user", "u"), 4);
});

test("a blocked key denies all of it, unless its policy is a shadow, which is said", async () => {
  const { limiter, left, told } = create();
  const denied = await limiter.checkEvery([user, { policy: "lists", key: "bad" }, organisation]);
  assert.deepEqual(
    [denied.allowed, denied.policy, denied.limitName, denied.retryAfterMs],
    [false, "lists", "blocked", null],
  );
  assert.deepEqual([await left("user", "u"), await left("organisation", "o")], [5, 8]);
  const marked = { policy: "marked", key: "bad" };
  const admitted = await limiter.checkEvery([user, marked]);
  assert.deepEqual([admitted.allowed, admitted.shadow], [true, true]);
  assert.equal((await limiter.checkEvery([marked])).shadow, true);
  assert.equal((await limiter.checkEvery([{ policy: "lists", key: "free" }, marked])).shadow, true);
  assert.equal(await left("user", "u"), 4);
  assert.equal(told.length, 4, "one decision each");
});

test("a shadow among them denies nothing and takes nothing that it would deny", async () => {
  const { limiter, left } = create();
  const trial = { policy: "trial", key: "t", cost: 2 };
  assert.equal((await limiter.checkEvery([trial, user])).shadow, false);
  const beyond = await limiter.checkEvery([trial, user]);
  assert.deepEqual([beyond.allowed, beyond.shadow], [true, true]);
  assert.deepEqual([await left("trial", "t"), await left("user", "u")], [0, 3]);
  const denied = await limiter.checkEvery([
    { policy: "trial", key: "other" },
    { ...user, cost: 4 },
  ]);
  assert.deepEqual([denied.allowed, denied.policy, denied.shadow], [false, "user", false]);
  assert.equal(await left("trial", "other"), 2, "nothing is taken anywhere");
});

test("the flags and the delay are those of all", async () => {
  const { limiter } = create();
  const plan = { policy: "plan", key: "p", cost: 4 };
  const queue = { policy: "queue", key: "q" };
  const first = await limiter.checkEvery([plan, { ...queue, cost: 2 }]);
  assert.deepEqual([first.soft, first.nearLimit, first.delayMs], [true, true, 0]);
  const second = await limiter.checkEvery([queue, endpoint]);
  assert.deepEqual([second.soft, second.delayMs], [false, 2_000]);
});

test("wrong requests are refused by place, before anything is taken", async () => {
  const { limiter, left } = create();
  const table: [request: unknown, code: string, field: string, message?: RegExp][] = [
    [{ policy: "user", key: "" }, "INVALID_REQUEST", "requests[1].key"],
    [{ policy: "user", key: "x".repeat(1e6) }, "INVALID_REQUEST", "requests[1].key"],
    [{ ...user, cost: 0.5 }, "INVALID_REQUEST", "requests[1].cost"],
    [{ policy: "users", key: "u" }, "UNKNOWN_POLICY", "requests[1].policy", /did you mean "user"/],
    [null, "INVALID_REQUEST", "requests[1]"],
    [
      { policy: "job", key: "j" },
      "INVALID_REQUEST",
      "requests[1].policy",
      /without a concurrency limit, got "job": acquire a permit/,
    ],
    [
      { ...user, id: "1" },
      "INVALID_REQUEST",
      "requests[1].id",
      /id must be left out: one id, an option, is for all of them/,
    ],
  ];
  for (const [request, code, field, message = /./] of table) {
    const call = limiter.checkEvery([user, request as CheckRequest]);
    await assert.rejects(call, { code, field, message });
  }
  await assert.rejects(limiter.checkEvery("all" as never), { field: "requests" });
  await assert.rejects(limiter.checkEvery([user], { id: "" }), { field: "id" });
  await assert.rejects(limiter.checkEvery([user], { id: "x".repeat(129) }), { field: "id" });
  assert.equal(await left("user", "u"), 5);
  const reason = new Error("gone");
  const signal = AbortSignal.abort(reason);
  await assert.rejects(limiter.checkEvery([user], { signal }), reason);
  assert.equal(await left("user", "u"), 5);
});

// Ids of requests: the same id answers the same decision and is charged once, within its time.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type CheckRequest,
  fixedWindow,
  leakyBucket,
  memoryStore,
  slidingLog,
  tokenBucket,
} from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { createTestLimiter } from "../support/test-limiter.ts";

const a = { policy: "api", key: "a" };

function create(settings: { readonly idTtl?: string } = {}, maxRecords = 1_000) {
  const clock = createManualClock();
  const store = memoryStore({ clock, maxRecords });
  const limits = [fixedWindow({ limit: 10, window: "1h" })];
  const policies = {
    api: { limits, ...settings },
    web: { limits },
    log: { limits: [slidingLog({ limit: 10, window: "1h" })] },
    bucket: { limits: [tokenBucket({ capacity: 10, refill: "1/h" })] },
    queue: { limits: [leakyBucket({ rate: "1/s", queue: 9 })] },
  };
  const own = createTestLimiter(policies, { clock, store });
  const left = async (request: CheckRequest = a) => {
    return (await own.limiter.peek({ ...request, cost: 0 })).remaining;
  };
  return { ...own, left };
}

test("a repeated request answers the same and is charged once, whatever the algorithm", async () => {
  const { limiter, clock, left } = create();
  for (const policy of ["api", "log", "bucket", "queue"]) {
    const request = { policy, key: "a", cost: 3, id: "r1" };
    await limiter.check({ policy, key: "a", cost: 2 });
    const first = await limiter.check(request);
    clock.advanceMs(500);
    await limiter.check({ policy, key: "a" });
    for (let time = 0; time < 3; time += 1) {
      assert.deepEqual(await limiter.check(request), first, policy);
    }
    assert.equal(first.delayMs, policy === "queue" ? 2_000 : 0);
    assert.equal(await left(request), 4, policy);
  }
});

test("a repeated denial is denied again, also where there would be room by now", async () => {
  const { limiter, left } = create();
  await limiter.check({ ...a, cost: 9 });
  const request = { ...a, cost: 2, id: "r1" };
  const denied = await limiter.check(request);
  assert.equal(denied.allowed, false);
  await limiter.reset(a);
  assert.deepEqual(await limiter.check(request), denied);
  assert.equal(await left(), 10);
  assert.equal((await limiter.check({ ...request, id: "r2" })).allowed, true);
});

test("an id is one policy key's, and may be any text", async () => {
  const { limiter, left } = create();
  const ids = ["1", "1 ", "\0", "\n", "\ud800", "a".repeat(128), "__proto__", "id:1"];
  for (const id of ids) await limiter.check({ ...a, id });
  for (const id of ids) await limiter.check({ ...a, id });
  assert.equal(await left(), 10 - ids.length);
  // Policy, key and id that are the same when they are joined.
  for (const [key, id] of [
    ["k", "1:x"],
    ["k:1", "x"],
    ["k1", ":x"],
  ] as const) {
    for (const policy of ["api", "web"]) {
      await limiter.check({ policy, key, id });
      assert.equal(await left({ policy, key }), 9, `${policy}, ${key}, ${id}`);
    }
  }
});

test("an id is remembered for a minute, or as long as its policy says", async () => {
  for (const [settings, ms] of [
    [{}, 60_000],
    [{ idTtl: "30m" }, 1_800_000],
    [{ idTtl: "1ms" }, 1],
  ] as const) {
    const { limiter, clock, left } = create(settings);
    const request = { ...a, id: "r1" };
    await limiter.check(request);
    clock.setUs(clock.now() + 1_000 * ms - 1);
    await limiter.check(request);
    assert.equal(await left(), 9, `${ms} ms`);
    clock.setUs(clock.now() + 1);
    await limiter.check(request);
    await limiter.check(request);
    assert.equal(await left(), 8, "another request, and from then on remembered again");
  }
});

test("an id that comes with another cost, or other keys, is refused by name and charged nothing", async () => {
  const { limiter, left } = create();
  await limiter.check({ ...a, cost: 2, id: "r1" });
  const refused = {
    code: "INVALID_REQUEST",
    field: "id",
    message:
      'id must name one request only, got "r1", which came with another cost or other keys before',
  };
  const b = { policy: "web", key: "b" };
  await assert.rejects(limiter.check({ ...a, cost: 3, id: "r1" }), refused);
  await assert.rejects(limiter.check({ ...a, cost: 0, id: "r1" }), refused);
  await assert.rejects(limiter.reserve({ ...a, cost: 3, id: "r1" }), refused);
  await assert.rejects(limiter.refund({ ...a, cost: 2, id: "r1" }), refused);
  await assert.rejects(limiter.checkEvery([{ ...a, cost: 2 }, b], { id: "r1" }), refused);
  await limiter.checkEvery([a, b], { id: "r2" });
  await assert.rejects(limiter.checkEvery([a, { ...b, cost: 2 }], { id: "r2" }), { field: "id" });
  await assert.rejects(limiter.checkEvery([a, { ...b, key: "c" }], { id: "r2" }), { field: "id" });
  await assert.rejects(limiter.check({ ...a, id: "r2" }), { field: "id" });
  assert.deepEqual([await left(), await left(b)], [7, 9]);
});

test("the same keys in another order are the same request, as long as any of their policies remembers", async () => {
  const { limiter, clock } = createTestLimiter({
    api: { limits: [fixedWindow({ limit: 10, window: "1h" })], idTtl: "1s" },
    web: { limits: [fixedWindow({ limit: 10, window: "1h" })], idTtl: "5s" },
  });
  const parts = [a, { policy: "api", key: "b", cost: 2 }, { policy: "web", key: "a" }];
  const [first, second, third] = parts as [typeof a, typeof a, typeof a];
  const remaining = async () => {
    const looks = parts.map(({ policy, key }) => limiter.peek({ policy, key, cost: 0 }));
    return (await Promise.all(looks)).map((look) => look.remaining);
  };
  for (const order of [parts, [third, second, first], [second, third, first]]) {
    assert.equal((await limiter.checkEvery(order, { id: "every" })).remaining, 8);
    assert.deepEqual(await remaining(), [9, 8, 9]);
    clock.advanceMs(1_600);
  }
  clock.advanceMs(200);
  await limiter.checkEvery([third, second, first], { id: "every" });
  assert.deepEqual(await remaining(), [8, 6, 8], "forgotten after five seconds");
});

test("what is not an id is refused by name", async () => {
  const { limiter } = create();
  for (const id of ["", "x".repeat(129), 5, null, {}] as never[]) {
    const refused = {
      code: "INVALID_REQUEST",
      field: "id",
      message: /^id must be a string of 1 to 128/,
    };
    await assert.rejects(limiter.check({ ...a, id }), refused);
    await assert.rejects(limiter.schedule({ ...a, id }), refused);
    await assert.rejects(limiter.reserve({ ...a, id }), refused);
    await assert.rejects(limiter.refund({ ...a, id }), refused);
    await assert.rejects(limiter.settle({ ...a, id }, 1), refused);
    await assert.rejects(limiter.checkEvery([a], { id }), refused);
    await assert.rejects(limiter.checkAll([{ ...a, id }]), {
      ...refused,
      field: "requests[0].id",
      message: /./,
    });
  }
});

test("reserve, refund and checkEvery are repeated under their ids as well", async () => {
  const { limiter, left } = create();
  const reserve = { ...a, cost: 4, id: "reserve" };
  const first = await limiter.reserve(reserve);
  assert.deepEqual(await limiter.reserve(reserve), first);
  assert.equal(await left(), 6);
  await limiter.settle(first, 1);
  assert.equal((await limiter.reserve(reserve)).allowed, true, "answered again, charged no more");
  assert.equal(await left(), 9);
  const refund = { ...a, cost: 1, id: "refund" };
  await limiter.check({ ...a, cost: 4 });
  for (let time = 0; time < 3; time += 1) assert.equal((await limiter.refund(refund)).remaining, 6);
  const every = [a, { policy: "web", key: "b" }];
  for (let time = 0; time < 3; time += 1) {
    const decision = await limiter.checkEvery(every, { id: "every" });
    assert.deepEqual([decision.allowed, decision.remaining], [true, 5]);
  }
  assert.deepEqual([await left(), await left(every[1])], [5, 9]);
});

test("batches with ids, and looks, which take nothing and heed none", async () => {
  const { limiter, left } = create();
  const request = { ...a, cost: 2, id: "r1" };
  const both = await limiter.checkAll([request, request, { ...request, id: "r2" }]);
  assert.deepEqual(
    both.map(({ remaining }) => remaining),
    [8, 8, 6],
  );
  assert.equal((await limiter.peek({ ...request, id: "r3" })).allowed, true);
  assert.equal((await limiter.peek({ ...request, cost: 9 })).allowed, false);
  assert.equal((await limiter.check({ ...request, id: "r3" })).remaining, 4);
  assert.equal(await left(), 4);
});

test("a batch that an id fails tells of all that were decided, those behind it included", async () => {
  const { limiter, told } = create();
  const web = { policy: "web", key: "b" };
  const asked = limiter.checkAll([a, { ...a, id: "r1" }, { ...a, cost: 2, id: "r1" }, web]);
  await assert.rejects(asked, { code: "INVALID_REQUEST", field: "id" });
  assert.deepEqual(
    told.map(({ policy, remaining }) => [policy, remaining]),
    [
      ["api", 9],
      ["api", 8],
      ["web", 9],
    ],
  );
});

test("where limits have changed since, the answer stays, in the numbers of now", async () => {
  const { limiter } = create();
  const admitted = { ...a, cost: 6, id: "r1" };
  const denied = { ...a, cost: 6, id: "r2" };
  await limiter.check(admitted);
  await limiter.check(denied);
  limiter.setPolicy("api", { limits: [fixedWindow({ limit: 100, window: "1h" })] });
  const again = await limiter.check(admitted);
  assert.deepEqual([again.allowed, again.limit, again.remaining], [true, 100, 94]);
  const still = await limiter.check(denied);
  assert.deepEqual([still.allowed, still.limit, still.remaining], [false, 100, 94]);
  limiter.setPolicy("api", { limits: [fixedWindow({ limit: 3, window: "1h" })] });
  const beyond = await limiter.check(admitted);
  assert.deepEqual([beyond.allowed, beyond.remaining, beyond.retryAfterMs], [true, 0, 0]);
});

test("a policy that is a shadow, or has soft limits, repeats its flags", async () => {
  const limits = [fixedWindow({ limit: 1, window: "1h", soft: true })];
  const hard = [fixedWindow({ limit: 1, window: "1h" })];
  const { limiter } = createTestLimiter({
    soft: { limits },
    shadow: { limits: hard, shadow: true },
  });
  for (const policy of ["soft", "shadow"] as const) {
    const request = { policy, key: "a", cost: 2, id: "r1" };
    const first = await limiter.check(request);
    assert.deepEqual([first.allowed, first[policy]], [true, true]);
    assert.deepEqual(await limiter.check(request), first);
  }
});

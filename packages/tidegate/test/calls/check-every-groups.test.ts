// checkEvery over several stores and Cluster slots: what one group took is given back where another denies or fails.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CheckRequest, fixedWindow, type Limit, slidingLog, tokenBucket } from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { createSharedStore } from "../support/shared-store.ts";
import { createTestLimiter } from "../support/test-limiter.ts";

/** What no policy answers in place of: a fault of the store itself. */
const BROKEN = "broken";

const hour = (limit: number) => [fixedWindow({ limit, window: "1h" })];

/** Policies of this node, and of a store of three slots: keys of "a...", "b..." and "c...". */
function create(limits: Record<string, Limit[]> = {}, settings: { idTtl?: string } = {}) {
  const clock = createManualClock();
  const store = createSharedStore(clock, { slots: true, fail: () => new Error(BROKEN) });
  const policies = {
    node: { limits: hour(5), coordination: "local" as const },
    api: { limits: hour(5) },
    log: { limits: [slidingLog({ limit: 5, window: "1h" })] },
    bucket: { limits: [tokenBucket({ capacity: 5, refill: "5/h" })] },
    ...Object.fromEntries(
      Object.entries(limits).map(([name, list]) => [name, { limits: list, ...settings }]),
    ),
  };
  const own = createTestLimiter(policies, { clock, store });
  const left = async (policy: string, key: string) => {
    return (await own.limiter.peek({ policy, key, cost: 0 })).remaining;
  };
  const drain = (policy: string, key: string) => own.limiter.check({ policy, key, cost: 5 });
  const lefts = (...requests: CheckRequest[]) => {
    return Promise.all(requests.map(({ policy, key }) => left(policy!, key)));
  };
  return { ...own, store, lefts, drain };
}

const node = { policy: "node", key: "n", cost: 2 };
const a = { policy: "api", key: "a", cost: 2 };
const b = { policy: "api", key: "b", cost: 2 };
const c = { policy: "log", key: "c", cost: 2 };

test("this node's limits and the store's are decided as one", async () => {
  const { limiter, lefts, drain, store } = create();
  const requests = [node, a, b, c];
  const first = await limiter.checkEvery(requests);
  assert.deepEqual([first.allowed, first.remaining], [true, 3]);
  assert.deepEqual(await lefts(...requests), [3, 3, 3, 3]);
  assert.equal(store.works.length, 3, "a piece of work for each slot");
  await drain("api", "b2");
  const denied = await limiter.checkEvery([node, a, { ...b, key: "b2" }, c]);
  assert.deepEqual([denied.allowed, denied.key, denied.source], [false, "b2", "store"]);
  assert.deepEqual(await lefts(...requests), [3, 3, 3, 3], "all is given back");
  await drain("node", "n2");
  const local = await limiter.checkEvery([a, { ...node, key: "n2" }]);
  assert.deepEqual([local.allowed, local.policy, local.source], [false, "node", "local"]);
  assert.deepEqual(await lefts(a), [3]);
});

test("of several groups that deny, the decision is that to wait longest for", async () => {
  const { limiter, clock, drain } = create({ day: [fixedWindow({ limit: 5, window: "1d" })] });
  clock.advanceMs(60_000);
  await drain("day", "a");
  await drain("api", "b");
  const denied = await limiter.checkEvery([b, { policy: "day", key: "a" }]);
  assert.deepEqual([denied.policy, denied.retryAfterMs], ["day", 86_340_000]);
  const never = await limiter.checkEvery([
    { policy: "day", key: "a" },
    { ...b, cost: 6 },
  ]);
  assert.equal(never.retryAfterMs, null);
});

test("what has come back by itself is not given back again", async () => {
  const { limiter, clock, lefts, drain, store } = create();
  const bucket = { policy: "bucket", key: "a", cost: 5 };
  // The other slot's answer takes so long that the bucket has filled again, and somebody else has drained it.
  const gate = Promise.withResolvers<void>();
  const run = store.run.bind(store);
  store.run = async (work) => {
    const { key } = work.kind === "take" ? work.parts[0]! : work.part;
    if (key === "b") await gate.promise;
    return run(work);
  };
  const call = limiter.checkEvery([bucket, b]);
  clock.advanceMs(3_600_000);
  assert.equal((await limiter.check(bucket)).allowed, true);
  await drain("api", "b");
  gate.resolve();
  assert.equal((await call).allowed, false);
  assert.deepEqual(await lefts(bucket), [0]);
});

test("what has come back by itself is known for longer than an id is remembered", async () => {
  const { limiter, clock, lefts, drain, store } = create(
    { quick: [tokenBucket({ capacity: 5, refill: "5/s" })] },
    { idTtl: "1ms" },
  );
  const quick = { policy: "quick", key: "a", cost: 5 };
  // Has units that are taken later return earlier than the instants that they are known by.
  await limiter.settle(await limiter.reserve({ ...quick, ttl: "1ms" }), 0);
  const gate = Promise.withResolvers<void>();
  const run = store.run.bind(store);
  store.run = async (work) => {
    const { key } = work.kind === "take" ? work.parts[0]! : work.part;
    if (key === "b") await gate.promise;
    return run(work);
  };
  const call = limiter.checkEvery([quick, { policy: "quick", key: "b" }], { id: "order-16" });
  clock.advanceMs(1_500);
  assert.equal((await limiter.check(quick)).allowed, true, "it has come back");
  await drain("quick", "b");
  gate.resolve();
  assert.equal((await call).allowed, false);
  assert.deepEqual(await lefts(quick), [0]);
});

test("where a group fails, what others took is given back, and the failure is told", async () => {
  for (const ending of ["lost", "late"] as const) {
    const { limiter, lefts, store, told } = create();
    store.endings.push("ok", ending);
    await assert.rejects(limiter.checkEvery([node, a, b]), { message: BROKEN });
    const expected = ending === "lost" ? 5 : 3;
    assert.deepEqual(await lefts(node, a, b), [5, 5, expected], `never more than was taken`);
    assert.equal(told.length, 0);
  }
});

test("where giving back fails too, it stays taken", async () => {
  const { limiter, lefts, store } = create();
  store.endings.push("ok", "lost", "lost");
  await assert.rejects(limiter.checkEvery([a, b]), { message: BROKEN });
  assert.deepEqual(await lefts(a, b), [3, 5]);
});

test("under an id a call that failed is repeated, and charged once", async () => {
  for (const ending of ["lost", "late"] as const) {
    const { limiter, lefts, store } = create();
    const options = { id: "order-7" };
    store.endings.push("ok", ending);
    await assert.rejects(limiter.checkEvery([node, a, b], options), { message: BROKEN });
    for (let time = 0; time < 3; time += 1) {
      const again = await limiter.checkEvery([node, a, b], options);
      assert.deepEqual([again.allowed, again.remaining], [true, 3]);
    }
    assert.deepEqual(await lefts(node, a, b), [3, 3, 3], ending);
  }
});

test("under an id a denial is answered again, and what was given back is given once", async () => {
  const { limiter, lefts, drain } = create();
  await drain("api", "b");
  const options = { id: "order-8" };
  assert.equal((await limiter.checkEvery([a, b], options)).allowed, false);
  await limiter.check({ ...a, cost: 4 });
  await limiter.reset(b);
  for (let time = 0; time < 3; time += 1) {
    const again = await limiter.checkEvery([a, b], options);
    assert.deepEqual([again.allowed, again.key], [false, "b"]);
  }
  assert.deepEqual(await lefts(a, b), [1, 5]);
});

test("under an id the denial that is answered again is the same, however short its wait is", async () => {
  const { limiter, drain, lefts } = create({
    fine: [tokenBucket({ capacity: 5, refill: "1000/s" })],
  });
  const fine = { policy: "fine", key: "b" };
  await drain("fine", "b");
  const options = { id: "order-17" };
  const first = await limiter.checkEvery([a, fine, c], options);
  assert.deepEqual([first.allowed, first.key, first.retryAfterMs], [false, "b", 1]);
  assert.deepEqual(await limiter.checkEvery([c, fine, a], options), first);
  assert.deepEqual(await lefts(a, c), [5, 5]);
});

test("a denial that comes when the call is repeated gives back what the first call took", async () => {
  const { limiter, lefts, drain, store } = create();
  const options = { id: "order-9" };
  store.endings.push("ok", "lost");
  await assert.rejects(limiter.checkEvery([a, b], options));
  assert.deepEqual(await lefts(a, b), [3, 5], "kept for the repetition");
  await drain("api", "b");
  assert.equal((await limiter.checkEvery([a, b], options)).allowed, false);
  assert.deepEqual(await lefts(a), [5]);
});

test("what was given back under an id stays denied, also where the one that denied has forgotten", async () => {
  const { limiter, clock, lefts, drain, store } = create({
    shut: [fixedWindow({ limit: 5, window: "1h" })],
  });
  // As a policy's `onStoreFailure` denies: under the id nothing of it is remembered.
  await drain("shut", "b");
  const run = store.run.bind(store);
  store.run = async (work) => {
    const isOther = work.kind === "take" && work.parts[0]!.key === "b";
    return run(isOther ? { ...work, record: { id: "unheard of", ttlUs: 1 } } : work);
  };
  const options = { id: "order-14" };
  const requests = [a, { policy: "log", key: "a", cost: 1 }, { policy: "shut", key: "b" }];
  assert.equal((await limiter.checkEvery(requests, options)).allowed, false);
  assert.deepEqual(await lefts(...requests), [5, 5, 0], "all is given back");
  store.run = run;
  await limiter.reset({ policy: "shut", key: "b" });
  clock.advanceMs(1_000);
  for (let time = 0; time < 3; time += 1) {
    const again = await limiter.checkEvery(requests, options);
    assert.deepEqual([again.allowed, again.key], [false, "a"]);
    assert.deepEqual(await lefts(...requests), [5, 5, 5], "nothing is had without being charged");
    clock.advanceMs(10_000);
  }
  const fresh = await limiter.checkEvery(requests, { id: "order-15" });
  assert.deepEqual([fresh.allowed, ...(await lefts(...requests))], [true, 3, 4, 4]);
});

test("where one group refuses the id as another request's, what the others took is given back", async () => {
  const { limiter, lefts, drain, told } = create();
  const options = { id: "order-10" };
  const refused = { code: "INVALID_REQUEST", field: "id" };
  for (const earlier of [{ ...b, cost: 1 }, b]) {
    await limiter.check({ ...earlier, ...options });
    const [left] = await lefts(earlier);
    const before = told.length;
    for (let time = 0; time < 3; time += 1) {
      await assert.rejects(limiter.checkEvery([node, a, b, c], options), refused);
      assert.deepEqual(
        await lefts(node, a, b, c),
        [5, 5, left, 5],
        "also where the cost is the same",
      );
    }
    assert.equal(told.length, before);
    await drain("log", "c2");
    await assert.rejects(limiter.checkEvery([a, b, { ...c, key: "c2" }], options), refused);
    assert.deepEqual(await lefts(a), [5], "also beside a denial");
    await limiter.reset(b);
    options.id += "+";
  }
});

test("a group that refuses the id is told before one that cannot be reached", async () => {
  for (const ending of ["lost", "late"] as const) {
    const { limiter, lefts, store } = create();
    const options = { id: "order-11" };
    await limiter.check({ ...c, cost: 1, ...options });
    store.endings.push(ending);
    await assert.rejects(limiter.checkEvery([a, b, c], options), { code: "INVALID_REQUEST" });
    assert.deepEqual(await lefts(a, b, c), [ending === "lost" ? 5 : 3, 5, 4]);
  }
});

test("an id of several groups stands for all of them together", async () => {
  const refused = { code: "INVALID_REQUEST", field: "id" };
  const options = { id: "order-12" };
  const { limiter, lefts } = create();
  await limiter.checkEvery([node, a, b], options);
  assert.equal((await limiter.checkEvery([b, a, node], options)).allowed, true);
  for (const others of [
    [node, a],
    [node, a, c],
    [node, a, b, c],
    [node, a, { ...b, cost: 1 }],
  ]) {
    await assert.rejects(limiter.checkEvery(others, options), refused, JSON.stringify(others));
  }
  for (const part of [node, a, b]) {
    await assert.rejects(limiter.check({ ...part, ...options }), refused);
    await assert.rejects(limiter.reserve({ ...part, ...options }), refused);
    assert.equal((await limiter.settle({ ...part, ...options }, 0)).settled, false);
  }
  assert.deepEqual(await lefts(node, a, b, c), [3, 3, 3, 5]);
});

test("what was given back under an id is not had under it without being charged", async () => {
  const { limiter, lefts, drain } = create();
  const options = { id: "order-13" };
  await drain("api", "b");
  assert.equal((await limiter.checkEvery([a, b], options)).allowed, false);
  await assert.rejects(limiter.check({ ...a, ...options }), { code: "INVALID_REQUEST" });
  assert.deepEqual(await lefts(a), [5]);
});

test("no id of a caller's is taken for that under which something is given back", async () => {
  for (const id of ["1", "1\0back", "back", `${"back".padEnd(127)}1`, "back".padEnd(128)]) {
    const { limiter, lefts, drain } = create();
    await drain("api", "b");
    await limiter.refund({ ...a, id });
    const every = limiter.checkEvery([a, b], { id: "1" });
    if (id === "1") await assert.rejects(every, { field: "id" }, "it names a refund already");
    else assert.equal((await every).allowed, false);
    assert.deepEqual(await lefts(a), [5], JSON.stringify(id));
  }
});

// Hybrid: what is decided from memory, when the store is asked, and that nothing is admitted twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { calendarWindow, fixedWindow, slidingWindow, tokenBucket } from "tidegate";
import { settled } from "../support/manual-timer.ts";
import { BUCKET, createHybridNodes } from "./hybrid-nodes.ts";

const HOUR = fixedWindow({ limit: 100, window: "1h" });

test("a cold key waits for the store, a warm one is decided from memory", async () => {
  const limit = fixedWindow({ limit: 1_000, window: "1h" });
  const { check, store, close } = createHybridNodes([limit]);
  const first = await check("k");
  assert.deepEqual(
    [first.allowed, first.source, first.limit, first.remaining],
    [true, "lease", 1_000, 999],
  );
  assert.deepEqual(store.calls, ["lease"]);
  // A node alone has on top what it may need while the lease lasts.
  for (let time = 2; time <= 250; time += 1) {
    const decision = await check("k");
    assert.deepEqual([decision.source, decision.remaining], ["lease", 1_000 - time]);
  }
  assert.ok(store.calls.length <= 12, `${store.calls}`);
  await close();
});

test("all waiters of a key share one request, and the first are served first", async () => {
  const { check, store, close } = createHybridNodes([HOUR], { leaseFraction: 0 });
  const costs = [30, 40, 20, 5, 10, 5];
  const decisions = await Promise.all(costs.map((cost) => check("k", cost)));
  assert.deepEqual(store.calls, ["lease"]);
  assert.deepEqual(
    decisions.map(({ allowed }) => allowed),
    [true, true, true, true, false, true],
  );
  await close();
});

test("all keys that are asked for within 5 ms go out in one turn, the first at once", async () => {
  const { limiter, store, timer, clock, close } = createHybridNodes();
  const check = (key: string) => limiter.check({ policy: "api", key });
  await check("a");
  assert.equal(store.calls.length, 1);
  const later = [check("b"), check("c")];
  await timer.advanceMs(3);
  later.push(check("d"));
  await timer.advanceMs(1);
  assert.equal(store.calls.length, 1, "not before 5 ms are over");
  await timer.advanceMs(1);
  assert.equal(store.calls.length, 4);
  await Promise.all(later);
  clock.advanceMs(6);
  await check("e");
  assert.equal(store.calls.length, 5, "at once where it was quiet");
  await close();
});

test("a lease is renewed in the background before it runs dry", async () => {
  const { limiter, timer, store, close } = createHybridNodes([
    tokenBucket({ capacity: 10_000, refill: "1000/s" }),
  ]);
  const waits: boolean[] = [];
  for (let step = 0; step < 1_500; step += 1) {
    const before = store.calls.length;
    const answer = limiter.check({ policy: "api", key: "k" });
    let isDone = false;
    void answer.then(() => {
      isDone = true;
    });
    await Promise.resolve();
    await Promise.resolve();
    waits.push(!isDone);
    await timer.advanceMs(2);
    assert.equal((await answer).allowed, true);
    assert.ok(store.calls.length - before <= 1);
  }
  assert.deepEqual(waits.indexOf(true), 0);
  assert.ok(waits.filter(Boolean).length <= 3, `${waits.filter(Boolean).length} checks waited`);
  assert.ok(store.calls.length < 40, `${store.calls.length} calls`);
  await close();
});

for (const limit of [
  HOUR,
  slidingWindow({ limit: 100, window: "1h" }),
  calendarWindow({ limit: 100, per: "day" }),
  tokenBucket({ capacity: 100, refill: "1/h" }),
]) {
  test(`nodes together admit the limit and not one more: ${limit.algorithm}`, async () => {
    const nodes = createHybridNodes([limit], {}, { count: 5 });
    let admitted = 0;
    for (let step = 0; step < 400; step += 1) {
      const answers = nodes.limiters.map((limiter) => limiter.check({ policy: "api", key: "k" }));
      await nodes.timer.advanceMs(7);
      for (const { allowed, source } of await Promise.all(answers)) {
        assert.equal(source, "lease");
        if (allowed) admitted += 1;
      }
    }
    assert.equal(admitted, 100);
    assert.equal(await nodes.left(), 0);
    await nodes.close();
  });
}

test("after a grant that fell short the store is not asked before syncInterval", async () => {
  for (const syncInterval of [50, 100, 700]) {
    const limits = [tokenBucket({ capacity: 10, refill: "100/s" })];
    const nodes = createHybridNodes(limits, { syncInterval });
    const { check, timer, close } = nodes;
    await check("k", 10);
    const start = nodes.asked;
    const denied = await check("k", 10);
    assert.deepEqual([denied.allowed, denied.source], [false, "lease"]);
    const asked = nodes.asked;
    assert.equal(asked, start + 1);
    for (let ms = 0; ms < syncInterval - 1; ms += 1) {
      assert.equal((await check("k")).allowed, false, `after ${ms} ms`);
      await timer.advanceMs(1);
    }
    assert.equal(nodes.asked, asked, `${syncInterval}`);
    await timer.advanceMs(1);
    await check("k");
    await settled();
    assert.equal(nodes.asked, asked + 1, `${syncInterval}`);
    await close();
  }
});

test("while a denial is asked about again in the background, nobody waits for the store", async () => {
  const nodes = createHybridNodes([HOUR]);
  const { check, timer, store, close } = nodes;
  await check("k", 100);
  assert.equal((await check("k")).allowed, false);
  const { asked } = nodes;
  await timer.advanceMs(900);
  store.set("hung");
  assert.equal((await check("k")).allowed, false);
  await settled();
  assert.equal(nodes.asked, asked + 1);
  assert.equal((await check("k")).allowed, false);
  store.set("up");
  store.thaw();
  await close();
});

const WAITS = [
  tokenBucket({ capacity: 20, refill: "3/s" }),
  tokenBucket({ capacity: 20, refill: "7/m" }),
  fixedWindow({ limit: 20, window: "7s" }),
  slidingWindow({ limit: 20, window: "5s" }),
  calendarWindow({ limit: 20, per: "day" }),
];

for (const limits of [...WAITS.map((limit) => [limit]), WAITS.slice(0, 4)]) {
  for (const syncInterval of ["10ms", "100ms", "3s"]) {
    const name = limits.map(({ algorithm, windowUs }) => `${algorithm} of ${windowUs / 1e6} s`);
    test(`retryAfterMs is honest: ${name.join(", ")}, syncInterval ${syncInterval}`, async () => {
      for (const [spent, first, cost] of [
        [20, 1, 1],
        [20, 5, 17],
        [20, 17, 5],
        [13, 8, 20],
        [13, 8, 9],
        [0, 13, 8],
      ] as const) {
        const nodes = createHybridNodes(limits, { syncInterval }, { count: 2 });
        const { check, timer } = nodes;
        if (spent > 0) await check("k", spent, 1);
        await check("k", first);
        const denied = await check("k", cost);
        const said = `${spent}, ${first}, ${cost}: ${JSON.stringify(denied)}`;
        assert.equal(denied.allowed, false, said);
        assert.ok(denied.retryAfterMs! > 0, said);
        assert.ok(denied.remaining >= 0 && denied.remaining < cost, said);
        assert.ok(denied.resetAfterMs >= 0, said);
        await timer.advanceMs(denied.retryAfterMs!);
        const again = await check("k", cost);
        assert.equal(again.allowed, true, `${said}, then ${JSON.stringify(again)}`);
        await nodes.close();
      }
    });
  }
}

test("a cost above the limit is never there, and not asked about again and again", async () => {
  const { check, store, close, left } = createHybridNodes([HOUR]);
  await check("k");
  const never = await check("k", 101);
  assert.deepEqual([never.allowed, never.retryAfterMs], [false, null]);
  const calls = store.calls.length;
  for (let time = 0; time < 50; time += 1) {
    assert.equal((await check("k", 101)).retryAfterMs, null);
  }
  assert.equal(store.calls.length, calls);
  await close();
  assert.equal(await left(), 99, "and does not make a node want more");
});

test("a cost larger than what is in hand takes the rest and asks for what is missing", async () => {
  const { check, left, close, admitted } = createHybridNodes([HOUR], { leaseFraction: 0.5 });
  await check("k", 10);
  const inHand = 90 - (await left());
  assert.equal(inHand, 40);
  const all = await check("k", 90);
  assert.deepEqual([all.allowed, all.remaining], [true, 0]);
  assert.equal(await admitted(3), 0);
  await close();
  assert.equal(await left(), 0);
});

test("a cost of 0 looks, with what is in hand", async () => {
  const { check, limiter, store, close } = createHybridNodes([HOUR]);
  await check("k", 10);
  const look = await check("k", 0);
  assert.deepEqual([look.allowed, look.remaining], [true, 90]);
  const peek = await limiter.peek({ policy: "api", key: "k", cost: 90 });
  assert.deepEqual([peek.allowed, peek.remaining, peek.source], [true, 90, "store"]);
  const beyond = await limiter.peek({ policy: "api", key: "k", cost: 91 });
  assert.deepEqual([beyond.allowed, beyond.remaining], [false, 90]);
  const never = await limiter.peek({ policy: "api", key: "k", cost: 101 });
  assert.equal(never.retryAfterMs, null);
  assert.deepEqual(
    store.calls.filter((call) => call !== "lease"),
    ["peek", "peek", "peek", "peek"],
  );
  await close();
});

test("several limits: what is granted is in all of them, and the one that binds is told", async () => {
  const limits = [
    fixedWindow({ limit: 50, window: "1h", name: "hour" }),
    tokenBucket({ capacity: 8, refill: "1/s", name: "burst" }),
  ];
  const { check, admitted, timer, close } = createHybridNodes(limits);
  assert.equal((await check("k")).limitName, "burst");
  assert.equal(await admitted(20), 7);
  const denied = await check("k");
  assert.deepEqual([denied.limitName, denied.limit, denied.remaining], ["burst", 8, 0]);
  let total = 8;
  for (let second = 0; second < 90; second += 1) {
    await timer.advanceMs(1_000);
    total += await admitted(3);
  }
  assert.equal(total, 50);
  assert.equal((await check("k")).limitName, "hour");
  await close();
});

test("a shadow policy admits all, and says what it would have denied", async () => {
  const { check, close, left } = createHybridNodes([HOUR], { shadow: true });
  let beyond = 0;
  for (let time = 0; time < 130; time += 1) {
    const decision = await check("k");
    assert.deepEqual([decision.allowed, decision.retryAfterMs], [true, 0]);
    if (decision.shadow) beyond += 1;
  }
  assert.equal(beyond, 30);
  const never = await check("k", 101);
  assert.deepEqual([never.allowed, never.shadow], [true, true]);
  await close();
  assert.equal(await left(), 0);
});

test("nearLimit is said by what is left at the store and in hand", async () => {
  const { check, close } = createHybridNodes([HOUR], { nearLimit: "90%" });
  for (let time = 1; time <= 100; time += 1) {
    assert.equal((await check("k")).nearLimit, time >= 90, `${time}`);
  }
  await close();
});

test("a clock that is stepped back or forward by an hour floods nothing and locks nobody out", async () => {
  for (const stepMs of [3_600_000, -3_600_000]) {
    const { check, clock, timer, admitted, close } = createHybridNodes([BUCKET]);
    await check("k", 500);
    clock.advanceMs(stepMs);
    const count = await admitted(1_200);
    // A unit returns every 10 ms meanwhile, and a question takes 5 ms. A bucket frees nothing when it is stepped back.
    if (stepMs > 0) assert.ok(count >= 998 && count <= 1_010, `${count}`);
    else assert.ok(count <= 502, `${count}`);
    const denied = await check("k");
    assert.ok(denied.retryAfterMs! <= 200, `${denied.retryAfterMs}`);
    await timer.advanceMs(1_000);
    assert.ok((await admitted(100)) >= 90);
    await close();
    assert.equal(timer.size, 0);
  }
});

test("windows shorter than the way to the store: whoever waited is served, once", async () => {
  const { check, store, timer, close } = createHybridNodes([
    fixedWindow({ limit: 5, window: "2ms" }),
  ]);
  for (let round = 0; round < 20; round += 1) {
    store.set("hung");
    const answer = check("k");
    await timer.advanceMs(9);
    store.thaw();
    store.set("up");
    await timer.advanceMs(9);
    assert.equal((await answer).allowed, true);
  }
  await close();
});

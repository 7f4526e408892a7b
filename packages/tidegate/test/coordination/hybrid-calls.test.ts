// Hybrid: everything beside check, what is given back and when, changed limits and overrides, and what is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  concurrency,
  createLimiter,
  fixedWindow,
  type Limit,
  leakyBucket,
  memoryStore,
  slidingLog,
  tokenBucket,
} from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { settled } from "../support/manual-timer.ts";
import { createSharedStore } from "../support/shared-store.ts";
import { createHybridNodes, type HybridNodes } from "./hybrid-nodes.ts";

const HOUR = fixedWindow({ limit: 100, window: "1h" });
const request = { policy: "api", key: "k" };

/** Sums what the nodes were told of leases. */
function totals({ events }: HybridNodes) {
  const sums = { granted: 0, returned: 0, expired: 0 };
  for (const { kind, units } of events) sums[kind] += units;
  return sums;
}

test("a lease is given back when it is idle, and then nothing is left in memory and no timer", async () => {
  const nodes = createHybridNodes([HOUR]);
  await nodes.check("k");
  assert.ok((await nodes.left()) < 99);
  await nodes.timer.advanceMs(2_300);
  assert.equal(await nodes.left(), 99);
  await nodes.timer.advanceMs(3_000);
  assert.equal(nodes.timer.size, 0);
  assert.deepEqual(totals(nodes), { granted: 5, returned: 4, expired: 0 });
  assert.equal((await nodes.check("k")).remaining, 98);
  await nodes.close();
});

test("a lease that lasts longer is kept as long as somebody asks within that time", async () => {
  const nodes = createHybridNodes([HOUR], { syncInterval: "5s" });
  await nodes.check("k");
  const { asked } = nodes;
  await nodes.timer.advanceMs(8_000);
  assert.ok((await nodes.left()) < 99);
  await nodes.check("k");
  assert.equal(nodes.asked, asked, "it is in hand yet");
  await nodes.timer.advanceMs(23_000);
  assert.equal(await nodes.left(), 98);
  await nodes.close();
});

test("a lease is given back at close, and no timer is left", async () => {
  const nodes = createHybridNodes([HOUR], {}, { count: 3 });
  for (const node of [0, 1, 2]) await nodes.check("k", 3, node);
  await nodes.close();
  assert.equal(nodes.timer.size, 0);
  assert.equal(await nodes.left(), 91);
  const { granted, returned } = totals(nodes);
  assert.equal(granted - returned, 9);
});

test("who waits when the limiter is closed is served", async () => {
  const nodes = createHybridNodes([HOUR], { leaseFraction: 0 });
  const { limiter, store } = nodes;
  await nodes.check("warm");
  store.set("hung");
  const first = limiter.check(request);
  await nodes.timer.advanceMs(5);
  const second = limiter.check(request);
  const closed = nodes.close();
  store.set("up");
  store.thaw();
  assert.deepEqual([(await first).allowed, (await second).allowed], [true, true]);
  await closed;
  assert.equal(nodes.timer.size, 0);
  assert.equal(await nodes.left(), 98);
});

test("keys that are asked for once leave nothing behind", async () => {
  const nodes = createHybridNodes([HOUR]);
  const { limiter, timer, store } = nodes;
  for (let round = 0; round < 10; round += 1) {
    const asks = Array.from({ length: 1_000 }, (_, index) => {
      return limiter.check({ policy: "api", key: `${round}-${index}` });
    });
    await timer.advanceMs(30);
    for (const { allowed } of await Promise.all(asks)) assert.equal(allowed, true);
  }
  await timer.advanceMs(5_000);
  store.calls.length = 0;
  assert.equal(timer.size, 0, "nothing is looked after any more");
  await nodes.close();
  assert.deepEqual(store.calls, [], "and nothing to give back");
});

test("keys that the store is away for leave nothing behind either", async () => {
  const nodes = createHybridNodes([HOUR]);
  nodes.store.set("down");
  for (let index = 0; index < 200; index += 1) {
    assert.equal((await nodes.check(`${index}`)).source, "fail-open");
  }
  nodes.store.set("up");
  await nodes.timer.advanceMs(10_000);
  assert.equal(nodes.timer.size, 0);
  await nodes.close();
});

test("changed limits: what is in hand was debited from those before, and is given back", async () => {
  const nodes = createHybridNodes([HOUR]);
  const { limiter, check } = nodes;
  await check("k", 10);
  limiter.setPolicy("api", { limits: [fixedWindow({ limit: 30, window: "1h" })] });
  assert.equal((await check("k")).remaining, 19);
  assert.equal(await nodes.admitted(40), 19);
  limiter.setPolicy("api", { limits: [fixedWindow({ limit: 60, window: "1h" })] });
  assert.equal(await nodes.admitted(60), 30);
  await nodes.close();
  assert.equal(await nodes.left(), 40);
});

test("a policy that leaves hybrid gives back what it has", async () => {
  const nodes = createHybridNodes([HOUR]);
  await nodes.check("k", 10);
  nodes.limiter.setPolicy("api", { limits: [HOUR], coordination: "central" });
  await nodes.timer.advanceMs(2_300);
  assert.equal((await nodes.check("k")).source, "store");
  assert.equal(await nodes.left(), 89);
  await nodes.close();
});

test("who waits when limits change or the key is reset is served all the same", async () => {
  for (const change of ["setPolicy", "reset", "reserve", "every"] as const) {
    const nodes = createHybridNodes([HOUR]);
    const { limiter, timer } = nodes;
    const first = limiter.check(request);
    if (change === "reset") void limiter.reset(request);
    if (change === "reserve") void limiter.reserve(request);
    if (change === "every") void limiter.checkEvery([request]);
    if (change === "setPolicy")
      limiter.setPolicy("api", { limits: [fixedWindow({ limit: 9, window: "1h" })] });
    const second = limiter.check(request);
    await timer.advanceMs(20);
    assert.deepEqual([(await first).allowed, (await second).allowed], [true, true], change);
    await nodes.close();
    assert.equal(timer.size, 0);
  }
});

test("overrides that begin and end, with limits that can be leased or not", async () => {
  for (const limit of [
    fixedWindow({ limit: 300, window: "1h" }),
    slidingLog({ limit: 300, window: "1h" }),
  ] as Limit[]) {
    const clock = createManualClock();
    const until = clock.now() / 1_000 + 60_000;
    const nodes = createHybridNodes([HOUR], {
      overrides: [{ key: "vip", limits: [limit], until }],
    });
    assert.equal((await nodes.check("vip", 20)).remaining, 280);
    assert.equal((await nodes.check("vip", 20)).remaining, 260);
    await nodes.timer.advanceMs(60_000);
    const ended = await nodes.check("vip", 20);
    assert.equal(ended.source, "lease");
    assert.equal(ended.remaining, 40);
    assert.equal(await nodes.admitted(50, "vip"), 40);
    nodes.limiter.setPolicy("api", {
      limits: [HOUR],
      overrides: [{ key: "vip", limits: [limit] }],
    });
    assert.equal((await nodes.check("vip", 200)).allowed, true);
    assert.equal((await nodes.check("vip", 1)).allowed, false);
    await nodes.close();
    assert.equal(nodes.timer.size, 0);
  }
});

test("an override that only the store can decide has what is in hand given back first", async () => {
  const nodes = createHybridNodes([HOUR]);
  await nodes.check("vip", 20);
  const overrides = [{ key: "vip", limits: [slidingLog({ limit: 100, window: "1h" })] }];
  nodes.limiter.setPolicy("api", { limits: [HOUR], overrides });
  const decision = await nodes.check("vip", 80);
  assert.deepEqual([decision.allowed, decision.source, decision.remaining], [true, "store", 0]);
  await nodes.close();
});

test("unlimited and blocked keys ask nobody", async () => {
  const overrides = [
    { key: "free", unlimited: true },
    { key: "bad", blocked: true },
  ];
  const nodes = createHybridNodes([HOUR], { overrides });
  assert.equal((await nodes.limiter.check({ ...request, key: "free" })).allowed, true);
  assert.equal((await nodes.limiter.check({ ...request, key: "bad" })).allowed, false);
  assert.deepEqual(nodes.store.calls, []);
  await nodes.close();
});

test("a reset forgets what is in hand here, and what was denied", async () => {
  const nodes = createHybridNodes([HOUR]);
  assert.equal(await nodes.admitted(110), 100);
  await nodes.limiter.reset(request);
  assert.equal((await nodes.check("k")).remaining, 99);
  await nodes.limiter.reset(request);
  await nodes.close();
  assert.equal(await nodes.left(), 100, "units of before a reset are not given back after it");
});

test("a refund, a settlement and a permit give hope: what was denied is asked about at once", async () => {
  const nodes = createHybridNodes([HOUR]);
  assert.equal(await nodes.admitted(101), 100);
  await nodes.limiter.refund({ ...request, cost: 3 });
  assert.equal(await nodes.admitted(5), 3);
  await nodes.close();
});

test("reserve, settle, checkEvery and checks with an id go to the store, which has what was in hand", async () => {
  const nodes = createHybridNodes([HOUR]);
  const { limiter, check } = nodes;
  await check("k", 10);
  const reservation = await limiter.reserve({ ...request, cost: 90 });
  assert.deepEqual([reservation.allowed, reservation.source], [true, "store"]);
  assert.equal((await check("k")).allowed, false);
  await limiter.settle(reservation, 20);
  assert.equal((await check("k", 70)).allowed, true);
  await limiter.reset(request);
  await check("k");
  const every = await limiter.checkEvery([
    { ...request, cost: 99 },
    { policy: "api", key: "other", cost: 100 },
  ]);
  assert.deepEqual([every.allowed, every.source], [true, "store"]);
  await limiter.reset(request);
  await check("k");
  for (const _time of [1, 2]) {
    const named = await limiter.check({ ...request, cost: 99, id: "one" });
    assert.deepEqual([named.allowed, named.remaining], [true, 0]);
  }
  await nodes.close();
  assert.equal(nodes.timer.size, 0);
});

test("work in the store does not make a node ask before its time", async () => {
  const nodes = createHybridNodes([HOUR]);
  assert.equal(await nodes.admitted(101), 100);
  const { asked } = nodes;
  for (let time = 0; time < 20; time += 1) {
    await nodes.limiter.checkEvery([request]);
    assert.equal((await nodes.check("k")).allowed, false);
    await nodes.timer.advanceMs(10);
  }
  assert.equal(nodes.asked, asked);
  await nodes.close();
});

test("checkAll decides each, with what it has", async () => {
  const nodes = createHybridNodes([HOUR]);
  await nodes.check("k", 98);
  const asks = nodes.limiter.checkAll([request, request, request, { ...request, key: "cold" }]);
  await nodes.timer.advanceMs(20);
  assert.deepEqual(
    (await asks).map(({ allowed, source }) => [allowed, source]),
    [
      [true, "lease"],
      [true, "lease"],
      [false, "lease"],
      [true, "lease"],
    ],
  );
  await nodes.close();
});

test("what comes back at the store is seen after a second at most", async () => {
  const nodes = createHybridNodes([HOUR], {}, { count: 2 });
  assert.equal(await nodes.admitted(101), 100);
  await nodes.limiters[1]!.refund({ ...request, cost: 5 });
  await nodes.timer.advanceMs(900);
  await nodes.check("k");
  await nodes.timer.advanceMs(60);
  assert.equal(await nodes.admitted(9), 5);
  await nodes.close();
});

test("hot keys are asked about at the same pace however long they are", async () => {
  const nodes = createHybridNodes([tokenBucket({ capacity: 100, refill: "100/s" })]);
  const perSecond: number[] = [];
  for (let second = 0; second < 8; second += 1) {
    const before = nodes.asked;
    for (let step = 0; step < 250; step += 1) {
      void nodes.limiter.check(request);
      await nodes.timer.advanceMs(4);
    }
    perSecond.push(nodes.asked - before);
  }
  assert.ok(Math.max(...perSecond.slice(1)) <= 10, `${perSecond} questions a second`);
  await nodes.close();
});

test("limits that cannot be spent from memory are refused", () => {
  const store = createSharedStore(createManualClock());
  const create = (limits: readonly Limit[]) => {
    return createLimiter({ store, coordination: "hybrid", policies: { api: { limits } } });
  };
  const cases: [Limit, string][] = [
    [slidingLog({ limit: 5, window: "1h" }), "a limit by sliding-log"],
    [leakyBucket({ queue: 5, rate: "1/s" }), "a limit by leaky-bucket"],
    [concurrency({ limit: 5, lease: "1h" }), "a limit by concurrency"],
    [fixedWindow({ limit: 5, window: "1h", soft: true }), "a soft limit"],
  ];
  for (const [limit, what] of cases) {
    for (const limits of [[limit], [HOUR, limit]]) {
      assert.throws(() => create(limits), {
        code: "INVALID_OPTION",
        field: "policies.api.limits",
        message:
          "policies.api.limits must be token buckets, fixed, sliding or calendar windows, none of them soft, " +
          `for coordination "hybrid", got ${what}; use coordination "central" for it`,
      });
    }
  }
  const limiter = create([HOUR]);
  assert.throws(() => limiter.setPolicy("api", { limits: [cases[0]![0]] }), /hybrid/);
});

test("hybrid without a store that nodes share is refused", () => {
  for (const options of [{}, { store: memoryStore() }]) {
    assert.throws(
      () =>
        createLimiter({
          ...options,
          coordination: "hybrid",
          policies: { api: { limits: [HOUR] } },
        }),
      {
        code: "INVALID_OPTION",
        field: "coordination",
        message: /"hybrid" needs a store that nodes share/,
      },
    );
  }
});

test("options of leases are checked, and refused with another coordination", () => {
  const store = createSharedStore(createManualClock());
  const create = (settings: object, coordination: "hybrid" | "central" = "hybrid") => {
    return createLimiter({
      store,
      coordination,
      policies: { api: { limits: [HOUR], ...settings } },
    });
  };
  for (const settings of [{ syncInterval: 10 }, { syncInterval: "10s" }, { leaseFraction: 0 }]) {
    create(settings);
    assert.throws(() => create(settings, "central"), {
      message: /must be left out, since it is for coordination "hybrid" and this is "central"/,
    });
  }
  create({ leaseFraction: 1, maxOvershoot: 1 });
  const wrong: [object, string][] = [
    [{ syncInterval: 9 }, "syncInterval must be a duration from 10ms to 10s, got 9"],
    [{ syncInterval: "11s" }, 'syncInterval must be a duration from 10ms to 10s, got "11s"'],
    [{ leaseFraction: 1.1 }, "leaseFraction must be a number from 0 to 1, got 1.1"],
    [{ leaseFraction: "1" }, 'leaseFraction must be a number from 0 to 1, got "1"'],
    [{ maxOvershoot: -1 }, "maxOvershoot must be a number from 0 to 1, got -1"],
    [{ maxOvershoot: Number.NaN }, "maxOvershoot must be a number from 0 to 1, got NaN"],
  ];
  for (const [settings, message] of wrong) {
    assert.throws(() => create(settings), { message: `policies.api.${message}` });
  }
});

test("an answer that comes when the caller is gone leaves its units to others", async () => {
  const nodes = createHybridNodes([HOUR]);
  const abort = new AbortController();
  const answer = nodes.limiter.check(request, { signal: abort.signal });
  abort.abort();
  await assert.rejects(answer);
  await settled();
  await nodes.close();
  assert.equal(await nodes.left(), 99, "what was asked for is taken, as everywhere");
});

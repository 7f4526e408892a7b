// setPolicy: limits that change while the limiter runs.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  calendarWindow,
  concurrency,
  fixedWindow,
  type Limit,
  leakyBucket,
  type PolicyOptions,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { createSharedStore } from "../support/shared-store.ts";
import { createTestLimiter } from "../support/test-limiter.ts";

const a = { policy: "api", key: "a" };
const hour = (limit: number) => [fixedWindow({ limit, window: "1h" })];

function create(options: PolicyOptions = { limits: hour(10) }) {
  const own = createTestLimiter({ api: options, web: { limits: hour(5) } });
  const left = async () => (await own.limiter.peek({ ...a, cost: 0 })).remaining;
  return { ...own, left };
}

/** All algorithms that are checked, with room for so many units, of which none comes back within a second. */
const ALGORITHMS: ((limit: number) => Limit)[] = [
  (limit) => tokenBucket({ capacity: limit, refill: "1/h" }),
  (limit) => fixedWindow({ limit, window: "1h" }),
  (limit) => slidingWindow({ limit, window: "1h" }),
  (limit) => slidingLog({ limit, window: "1h" }),
  (limit) => leakyBucket({ rate: "1/h", queue: limit - 1 }),
  (limit) => calendarWindow({ limit, per: "day" }),
];

test("a raised limit has the difference at once, and keeps what was consumed", async () => {
  for (const limitOf of ALGORITHMS) {
    const { limiter, left } = create({ limits: [limitOf(10)] });
    await limiter.check({ ...a, cost: 10 });
    assert.equal((await limiter.check(a)).allowed, false);
    limiter.setPolicy("api", { limits: [limitOf(25)] });
    assert.equal(await left(), 15, limitOf(1).algorithm);
    assert.equal((await limiter.check({ ...a, cost: 15 })).allowed, true);
    assert.equal((await limiter.check(a)).allowed, false);
  }
});

test("a lowered limit has the rest, or denies until enough has come back", async () => {
  for (const limitOf of ALGORITHMS) {
    const { limiter, left, clock } = create({ limits: [limitOf(100)] });
    await limiter.check({ ...a, cost: 30 });
    limiter.setPolicy("api", { limits: [limitOf(40)] });
    assert.equal(await left(), 10, limitOf(1).algorithm);
    limiter.setPolicy("api", { limits: [limitOf(20)] });
    const denied = await limiter.check(a);
    assert.deepEqual([denied.allowed, denied.remaining, denied.limit], [false, 0, 20]);
    clock.advanceMs(denied.retryAfterMs! - 1);
    assert.equal((await limiter.check(a)).allowed, false);
    clock.advanceMs(1);
    assert.equal((await limiter.check(a)).allowed, true, "exactly then");
  }
});

test("from any algorithm to any other the units in use are carried over", async () => {
  for (const before of ALGORITHMS) {
    for (const after of ALGORITHMS) {
      const { limiter, left } = create({ limits: [before(10)] });
      await limiter.check({ ...a, cost: 4 });
      limiter.setPolicy("api", { limits: [after(20)] });
      const names = `${before(1).algorithm} to ${after(1).algorithm}`;
      assert.equal(await left(), 16, names);
      limiter.setPolicy("api", { limits: [before(10)] });
      assert.equal(await left(), 6, `${names} and back`);
    }
  }
});

test("limits are matched in order: those that are added are new, those that go are forgotten", async () => {
  const { limiter, left } = create();
  await limiter.check({ ...a, cost: 4 });
  limiter.setPolicy("api", { limits: [...hour(10), slidingLog({ limit: 7, window: "1h" })] });
  assert.equal(await left(), 6);
  assert.equal((await limiter.check({ ...a, cost: 2 })).remaining, 4);
  limiter.setPolicy("api", { limits: hour(10) });
  assert.equal(await left(), 4);
  limiter.setPolicy("api", { limits: [...hour(10), slidingLog({ limit: 3, window: "1h" })] });
  const { limitName, remaining } = await limiter.peek({ ...a, cost: 0 });
  assert.deepEqual([limitName, remaining], ["api-2", 3], "the log is new again");
});

test("permits that are held are kept, and are no consumption for what is no concurrency limit", async () => {
  const { limiter, left } = create({ limits: [concurrency({ limit: 5, lease: "1m" })] });
  const permit = await limiter.acquire({ ...a, cost: 3 });
  limiter.setPolicy("api", { limits: [concurrency({ limit: 4, lease: "2m" })] });
  assert.equal(await left(), 1);
  assert.equal(await limiter.release(permit), true);
  await limiter.acquire({ ...a, cost: 4 });
  limiter.setPolicy("api", { limits: hour(10) });
  assert.equal((await limiter.check(a)).remaining, 9);
});

test("a new policy is there from then on, and one that is changed has another coordination", async () => {
  const clock = createManualClock();
  const store = createSharedStore(clock);
  const { limiter } = createTestLimiter({ api: { limits: hour(10) } }, { clock, store });
  await assert.rejects(limiter.check({ policy: "late", key: "a" }), { code: "UNKNOWN_POLICY" });
  limiter.setPolicy("late", { limits: hour(3), coordination: "local" });
  const late = await limiter.check({ policy: "late", key: "a" });
  assert.deepEqual([late.remaining, late.source], [2, "local"]);
  await limiter.check({ ...a, cost: 4 });
  limiter.setPolicy("api", { limits: hour(10), coordination: "local" });
  const local = await limiter.check(a);
  assert.deepEqual([local.remaining, local.source], [9, "local"], "a count of its own");
  limiter.setPolicy("api", { limits: hour(10) });
  const central = await limiter.check(a);
  assert.deepEqual([central.remaining, central.source], [5, "store"], "as it was left");
});

test("wrong options change nothing", async () => {
  const { limiter, left } = create();
  await limiter.check(a);
  const table: [name: string, options: unknown, field: string][] = [
    ["api", undefined, "policies.api"],
    ["api", {}, "policies.api.limits"],
    ["api", { limits: [] }, "policies.api.limits"],
    ["api", { limits: [{ algorithm: "fixed-window", limit: 1 }] }, "policies.api.limits[0]"],
    ["api", { limits: hour(99), overrides: [{ key: "b" }] }, "policies.api.overrides[0]"],
    ["api", { limits: hour(99), coordination: "gosip" }, "policies.api.coordination"],
    ["api", { limits: hour(99), coordination: "gossip" }, "gossip"],
    ["api", { limits: hour(99), nearLimit: 2 }, "policies.api.nearLimit"],
    ["api", { limits: hour(99), limit: 5 }, "limit"],
    ["api", { limits: hour(99), coordination: "central" }, "coordination"],
    ["", { limits: hour(99) }, "the name of a policy"],
    ["a b", { limits: hour(99) }, "the name of a policy"],
    ["new", { limits: hour(99), idTtl: "x" }, "policies.new.idTtl"],
  ];
  for (const [name, options, field] of table) {
    assert.throws(
      () => limiter.setPolicy(name, options as PolicyOptions),
      { code: "INVALID_OPTION", field },
      JSON.stringify([name, options]),
    );
  }
  assert.equal(await left(), 9);
  assert.equal(limiter.describe("api").limits[0]!.limit, 10);
  assert.throws(() => limiter.describe("new"), { code: "UNKNOWN_POLICY" });
});

test("overrides go and come with their policy, and describe says what holds", async () => {
  const { limiter } = create();
  const limitOf = (key?: string) => limiter.describe("api", key).limits[0]?.limit;
  limiter.setPolicy("api", { limits: hour(20), overrides: [{ key: "a", limits: hour(99) }] });
  assert.deepEqual([limitOf(), limitOf("a"), limitOf("b")], [20, 99, 20]);
  assert.equal((await limiter.check(a)).remaining, 98);
  limiter.setPolicy("api", { limits: hour(20) });
  assert.deepEqual([limitOf(), limitOf("a")], [20, 20]);
  assert.equal((await limiter.check(a)).remaining, 18);
  limiter.setPolicy("api", { limits: hour(20), shadow: true });
  assert.equal((await limiter.check({ ...a, cost: 21 })).shadow, true);
});

test("requests under way keep the limits they were asked under", async () => {
  const clock = createManualClock();
  const store = createSharedStore(clock);
  const { limiter } = createTestLimiter({ api: { limits: hour(10) } }, { clock, store });
  const early = limiter.check({ ...a, cost: 8 });
  limiter.setPolicy("api", { limits: hour(5) });
  const late = limiter.check(a);
  const [first, second] = await Promise.all([early, late]);
  assert.deepEqual([first.allowed, first.limit, first.remaining], [true, 10, 2]);
  assert.deepEqual([second.allowed, second.limit, second.remaining], [false, 5, 0]);
});

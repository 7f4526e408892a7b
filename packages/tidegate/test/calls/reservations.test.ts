// reserve, settle and refund: what is charged in the end, whatever happens between estimate and truth.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  calendarWindow,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { createTestLimiter } from "../support/test-limiter.ts";

const a = { policy: "api", key: "a" };

function create(...limits: Limit[]) {
  const own = createTestLimiter({ api: { limits } });
  const left = async () => (await own.limiter.peek({ ...a, cost: 0 })).remaining;
  return { ...own, left };
}

/** Limits of 100 that give nothing back for an hour at least. */
const HUNDREDS = [
  fixedWindow({ limit: 100, window: "2h" }),
  slidingWindow({ limit: 100, window: "2h" }),
  slidingLog({ limit: 100, window: "2h" }),
  tokenBucket({ capacity: 100, refill: "100/100d" }),
  tokenBucket({ capacity: 100, refill: "97/100d" }),
  calendarWindow({ limit: 100, per: "day" }),
];

test("settling replaces the estimate by what it was: less, as much, more", async () => {
  for (const limit of HUNDREDS) {
    for (const [actual, used] of [
      [0, 0],
      [13, 13],
      [40, 40],
      [70, 70],
    ] as const) {
      const { limiter, clock, left } = create(limit);
      await limiter.check({ ...a, cost: 10 });
      clock.advanceMs(1);
      const reservation = await limiter.reserve({ ...a, cost: 40, ttl: "10m" });
      assert.equal(reservation.allowed, true);
      assert.deepEqual([reservation.cost, reservation.ttlMs], [40, 600_000]);
      assert.equal(await left(), 50);
      clock.advanceMs(1);
      await limiter.check({ ...a, cost: 10 });
      clock.advanceMs(1_000);
      const settlement = await limiter.settle(reservation, actual);
      assert.deepEqual([settlement.settled, settlement.allowed], [true, true]);
      assert.equal(settlement.remaining, 80 - used, `${limit.rule}, ${actual}`);
      assert.equal(await left(), 80 - used);
    }
  }
});

test("a check that has an id is settled by it, and gives back what was taken", async () => {
  const { limiter, clock, left } = create(tokenBucket({ capacity: 10, refill: "10/s" }));
  const first = await limiter.check({ ...a, cost: 5, id: "first" });
  await limiter.checkEvery([{ ...a, cost: 5 }], { id: "second" });
  assert.deepEqual([first.allowed, await left()], [true, 0]);
  assert.equal((await limiter.settle({ ...a, id: "first" }, 0)).settled, true);
  clock.advanceMs(500);
  assert.equal((await limiter.check({ ...a, cost: 10 })).allowed, true, "all has returned");
  const settlement = await limiter.settle({ ...a, id: "second" }, 0);
  assert.deepEqual([settlement.settled, settlement.remaining], [true, 0]);
});

test("settling again changes nothing, and says that it is settled", async () => {
  for (const limit of HUNDREDS) {
    const { limiter, left } = create(limit);
    const reservation = await limiter.reserve({ ...a, cost: 40 });
    assert.equal((await limiter.settle(reservation, 10)).settled, true);
    await limiter.check({ ...a, cost: 5 });
    for (const actual of [10, 0, 100]) {
      const again = await limiter.settle(reservation, actual);
      assert.deepEqual([again.settled, again.remaining], [true, 85], `${limit.rule}, ${actual}`);
    }
    assert.equal(await left(), 85);
  }
});

test("an unsettled reservation counts in full after its ttl", async () => {
  const { limiter, clock, left } = create(fixedWindow({ limit: 100, window: "1h" }));
  const late = await limiter.reserve({ ...a, cost: 40, ttl: "1m" });
  const soon = await limiter.reserve({ ...a, cost: 40, ttl: 60_001 });
  clock.advanceMs(60_000);
  const settlement = await limiter.settle(late, 0);
  assert.deepEqual([settlement.settled, settlement.remaining], [false, 20]);
  assert.equal((await limiter.settle(soon, 0)).settled, true);
  assert.equal(await left(), 60);
  assert.equal((await limiter.settle({ ...a, id: "never" }, 7)).settled, false);
  assert.equal(await left(), 60);
});

test("a minute is its ttl where none is given, and ttls are durations of up to a day", async () => {
  const { limiter } = create(fixedWindow({ limit: 100, window: "1h" }));
  const ttlMs = async (ttl?: string | number) => {
    return (await limiter.reserve(ttl === undefined ? a : { ...a, ttl })).ttlMs;
  };
  assert.deepEqual(
    [await ttlMs(), await ttlMs("30s"), await ttlMs(5), await ttlMs("1d")],
    [60_000, 30_000, 5, 86_400_000],
  );
  for (const ttl of ["", "soon", "25h", 0, -5, 1.5, null, {}] as never[]) {
    await assert.rejects(limiter.reserve({ ...a, ttl }), {
      code: "INVALID_REQUEST",
      field: "ttl",
      message: /^ttl must be a duration such as "30s", of at most 1d, got /,
    });
  }
});

test("a denied reservation took nothing, and is none to settle", async () => {
  const { limiter, left } = create(fixedWindow({ limit: 100, window: "1h" }));
  const denied = await limiter.reserve({ ...a, cost: 101 });
  assert.deepEqual([denied.allowed, denied.retryAfterMs], [false, null]);
  for (const actual of [0, 50]) {
    assert.equal((await limiter.settle(denied, actual)).settled, false);
  }
  assert.equal(await left(), 100);
});

test("what a reservation has more than was used is of no use where its window is over", async () => {
  for (const limit of [
    fixedWindow({ limit: 100, window: "1m" }),
    slidingWindow({ limit: 100, window: "30s" }),
    slidingLog({ limit: 100, window: "1m" }),
    tokenBucket({ capacity: 100, refill: "100/m" }),
  ]) {
    const { limiter, clock, left } = create(limit);
    const reservation = await limiter.reserve({ ...a, cost: 100, ttl: "10m" });
    clock.advanceMs(60_000);
    await limiter.check({ ...a, cost: 30 });
    const settlement = await limiter.settle(reservation, 20);
    assert.deepEqual([settlement.settled, settlement.remaining], [true, 70], limit.rule);
    assert.equal(await left(), 70, "the 30 of somebody else are in use");
  }
});

test("the sliding window takes back what still counts of the window before", async () => {
  const { limiter, clock, left } = create(slidingWindow({ limit: 100, window: "1m" }));
  const reservation = await limiter.reserve({ ...a, cost: 80, ttl: "10m" });
  clock.advanceMs(90_000);
  await limiter.check({ ...a, cost: 10 });
  assert.equal(await left(), 50, "half of the 80 count");
  await limiter.settle(reservation, 20);
  assert.equal(await left(), 80, "half of 20");
});

test("a bucket takes back what has not returned by itself: units return as they were taken", async () => {
  const { limiter, clock, left } = create(tokenBucket({ capacity: 100, refill: "10/s" }));
  await limiter.check({ ...a, cost: 40 });
  const reservation = await limiter.reserve({ ...a, cost: 20 });
  clock.advanceMs(5_000);
  await limiter.check({ ...a, cost: 50 });
  assert.equal(await left(), 40, "the 40 have returned, and 10 of the 20");
  await limiter.settle(reservation, 0);
  assert.equal(await left(), 50);
});

test("a bucket remembers what was given back of others, whose units return the earlier for it", async () => {
  const { limiter, clock, left } = create(tokenBucket({ capacity: 10, refill: "10/s" }));
  const first = await limiter.reserve({ ...a, cost: 5 });
  const second = await limiter.reserve({ ...a, cost: 5 });
  await limiter.settle(first, 0);
  clock.advanceMs(500);
  assert.equal((await limiter.check({ ...a, cost: 10 })).allowed, true, "all has returned");
  await limiter.settle(second, 0);
  assert.equal(await left(), 0, "the 10 in use are somebody else's");
});

test("an excess may leave the key in debt, of its limit at most", async () => {
  for (const limit of HUNDREDS) {
    const { limiter, left } = create(limit);
    const reservation = await limiter.reserve({ ...a, cost: 50 });
    const settlement = await limiter.settle(reservation, 130);
    assert.deepEqual([settlement.settled, settlement.remaining], [true, 0]);
    assert.equal((await limiter.check(a)).allowed, false);
    await limiter.refund({ ...a, cost: 30 });
    assert.equal(await left(), 0, `${limit.rule}: 100 of 100 are in use`);
    await limiter.refund({ ...a, cost: 1 });
    assert.equal(await left(), 1);
    await limiter.settle(await limiter.reserve(a), 1_000_000_000);
    await limiter.refund({ ...a, cost: 100 });
    assert.equal(await left(), 0, `${limit.rule}: the debt is 100, not a billion`);
    await limiter.refund({ ...a, cost: 40 });
    assert.equal(await left(), 40);
  }
});

test("a debt is over with its window, or refilled in time", async () => {
  const table: [limit: Limit, overMs: number][] = [
    [fixedWindow({ limit: 10, window: "1m" }), 60_000],
    [tokenBucket({ capacity: 10, refill: "1/s" }), 20_000],
    [slidingLog({ limit: 10, window: "1m" }), 60_000],
    [slidingWindow({ limit: 10, window: "1m" }), 120_000],
  ];
  for (const [limit, overMs] of table) {
    const { limiter, clock } = create(limit);
    await limiter.settle(await limiter.reserve(a), 5_000);
    const { resetAfterMs, allowed } = await limiter.check(a);
    assert.deepEqual([allowed, resetAfterMs], [false, overMs], limit.rule);
    clock.advanceMs(overMs);
    assert.equal((await limiter.check({ ...a, cost: 10 })).allowed, true);
  }
});

test("after a reset nothing of before is given back, and an excess is charged", async () => {
  for (const limit of HUNDREDS) {
    const { limiter, clock, left } = create(limit);
    const less = await limiter.reserve({ ...a, cost: 40 });
    const more = await limiter.reserve({ ...a, cost: 10 });
    await limiter.reset(a);
    clock.advanceMs(1);
    await limiter.check({ ...a, cost: 30 });
    assert.equal((await limiter.settle(less, 0)).remaining, 70, limit.rule);
    assert.equal((await limiter.settle(more, 15)).remaining, 65);
    const since = await limiter.reserve({ ...a, cost: 20 });
    assert.equal((await limiter.settle(since, 0)).remaining, 65);
    assert.equal(await left(), 65);
  }
});

test("changed limits: what is settled is right, or stays charged in full", async () => {
  const raised = create(tokenBucket({ capacity: 100, refill: "100/100d" }));
  const reservation = await raised.limiter.reserve({ ...a, cost: 40 });
  raised.limiter.setPolicy("api", {
    limits: [tokenBucket({ capacity: 200, refill: "100/100d" })],
  });
  assert.equal((await raised.limiter.settle(reservation, 10)).remaining, 190);
  const changed = create(tokenBucket({ capacity: 100, refill: "100/100d" }));
  const old = await changed.limiter.reserve({ ...a, cost: 40 });
  changed.limiter.setPolicy("api", { limits: [tokenBucket({ capacity: 100, refill: "100/1d" })] });
  const settlement = await changed.limiter.settle(old, 10);
  assert.deepEqual([settlement.settled, settlement.remaining], [true, 60]);
});

test("a place in a queue is not given back, and an excess puts off those that come", async () => {
  const { limiter } = create(leakyBucket({ rate: "1/s", queue: 9 }));
  const reservation = await limiter.reserve({ ...a, cost: 3 });
  assert.equal((await limiter.check(a)).delayMs, 3_000);
  assert.equal((await limiter.settle(reservation, 0)).settled, true);
  assert.equal((await limiter.check(a)).delayMs, 4_000, "those behind have been told when to go");
  await limiter.settle(await limiter.reserve(a), 3);
  assert.equal((await limiter.check(a)).delayMs, 8_000);
});

test("refund gives back what was taken last, and never lifts a key above full", async () => {
  for (const limit of HUNDREDS) {
    const { limiter, clock, left } = create(limit);
    assert.equal((await limiter.refund({ ...a, cost: 5 })).remaining, 100, limit.rule);
    await limiter.check({ ...a, cost: 30 });
    clock.advanceMs(1);
    await limiter.check({ ...a, cost: 30 });
    const refunded = await limiter.refund({ ...a, cost: 40 });
    assert.deepEqual([refunded.allowed, refunded.remaining], [true, 80]);
    await limiter.refund(a);
    assert.equal(await left(), 81);
    await limiter.refund({ ...a, cost: 1_000_000_000 });
    assert.equal(await left(), 100);
    assert.equal((await limiter.check({ ...a, cost: 101 })).allowed, false);
  }
});

test("settle and refund of several limits are of all of them", async () => {
  const limits = [
    fixedWindow({ limit: 100, window: "1h", name: "large" }),
    slidingLog({ limit: 50, window: "1h", name: "small" }),
  ];
  const { limiter } = create(...limits);
  const lefts = async () => {
    const small = (await limiter.peek({ ...a, cost: 0 })).remaining;
    limiter.setPolicy("api", { limits: [limits[0]!] });
    const large = (await limiter.peek({ ...a, cost: 0 })).remaining;
    return [large, small];
  };
  await limiter.settle(await limiter.reserve({ ...a, cost: 30 }), 12);
  await limiter.refund({ ...a, cost: 2 });
  assert.deepEqual(await lefts(), [90, 40]);
});

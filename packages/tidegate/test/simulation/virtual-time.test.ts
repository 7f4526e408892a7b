// Virtual time: events in their order, each with all that follows from it, and timers of a process that may be away.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLimiter, tokenBucket } from "tidegate";
import { createLoop, VirtualTime } from "tidegate/simulation";
import { LatencyHistogram } from "../../src/simulation/latency-histogram.ts";
import { createSeededRandom, createWeighted } from "../../src/simulation/seeded-random.ts";

test("events run by their instants, and those of one instant as they were planned", async () => {
  const time = new VirtualTime(1_000);
  const random = createSeededRandom(5);
  const ran: [number, number][] = [];
  const planned = Array.from({ length: 500 }, (_, order) => {
    return [1_000 + Math.floor(random.next() * 50), order] as [number, number];
  });
  for (const [atUs, order] of planned) {
    time.at(atUs, () => {
      assert.equal(time.nowUs, atUs);
      ran.push([atUs, order]);
    });
  }
  await time.runUntil(2_000);
  assert.deepEqual(
    ran,
    planned.toSorted(([one, first], [other, second]) => one - other || first - second),
  );
  assert.equal(time.nowUs, 2_000);
});

test("what follows from an event comes before the next one", async () => {
  const time = new VirtualTime(0);
  const told: string[] = [];
  time.at(1, () => {
    void (async () => {
      for (let step = 0; step < 5; step += 1) await undefined;
      told.push("first");
      time.at(1, () => told.push("of the same instant"));
    })();
  });
  time.at(2, () => told.push("second"));
  await time.runUntil(2);
  assert.deepEqual(told, ["first", "of the same instant", "second"]);
});

test("a timer is cancelled, also where its process was away when it was due", async () => {
  const time = new VirtualTime(0);
  const waiting: (() => void)[] = [];
  let isAway = false;
  const loop = createLoop(time, (work) => {
    if (isAway) waiting.push(work);
    else work();
  });
  const ran: string[] = [];
  const early = loop.after(1, () => ran.push("cancelled before"));
  const late = loop.after(2, () => ran.push("cancelled while away"));
  loop.after(2, () => ran.push("due while away"));
  loop.afterTurn(() => ran.push("turn"));
  early();
  await time.runUntil(1_500);
  isAway = true;
  await time.runUntil(3_000);
  assert.deepEqual(ran, ["turn"]);
  late();
  for (const work of waiting) work();
  assert.deepEqual(ran, ["turn", "due while away"]);
});

test("a limiter goes by virtual time", async () => {
  const time = new VirtualTime(0);
  const loop = createLoop(time, (work) => work());
  const limiter = createLimiter({
    policies: { api: { limits: [tokenBucket({ capacity: 1, refill: "1/h" })] } },
    clock: { now: () => time.nowUs },
    timer: loop,
    scheduler: loop,
  });
  const isAllowed = async () => (await limiter.check({ policy: "api", key: "a" })).allowed;
  assert.deepEqual([await isAllowed(), await isAllowed()], [true, false]);
  await time.runUntil(3_600_000_000);
  assert.equal(await isAllowed(), true);
});

test("the streams of a seed differ, and each is the same again", () => {
  const draw = (seed: number, stream: number) => {
    const random = createSeededRandom(seed, stream);
    return Array.from({ length: 8 }, () => random.next());
  };
  assert.deepEqual(draw(1, 2), draw(1, 2));
  const all = [draw(1, 1), draw(1, 2), draw(2, 1), draw(2, 2)].map((numbers) => numbers.join());
  assert.equal(new Set(all).size, 4);
});

test("weights are kept, and a weight of 0 is never drawn", () => {
  const counts = [0, 0, 0];
  const draw = createWeighted([3, 0, 1], createSeededRandom(9));
  for (let turn = 0; turn < 8_000; turn += 1) counts[draw()]! += 1;
  assert.equal(counts[1], 0);
  assert.ok(Math.abs(counts[0]! / 8_000 - 0.75) < 0.02, `${counts[0]}`);
});

test("quantiles are right within 1 %, and none exceeds the longest", () => {
  const histogram = new LatencyHistogram();
  assert.deepEqual([histogram.quantileMs(0.5), histogram.maxMs], [0, 0]);
  for (let latencyUs = 0; latencyUs < 10_000; latencyUs += 1) histogram.add(latencyUs);
  for (const share of [0.5, 0.9, 0.99, 0.999, 1]) {
    const right = share * 10;
    assert.ok(Math.abs(histogram.quantileMs(share) - right) <= 0.01 * right, `${share}`);
  }
  assert.equal(histogram.maxMs, 9.999);
  assert.ok(histogram.quantileMs(1) <= histogram.maxMs);
});

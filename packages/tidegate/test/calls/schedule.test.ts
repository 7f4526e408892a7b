// schedule: waits for its turn in a queue, first come, first served.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type Decision, fixedWindow, type Limiter, leakyBucket } from "tidegate";
import { Turns } from "../../src/calls/schedule.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer, settled } from "../support/manual-timer.ts";
import { createTestLimiter } from "../support/test-limiter.ts";

const q = { policy: "q", key: "k" };

function create(queue = 5) {
  const limits = [leakyBucket({ rate: "10/s", queue })];
  return createTestLimiter({
    q: { limits, overrides: [{ key: "bad", blocked: true }] },
    plain: { limits: [fixedWindow({ limit: 1, window: "1h" })] },
  });
}

/** Schedules requests, and notes who goes, and when, in milliseconds. */
function createLog(limiter: Limiter, now: () => number) {
  const startUs = now();
  const gone: [name: string, atMs: number][] = [];
  return {
    gone,
    schedule(name: string, request: Parameters<Limiter["schedule"]>[0] = q, signal?: AbortSignal) {
      const call = limiter.schedule(request, signal === undefined ? {} : { signal });
      call.then(
        ({ allowed }) => gone.push([allowed ? name : `${name} denied`, (now() - startUs) / 1_000]),
        (error: Error) => gone.push([`${name} ${error.message}`, (now() - startUs) / 1_000]),
      );
      return call;
    },
  };
}

test("admitted requests go one after the other, each when its delay is over", async () => {
  const { limiter, clock, timer } = create();
  const { gone, schedule } = createLog(limiter, clock.now);
  const calls = ["a", "b", "c", "d"].map((name) => schedule(name));
  await settled();
  assert.deepEqual(gone, [["a", 0]], "the first at once");
  await timer.advanceMs(99);
  assert.equal(gone.length, 1);
  await timer.advanceMs(300);
  assert.deepEqual(gone, [
    ["a", 0],
    ["b", 100],
    ["c", 200],
    ["d", 300],
  ]);
  const decisions = await Promise.all(calls);
  assert.deepEqual(
    decisions.map(({ delayMs }) => delayMs),
    [0, 100, 200, 300],
  );
  assert.equal(timer.size, 0);
});

test("a denial resolves at once, and so does what nobody waits for", async () => {
  const { limiter, told } = create(1);
  await limiter.schedule(q);
  const waits = limiter.schedule(q);
  const denied = await limiter.schedule(q);
  assert.deepEqual([denied.allowed, denied.retryAfterMs], [false, 100]);
  assert.equal((await limiter.schedule({ policy: "q", key: "bad" })).limitName, "blocked");
  assert.equal((await limiter.schedule({ policy: "plain", key: "a" })).allowed, true);
  assert.equal((await limiter.schedule({ policy: "plain", key: "a" })).allowed, false);
  assert.equal(told.length, 6, "each is told when it is decided");
  assert.equal(
    await Promise.race([waits.then(() => "gone"), settled().then(() => "waits")]),
    "waits",
  );
});

test("those of unequal costs keep their order; keys do not wait for each other", async () => {
  const { limiter, clock, timer } = create();
  const { gone, schedule } = createLog(limiter, clock.now);
  schedule("a", { ...q, cost: 3 });
  schedule("b", { ...q, cost: 2 });
  schedule("c");
  schedule("other", { ...q, key: "other" });
  await timer.advanceMs(1_000);
  assert.deepEqual(gone, [
    ["a", 0],
    ["other", 0],
    ["b", 300],
    ["c", 500],
  ]);
});

test("nobody overtakes whose delay is shorter or none, whatever the timers do", async () => {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const turns = new Turns(timer);
  const gone: number[] = [];
  const wait = (name: number, delayMs: number) => {
    const decision = { allowed: true, policy: "q", key: "k", delayMs } as Decision;
    turns.wait(decision, undefined).then(() => gone.push(name));
  };
  wait(1, 300);
  wait(2, 100);
  wait(3, 0);
  wait(4, 400);
  wait(5, 400);
  assert.equal(turns.size, 5);
  await timer.advanceMs(299);
  assert.deepEqual(gone, []);
  await timer.advanceMs(1);
  assert.deepEqual(gone, [1, 2, 3]);
  await timer.advanceMs(100);
  assert.deepEqual(gone, [1, 2, 3, 4, 5]);
  assert.equal(turns.size, 0, "nothing is kept");
  wait(6, 0);
  await settled();
  assert.deepEqual(gone.at(-1), 6);
});

test("a signal ends the wait with its reason, and those behind move up no earlier than their turn", async () => {
  const { limiter, clock, timer } = create();
  const { gone, schedule } = createLog(limiter, clock.now);
  const controller = new AbortController();
  schedule("a");
  schedule("b", q, controller.signal);
  schedule("c");
  await timer.advanceMs(50);
  controller.abort(new Error("gave up"));
  await settled();
  assert.deepEqual(gone, [
    ["a", 0],
    ["b gave up", 50],
  ]);
  assert.equal(timer.size, 1, "its timer is cancelled");
  await timer.advanceMs(1_000);
  assert.deepEqual(gone.at(-1), ["c", 200], "the place that was given up stays taken");
});

test("those that were held up only by one that gives up go at once", async () => {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const turns = new Turns(timer);
  const controller = new AbortController();
  const decision = (delayMs: number) => {
    return { allowed: true, policy: "q", key: "k", delayMs } as Decision;
  };
  const first = turns.wait(decision(1_000), controller.signal);
  const second = turns.wait(decision(10), undefined);
  await timer.advanceMs(10);
  controller.abort(new Error("gave up"));
  await assert.rejects(first, /gave up/);
  assert.equal((await second).delayMs, 10);
  assert.equal(turns.size, 0);
});

test("a signal that was aborted before takes no place", async () => {
  const { limiter } = create();
  const signal = AbortSignal.abort(new Error("gone"));
  await assert.rejects(limiter.schedule(q, { signal }), /gone/);
  assert.equal((await limiter.peek({ ...q, cost: 0 })).remaining, 6);
  const turns = new Turns(createManualTimer(createManualClock()));
  const decision = { allowed: true, policy: "q", key: "k", delayMs: 5 } as Decision;
  await assert.rejects(turns.wait(decision, signal), /gone/);
  assert.equal(turns.size, 0);
});

test("a thousand wait at most for what the queue has room for, and one listener each", async () => {
  const { limiter, timer } = create(99);
  const controller = new AbortController();
  const calls = Array.from({ length: 1_000 }, () => {
    return limiter.schedule(q, { signal: controller.signal });
  });
  const ends = Promise.allSettled(calls);
  await settled();
  assert.equal(timer.size, 99);
  controller.abort(new Error("all gone"));
  const outcomes = await ends;
  assert.equal(outcomes.filter(({ status }) => status === "rejected").length, 99);
  assert.equal(timer.size, 0);
});

test("those who wait when the limiter closes go in their turn; those who come later are refused", async () => {
  const { limiter, clock, timer } = create();
  const { gone, schedule } = createLog(limiter, clock.now);
  schedule("a");
  schedule("b");
  await settled();
  await limiter.close();
  await assert.rejects(limiter.schedule(q), { code: "LIMITER_CLOSED" });
  await timer.advanceMs(100);
  assert.deepEqual(gone, [
    ["a", 0],
    ["b", 100],
  ]);
});

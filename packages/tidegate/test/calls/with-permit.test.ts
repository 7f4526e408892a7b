// withPermit: work that holds a permit for as long as it takes, and hears of it when the permit is lost.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, type PermitResult } from "tidegate";
import { bareStore } from "../support/bare-store.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { settled } from "../support/manual-timer.ts";
import { createSharedStore } from "../support/shared-store.ts";
import { createTestLimiter } from "../support/test-limiter.ts";

const job = { policy: "job", key: "j" };

function create({
  lease = "9s",
  shadow = false,
  overrides = [{ key: "free", unlimited: true }],
  bare = false,
} = {}) {
  const clock = createManualClock();
  const store = createSharedStore(clock);
  const policies = { job: { limits: [concurrency({ limit: 1, lease })], shadow, overrides } };
  const own = createTestLimiter(policies, { clock, store: bare ? bareStore(store) : store });
  const isHeld = async () => (await own.limiter.peek(job)).allowed === false;
  const kinds = () => store.works.map(({ kind }) => kind).join(" ");
  return { ...own, store, isHeld, kinds };
}

/** Work that a test ends. */
function createWork<Value>() {
  const work = Promise.withResolvers<Value>();
  const signals: AbortSignal[] = [];
  return {
    ...work,
    run(_permit: unknown, signal: AbortSignal) {
      signals.push(signal);
      return work.promise;
    },
    get aborted() {
      return signals[0]?.aborted;
    },
    get reason() {
      return signals[0]?.reason as Error | undefined;
    },
  };
}

test("answers what the work answers, and releases the permit", async () => {
  const { limiter, isHeld, timer } = create();
  const result = await limiter.withPermit(job, async (permit, signal) => {
    assert.deepEqual([permit.allowed, permit.leaseMs, signal.aborted], [true, 9_000, false]);
    assert.equal(await isHeld(), true);
    return 42;
  });
  assert.equal(result.allowed && result.value, 42);
  assert.equal(await isHeld(), false);
  assert.equal(timer.size, 0, "no timer is left");
});

test("a denial is a value, and the work is not begun", async () => {
  const { limiter } = create();
  await limiter.acquire(job);
  const result: PermitResult<never> = await limiter.withPermit(job, () => assert.fail("begun"));
  assert.equal(result.allowed, false);
  assert.equal(result.permit.retryAfterMs, 9_000);
});

test("work that throws releases the permit, and what it threw is told", async () => {
  const { limiter, isHeld, timer } = create();
  const error = new Error("broken");
  await assert.rejects(
    limiter.withPermit(job, async () => {
      throw error;
    }),
    error,
  );
  await assert.rejects(
    limiter.withPermit(job, () => {
      throw error;
    }),
    error,
  );
  assert.deepEqual([await isHeld(), timer.size], [false, 0]);
});

test("the permit is extended three times a lease while the work runs, and not afterwards", async () => {
  const { limiter, timer, isHeld, kinds } = create();
  const work = createWork<string>();
  const call = limiter.withPermit(job, work.run);
  await timer.advanceMs(60_000);
  assert.deepEqual([work.aborted, await isHeld()], [false, true]);
  assert.equal(kinds(), `take${" extend".repeat(20)}`);
  work.resolve("done");
  assert.equal((await call).allowed, true);
  await timer.advanceMs(60_000);
  assert.equal(kinds(), `take${" extend".repeat(20)} release`);
  assert.deepEqual([timer.size, await isHeld()], [0, false]);
});

test("a permit that was held already is extended within what is left, and then three times a lease", async () => {
  const { limiter, timer, isHeld, kinds } = create();
  const request = { ...job, id: "worker-1" };
  await limiter.acquire(request);
  await timer.advanceMs(8_400);
  const work = createWork<string>();
  const call = limiter.withPermit(request, work.run);
  await timer.advanceMs(199);
  assert.equal(kinds(), "take take");
  await timer.advanceMs(1);
  assert.equal(kinds(), "take take extend", "600 ms were left");
  await timer.advanceMs(9_000);
  assert.deepEqual([kinds(), work.aborted], [`take take${" extend".repeat(4)}`, false]);
  assert.equal(await isHeld(), true);
  work.resolve("done");
  assert.equal((await call).allowed, true);
  assert.equal(await isHeld(), false);
});

test("where the permit is lost the signal aborts, and nothing is extended any more", async () => {
  const { limiter, timer, kinds } = create();
  const work = createWork<string>();
  const call = limiter.withPermit(job, work.run);
  await settled();
  await limiter.reset(job);
  await timer.advanceMs(2_999);
  assert.equal(work.aborted, false);
  await timer.advanceMs(1);
  assert.equal(work.aborted, true);
  assert.match(String(work.reason), /the permit "[^"]+" is not held any more/);
  await timer.advanceMs(60_000);
  assert.equal(kinds(), "take extend");
  work.resolve("ended anyhow");
  assert.equal((await call).allowed, true);
});

test("one extension that fails loses nothing; where all do, the signal aborts when the lease has ended", async () => {
  const { limiter, timer, store } = create();
  const work = createWork<string>();
  const call = limiter.withPermit(job, work.run);
  await settled();
  store.endings.push("lost");
  await timer.advanceMs(20_000);
  assert.equal(work.aborted, false, "the next is in time");
  store.endings.push(...Array.from({ length: 20 }, () => "lost" as const));
  await timer.advanceMs(6_999);
  assert.equal(work.aborted, false, "the last that was answered was sent after 18 s");
  await timer.advanceMs(1);
  assert.equal(work.aborted, true, "after 27 s");
  work.resolve("late");
  await call;
});

test("a lease counts from before the call that begins it anew", async () => {
  const { limiter, timer, store } = create({ bare: true });
  const work = createWork<string>();
  const gate = Promise.withResolvers<void>();
  const run = store.run.bind(store);
  const call = limiter.withPermit(job, work.run);
  await settled();
  // Redis extends at once, but its answer takes five seconds; what is asked afterwards is lost.
  store.run = async (one) => {
    const outcome = await run(one);
    store.run = async () => Promise.reject(new Error("gone"));
    await gate.promise;
    return outcome;
  };
  await timer.advanceMs(3_000);
  await timer.advanceMs(5_000);
  gate.resolve();
  await timer.advanceMs(3_999);
  assert.equal(work.aborted, false);
  await timer.advanceMs(1);
  assert.equal(work.aborted, true, "12 s after the start, 9 s after the extension was sent");
  work.resolve("late");
  await call;
});

test("the caller's signal reaches the work, and before the permit is there ends the call", async () => {
  const { limiter, isHeld, timer } = create();
  const controller = new AbortController();
  const { signal } = controller;
  const work = createWork<string>();
  const call = limiter.withPermit(job, work.run, { signal });
  await settled();
  controller.abort(new Error("stop"));
  assert.deepEqual([work.aborted, work.reason?.message], [true, "stop"]);
  assert.equal(await isHeld(), true, "until the work has ended");
  work.resolve("stopped");
  await call;
  assert.equal(await isHeld(), false);
  await assert.rejects(limiter.withPermit(job, work.run, { signal }), /stop/);
  const early = new AbortController();
  const never = limiter.withPermit(job, () => assert.fail("begun"), { signal: early.signal });
  early.abort(new Error("early"));
  await assert.rejects(never, /early/);
  await settled();
  assert.deepEqual([await isHeld(), timer.size], [false, 0]);
});

test("a release that fails hides neither the value nor the error", async () => {
  const { limiter, store, isHeld, clock } = create();
  store.endings.push("ok", "lost", "ok", "lost");
  const result = await limiter.withPermit(job, async () => "value");
  assert.equal(result.allowed && result.value, "value");
  assert.equal(await isHeld(), true, "until its lease ends");
  clock.advanceMs(9_000);
  await assert.rejects(
    limiter.withPermit(job, async () => {
      throw new Error("broken");
    }),
    /broken/,
  );
});

test("keys without a limit and what a shadow would deny have nothing to extend or to lose", async () => {
  const free = create();
  const shadow = create({ shadow: true });
  await shadow.limiter.acquire(job);
  for (const [{ limiter, timer }, key] of [
    [free, "free"],
    [shadow, "j"],
  ] as const) {
    const work = createWork<string>();
    const call = limiter.withPermit({ policy: "job", key }, work.run);
    await timer.advanceMs(100_000);
    assert.deepEqual([work.aborted, timer.size], [false, 0]);
    work.resolve("done");
    assert.equal((await call).allowed, true);
  }
});

test("work that is none is refused before a permit is taken", async () => {
  const { limiter, store } = create();
  for (const work of [undefined, null, "work", {}] as never[]) {
    await assert.rejects(limiter.withPermit(job, work), {
      code: "INVALID_REQUEST",
      field: "work",
      message: /^work must be a function that is given a permit, got /,
    });
  }
  assert.deepEqual(store.works, []);
});

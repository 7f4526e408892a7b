// The circuit breaker: what opens it, when it probes, what closes it, and what it does not count.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CircuitBreaker } from "../../src/resilience/circuit-breaker.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer, settled } from "../support/manual-timer.ts";

const HOUR_MS = 3_600_000;

/** A breaker; `random` is what it draws, and each probe waits for the test to end it. */
function createTestBreaker(random = 0) {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const changes: [state: string, reason: string | undefined][] = [];
  const probes: { readonly atMs: number; resolve(): void; reject(error: unknown): void }[] = [];
  const start = clock.now();
  const breaker = new CircuitBreaker({
    clock,
    timer,
    random: { next: () => random },
    changed: (state, reason) => changes.push([state, reason]),
    probe: () => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      probes.push({ atMs: (clock.now() - start) / 1_000, resolve, reject });
      return promise;
    },
  });
  const fail = (times = 1) => {
    for (let time = 0; time < times; time += 1) breaker.failed(breaker.generation, "gone");
  };
  const succeed = (times = 1) => {
    for (let time = 0; time < times; time += 1) breaker.succeeded(breaker.generation);
  };
  return { breaker, clock, timer, changes, probes, fail, succeed };
}

/** Ends the probe that is under way. */
async function endProbe({ probes }: ReturnType<typeof createTestBreaker>, error?: unknown) {
  if (error === undefined) probes.at(-1)!.resolve();
  else probes.at(-1)!.reject(error);
  await settled();
}

test("opens after five failures one after the other, and says why; not after four", () => {
  const { breaker, changes, fail, succeed } = createTestBreaker();
  fail(4);
  succeed();
  fail(4);
  assert.equal(breaker.state, "closed");
  assert.deepEqual(changes, []);
  fail();
  assert.equal(breaker.state, "open");
  assert.deepEqual(changes, [["open", "gone"]]);
});

test("opens where half of twenty calls fail, though never five in a row", () => {
  const { breaker, fail, succeed } = createTestBreaker();
  for (let pair = 0; pair < 9; pair += 1) {
    succeed();
    fail();
  }
  succeed();
  assert.equal(breaker.state, "closed", "19 calls");
  fail();
  assert.equal(breaker.state, "open", "10 of 20");
});

test("stays closed below half, however many calls there are", () => {
  const { breaker, fail, succeed } = createTestBreaker();
  for (let round = 0; round < 200; round += 1) {
    succeed(5);
    fail(4);
  }
  assert.equal(breaker.state, "closed");
});

test("counts the calls of 5 to 10 s: those that are older are forgotten, after a pause too", async () => {
  const table: [pauseMs: number, state: string][] = [
    [0, "open"],
    [4_999, "open"],
    [5_000, "open"],
    [9_999, "open"],
    [10_000, "closed"],
    [HOUR_MS, "closed"],
  ];
  for (const [pauseMs, state] of table) {
    const { breaker, timer, fail, succeed } = createTestBreaker();
    for (let pair = 0; pair < 9; pair += 1) {
      succeed();
      fail();
    }
    await timer.advanceMs(pauseMs);
    succeed();
    fail();
    assert.equal(breaker.state, state, `${pauseMs} ms`);
  }
});

test("a call late in the second 5 s does not keep those of the first", async () => {
  const { breaker, timer, fail, succeed } = createTestBreaker();
  for (let pair = 0; pair < 9; pair += 1) {
    succeed();
    fail();
  }
  await timer.advanceMs(9_999);
  succeed();
  await timer.advanceMs(1);
  fail();
  assert.equal(breaker.state, "closed");
});

test("probes after 100 ms, doubling up to 500, jittered down to the half, one probe for each step", async () => {
  const table: [random: number, waits: number[]][] = [
    [0, [50, 100, 200, 250, 250, 250]],
    [0.5, [75, 150, 300, 375, 375, 375]],
    [1, [100, 200, 400, 500, 500, 500]],
  ];
  for (const [random, waits] of table) {
    const one = createTestBreaker(random);
    const { breaker, timer, probes, fail } = one;
    fail(5);
    let atMs = 0;
    for (const [index, wait] of waits.entries()) {
      atMs += wait;
      await timer.advanceMs(wait - 1);
      assert.equal(probes.length, index, `not before ${wait} ms`);
      assert.equal(breaker.state, "open");
      await timer.advanceMs(1);
      assert.deepEqual([probes.length, probes.at(-1)?.atMs], [index + 1, atMs]);
      assert.equal(breaker.state, "half-open");
      await endProbe(one, new Error("still gone"));
    }
  }
});

test("a probe that is not answered is the only one", async () => {
  const { breaker, timer, probes, fail } = createTestBreaker();
  fail(5);
  await timer.advanceMs(HOUR_MS);
  assert.equal(probes.length, 1);
  assert.deepEqual([breaker.state, timer.size], ["half-open", 0]);
});

test("a probe that is answered closes it, one that is not opens it again with its reason", async () => {
  const one = createTestBreaker();
  const { timer, changes, fail } = one;
  fail(5);
  await timer.advanceMs(50);
  await endProbe(one, new Error("refused"));
  await timer.advanceMs(100);
  await endProbe(one, "no error at all");
  await timer.advanceMs(200);
  await endProbe(one);
  assert.deepEqual(changes, [
    ["open", "gone"],
    ["half-open", undefined],
    ["open", "refused"],
    ["half-open", undefined],
    ["open", "no error at all"],
    ["half-open", undefined],
    ["closed", undefined],
  ]);
  assert.equal(timer.size, 0);
});

test("what failed before is forgotten when it closes", async () => {
  const one = createTestBreaker();
  one.fail(5);
  await one.timer.advanceMs(50);
  await endProbe(one);
  one.fail(4);
  assert.equal(one.breaker.state, "closed");
  one.succeed();
  // 1 of 20 failed calls is from now; the 4 and the 5 before are not 10 of 20.
  for (let time = 0; time < 14; time += 1) one.succeed();
  one.fail();
  assert.equal(one.breaker.state, "closed");
});

test("a store that answers probes and no calls is probed ever more rarely, until a call succeeds", async () => {
  const one = createTestBreaker(1);
  for (const wait of [100, 200, 400, 500]) {
    one.fail(5);
    await one.timer.advanceMs(wait - 1);
    assert.equal(one.breaker.state, "open", `${wait} ms`);
    await one.timer.advanceMs(1);
    await endProbe(one);
    assert.equal(one.breaker.state, "closed", `${wait} ms`);
  }
  one.succeed();
  one.fail(5);
  await one.timer.advanceMs(100);
  assert.equal(one.breaker.state, "half-open");
});

test("how calls end that began before it opened counts for nothing", async () => {
  const one = createTestBreaker();
  const { breaker, timer, fail, changes } = one;
  const before = breaker.generation;
  fail(5);
  breaker.failed(before, "late");
  breaker.succeeded(before);
  assert.equal(breaker.state, "open");
  await timer.advanceMs(50);
  breaker.failed(before, "late");
  breaker.succeeded(before);
  assert.equal(breaker.state, "half-open");
  await endProbe(one);
  for (let time = 0; time < 50; time += 1) breaker.failed(before, "late");
  assert.equal(breaker.state, "closed");
  fail(4);
  breaker.succeeded(before);
  fail();
  assert.equal(breaker.state, "open", "an old success does not end a row");
  assert.equal(changes.filter(([state]) => state === "open").length, 2);
});

test("calls that end while it is open do not open it a second time", () => {
  const { breaker, changes, timer, fail } = createTestBreaker();
  fail(50);
  assert.deepEqual([breaker.state, changes.length, timer.size], ["open", 1, 1]);
});

test("says how long until the next probe, 0 where none is awaited", async () => {
  const one = createTestBreaker(1);
  const { breaker, clock, timer, fail } = one;
  assert.equal(breaker.untilProbeMs, 0);
  fail(5);
  assert.equal(breaker.untilProbeMs, 100);
  await timer.advanceMs(40);
  assert.equal(breaker.untilProbeMs, 60);
  clock.setUs(clock.now() + 1);
  assert.equal(breaker.untilProbeMs, 60, "rounded up");
  clock.advanceMs(-HOUR_MS);
  assert.equal(breaker.untilProbeMs, 500, "a clock stepped back does not make it long");
  clock.advanceMs(2 * HOUR_MS);
  assert.equal(breaker.untilProbeMs, 0, "nor one stepped forward negative");
  await timer.advanceMs(0);
  assert.deepEqual([breaker.state, breaker.untilProbeMs], ["half-open", 0]);
  await endProbe(one);
  assert.equal(breaker.untilProbeMs, 0);
});

test("a clock stepped by an hour neither opens it nor keeps it from opening", () => {
  for (const stepMs of [-HOUR_MS, HOUR_MS]) {
    const { breaker, clock, fail, succeed } = createTestBreaker();
    for (let pair = 0; pair < 9; pair += 1) {
      succeed();
      fail();
    }
    clock.advanceMs(stepMs);
    succeed();
    fail();
    assert.equal(breaker.state, "closed", "2 calls since the step");
    for (let pair = 0; pair < 9; pair += 1) {
      succeed();
      fail();
    }
    assert.equal(breaker.state, "open", `20 calls since the step by ${stepMs} ms`);
    const row = createTestBreaker();
    row.fail(3);
    row.clock.advanceMs(stepMs);
    row.fail(2);
    assert.equal(row.breaker.state, "open", "five in a row");
  }
});

test("stop() ends what waits, and a probe that is under way starts nothing more", async () => {
  const open = createTestBreaker();
  open.fail(5);
  open.breaker.stop();
  assert.equal(open.timer.size, 0);
  for (const error of [undefined, new Error("still gone")]) {
    const one = createTestBreaker();
    one.fail(5);
    await one.timer.advanceMs(50);
    one.breaker.stop();
    const told = one.changes.length;
    await endProbe(one, error);
    assert.deepEqual([one.timer.size, one.changes.length], [0, told]);
  }
  const closed = createTestBreaker();
  closed.breaker.stop();
  closed.fail(10);
  assert.deepEqual([closed.timer.size, closed.changes.length], [0, 0]);
});

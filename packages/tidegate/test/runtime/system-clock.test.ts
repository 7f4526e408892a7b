// The real clock, on readings that the test sets: smooth, and never more than a second behind a step.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createSystemClock } from "../../src/runtime/system-clock.ts";

const START_MS = Date.UTC(2026, 0, 1);

test("runs on the monotonic clock, and follows the wall clock's steps", (t) => {
  let monotonicMs = 1_000;
  let aheadMs = START_MS - monotonicMs;
  t.mock.method(performance, "now", () => monotonicMs);
  t.mock.method(Date, "now", () => monotonicMs + aheadMs);
  const clock = createSystemClock();
  const nowMs = () => clock.now() / 1_000 - START_MS;
  const pass = (milliseconds: number) => {
    monotonicMs += milliseconds;
    return nowMs();
  };
  assert.equal(nowMs(), 0);
  assert.equal(pass(0.25), 0.25, "in microseconds");
  aheadMs += 40;
  assert.equal(pass(10_000), 10_000.25, "a little drift is not followed");
  assert.equal(pass(1_000.5), 11_000.75);
  aheadMs += 3_600_000;
  assert.equal(pass(900), 11_900.75, "a step is not seen at once");
  assert.equal(pass(200), 3_612_140.75, "but within a second");
  aheadMs -= 7_200_000;
  assert.equal(pass(1_001), -3_586_858.25, "backwards too");
  // The machine slept: only the wall clock went on.
  aheadMs += 86_400_000;
  assert.equal(pass(1_001), 82_814_142.75);
  assert.ok(Number.isInteger(clock.now()));
});

test("for durations it goes on while the machine sleeps, and never back", (t) => {
  let monotonicMs = 1_000;
  let aheadMs = START_MS - monotonicMs;
  t.mock.method(performance, "now", () => monotonicMs);
  t.mock.method(Date, "now", () => monotonicMs + aheadMs);
  const clock = createSystemClock();
  const startUs = clock.steady!();
  const passedMs = () => (clock.steady!() - startUs) / 1_000;
  const pass = (milliseconds: number) => {
    monotonicMs += milliseconds;
    return passedMs();
  };
  assert.equal(pass(0.25), 0.25, "in microseconds");
  aheadMs -= 3_600_000;
  assert.equal(pass(2_000), 2_000.25, "a step back is none");
  aheadMs += 60_000;
  assert.equal(pass(1_001), 63_001.25, "a step forward may be a sleep");
  assert.equal(pass(1_001), 64_002.25, "and counts once");
});

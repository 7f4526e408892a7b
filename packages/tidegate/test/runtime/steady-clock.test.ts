// Durations of a clock that may not tell any.

import assert from "node:assert/strict";
import { test } from "node:test";
import { withSteady } from "../../src/runtime/steady-clock.ts";
import { createManualClock } from "../support/manual-clock.ts";

test("a clock that tells durations is taken as it is", () => {
  const clock = { ...createManualClock(), steady: () => 7 };
  assert.equal(withSteady(clock), clock);
});

test("durations of one that does not are those of its wall clock, without the steps back", () => {
  const wall = createManualClock();
  const clock = withSteady(wall);
  const began = clock.steady();
  for (const [stepUs, passedUs] of [
    [0, 0],
    [1_000, 1_000],
    [-3_600_000_000, 1_000],
    [250, 1_250],
    [0, 1_250],
    [60_000_000, 60_001_250],
  ] as const) {
    wall.setUs(wall.now() + stepUs);
    assert.equal(clock.steady() - began, passedUs, `after a step of ${stepUs} us`);
    assert.equal(clock.now(), wall.now());
  }
});

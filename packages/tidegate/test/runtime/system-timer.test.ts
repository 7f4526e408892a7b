// The platform's timer, on a platform whose time a test moves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { systemTimer } from "../../src/runtime/system-timer.ts";

const DAY_MS = 86_400_000;

test("runs work once when its delay is over, and not where it was cancelled", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let runs = 0;
  const count = () => {
    runs += 1;
  };
  systemTimer.after(1_000, count);
  const cancel = systemTimer.after(1_000, count);
  t.mock.timers.tick(999);
  cancel();
  assert.equal(runs, 0);
  t.mock.timers.tick(1);
  assert.equal(runs, 1);
  cancel();
  t.mock.timers.tick(10_000);
  assert.equal(runs, 1);
});

test("a delay longer than setTimeout's longest, of 25 days, is as long as it says", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const longestMs = 2 ** 31 - 1;
  const runs: string[] = [];
  systemTimer.after(25 * DAY_MS, () => runs.push("25"));
  systemTimer.after(90 * DAY_MS, () => runs.push("90"));
  const cancel = systemTimer.after(90 * DAY_MS, () => runs.push("cancelled"));
  t.mock.timers.tick(longestMs);
  t.mock.timers.tick(25 * DAY_MS - longestMs - 1);
  assert.deepEqual(runs, []);
  t.mock.timers.tick(1);
  assert.deepEqual(runs, ["25"]);
  cancel();
  t.mock.timers.tick(2 * longestMs - 25 * DAY_MS);
  t.mock.timers.tick(longestMs);
  t.mock.timers.tick(90 * DAY_MS - 3 * longestMs - 1);
  assert.deepEqual(runs, ["25"]);
  t.mock.timers.tick(1);
  assert.deepEqual(runs, ["25", "90"]);
});

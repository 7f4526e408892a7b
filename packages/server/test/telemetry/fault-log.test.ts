import assert from "node:assert/strict";
import { test } from "node:test";
import { TidegateError } from "tidegate";
import { createFaultLog } from "../../src/telemetry/fault-log.ts";
import { createLogLines, createManualTimers } from "../service-support.ts";

test("faults are logged at most once in ten seconds, with how many were left out", () => {
  const log = createLogLines();
  const timers = createManualTimers();
  const fault = createFaultLog(log, timers);
  const [first, second, third] = [new Error("1"), new Error("2"), new Error("3")];
  fault(first);
  fault(second);
  timers.advance(9_999);
  fault(second);
  timers.advance(1);
  fault(third);
  assert.deepEqual(
    log.lines.map(({ level, fields }) => [level, fields]),
    [
      ["error", { err: first, leftOut: 0 }],
      ["error", { err: third, leftOut: 2 }],
    ],
  );
});

test("why the store could not decide is a warning of its own pace, without a stack", () => {
  const log = createLogLines();
  const timers = createManualTimers();
  const fault = createFaultLog(log, timers);
  fault(new Error("1"));
  for (const reason of ["READONLY", "READONLY", "OOM"]) {
    fault(new TidegateError("STORE_UNAVAILABLE", reason));
  }
  timers.advance(10_000);
  fault(new TidegateError("STORE_UNAVAILABLE", "OOM"));
  const warnings = log.lines.filter(({ level }) => level === "warn");
  assert.equal(log.lines.length, 3);
  assert.deepEqual(
    warnings.map(({ message, fields }) => [message, fields]),
    [
      ["the store could not decide", { reason: "READONLY", leftOut: 0 }],
      ["the store could not decide", { reason: "OOM", leftOut: 2 }],
    ],
  );
});

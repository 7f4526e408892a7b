import assert from "node:assert/strict";
import { test } from "node:test";
import type { CircuitState } from "tidegate";
import { createCircuitLog } from "../../src/telemetry/circuit-log.ts";
import { StoreCircuits } from "../../src/telemetry/store-circuits.ts";
import { createLogLines, createManualTimers } from "../service-support.ts";

function logOf() {
  const log = createLogLines();
  const timers = createManualTimers();
  const circuitLog = createCircuitLog(log, timers, "redis://redis:6379");
  const circuits = new StoreCircuits(timers, (change) => circuitLog.changed(change));
  const change = (state: CircuitState, reason?: string, node = "") => {
    circuits.change({ node, deadlineMs: 50, state, reason });
  };
  const lines = () => log.lines.filter(({ level }) => level !== "debug");
  return { log, timers, circuitLog, change, lines };
}

test("opening and closing are a line each, whatever was probed meanwhile", () => {
  const { log, timers, change, lines } = logOf();
  change("open", "connect ECONNREFUSED");
  for (let probe = 0; probe < 100; probe += 1) {
    timers.advance(500);
    change("half-open");
    change("open", "connect ECONNREFUSED");
  }
  change("half-open");
  change("closed");
  assert.deepEqual(lines(), [
    {
      level: "warn",
      message: "circuit opened: onStoreFailure answers",
      fields: {
        node: "redis://redis:6379",
        state: "open",
        reason: "connect ECONNREFUSED",
        since: "2027-01-31T12:00:00.000Z",
      },
    },
    {
      level: "info",
      message: "circuit closed: the store decides again",
      fields: { node: "redis://redis:6379", state: "closed" },
    },
  ]);
  assert.ok(log.lines.length > 100, "who wants to see the probes can");
});

test("a node of a Cluster is named, and has its own lines", () => {
  const { change, lines } = logOf();
  change("open", "a", "10.0.0.1:7000");
  change("open", "b", "10.0.0.2:7000");
  assert.deepEqual(
    lines().map(({ fields }) => (fields as { node: string }).node),
    ["10.0.0.1:7000", "10.0.0.2:7000"],
  );
});

test("one that flaps is told a few times a minute, and how it stands in the end", () => {
  const { timers, change, lines } = logOf();
  for (let time = 0; time < 50; time += 1) {
    change("open", "slow");
    change("closed");
  }
  change("open", "slower");
  assert.equal(lines().length, 6);
  assert.equal(lines().at(-1)!.level, "info");
  timers.advance(60_000);
  assert.equal(lines().length, 7);
  const { level, fields } = lines().at(-1)!;
  assert.deepEqual(
    [level, fields],
    [
      "warn",
      {
        node: "redis://redis:6379",
        state: "open",
        leftOut: 95,
        reason: "slower",
        since: "2027-01-31T12:00:00.000Z",
      },
    ],
  );
  timers.advance(60_000);
  assert.equal(lines().length, 7);
  change("closed");
  assert.equal(lines().length, 8, "and then each change is again");
});

test("what stops says nothing more", () => {
  const { timers, circuitLog, change, lines } = logOf();
  for (let time = 0; time < 10; time += 1) {
    change("open", "slow");
    change("closed");
  }
  circuitLog.stop();
  timers.advance(120_000);
  assert.equal(lines().length, 6);
});

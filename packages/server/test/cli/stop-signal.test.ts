// When signals stop the service, and when they end it at once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { stopSignal } from "../../src/cli/stop-signal.ts";

function listen() {
  const handlers = new Map<string, () => void>();
  const exits: number[] = [];
  let nowMs = 1_000;
  let stopped = false;
  stopSignal({
    on: (signal, handler) => handlers.set(signal, handler),
    exit: (code) => exits.push(code),
    timers: { now: () => nowMs },
  }).then(() => {
    stopped = true;
  });
  return {
    exits,
    isStopped: () => stopped,
    /** Sends a signal so many milliseconds after the one before. */
    async send(signal: string, afterMs = 0) {
      nowMs += afterMs;
      handlers.get(signal)!();
      await Promise.resolve();
    },
  };
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  test(`the first ${signal} stops, the second ends at once with 1`, async () => {
    const process = listen();
    assert.equal(process.isStopped(), false);
    await process.send(signal);
    assert.deepEqual([process.isStopped(), process.exits], [true, []]);
    await process.send(signal, 251);
    assert.deepEqual(process.exits, [1]);
  });
}

test("Ctrl-C that npm passes on once more is one keypress", async () => {
  const process = listen();
  await process.send("SIGINT");
  await process.send("SIGINT", 250);
  assert.deepEqual([process.isStopped(), process.exits], [true, []]);
});

test("another signal is never the same keypress", async () => {
  const process = listen();
  await process.send("SIGTERM");
  await process.send("SIGINT");
  assert.deepEqual(process.exits, [1]);
});

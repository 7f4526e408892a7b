// A connection that is accepted and never answered is given up in time, and one that answers is not.

import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import { watchSetUp } from "../../../src/stores/redis/own-set-up.ts";
import { createManualClock } from "../../support/manual-clock.ts";
import { createManualTimer } from "../../support/manual-timer.ts";

/** A stream that notes why it was ended. */
class FakeStream extends EventEmitter {
  readonly ended: string[] = [];

  destroy(error: Error): void {
    this.ended.push(error.message);
  }
}

function watched() {
  const timer = createManualTimer(createManualClock());
  const link = Object.assign(new EventEmitter(), { stream: new FakeStream() });
  watchSetUp(link, timer);
  return { timer, link };
}

test("a connection that says nothing is ended, and so is the next", async () => {
  const { timer, link } = watched();
  for (let round = 0; round < 2; round += 1) {
    link.stream = new FakeStream();
    link.emit("connect");
    await timer.advanceMs(499);
    assert.deepEqual(link.stream.ended, []);
    await timer.advanceMs(1);
    assert.deepEqual(link.stream.ended, ["silent for 500 ms while it was set up"]);
    link.emit("close");
  }
  assert.equal(timer.size, 0);
});

test("what arrives begins the time anew, also where it is read after the time was over", async () => {
  const { timer, link } = watched();
  const { stream } = link;
  link.emit("connect");
  await timer.advanceMs(400);
  stream.emit("data");
  await timer.advanceMs(499);
  // The process was busy: its timers are run first, and then what has arrived is read.
  timer.after(1, () => stream.emit("data"));
  await timer.advanceMs(1);
  assert.deepEqual(stream.ended, []);
  await timer.advanceMs(500);
  assert.equal(stream.ended.length, 1);
});

test("a connection that is set up, or over, is left alone", async () => {
  for (const event of ["ready", "close"]) {
    const { timer, link } = watched();
    link.emit("connect");
    link.emit(event);
    assert.equal(timer.size, 0);
    link.stream.emit("data");
    await timer.advanceMs(10_000);
    assert.deepEqual(link.stream.ended, []);
  }
});

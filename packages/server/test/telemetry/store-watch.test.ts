import assert from "node:assert/strict";
import { test } from "node:test";
import { watchStore } from "../../src/telemetry/store-watch.ts";
import { createManualTimers } from "../service-support.ts";

/** A watch whose pings are settled by hand. */
function createWatch() {
  const timers = createManualTimers();
  const pings: { readonly resolve: () => void; readonly reject: (error: unknown) => void }[] = [];
  const changes: (readonly [string, unknown])[] = [];
  const watch = watchStore({
    timers,
    ping: () => new Promise((resolve, reject) => pings.push({ resolve, reject })),
    changed: (state, cause) => changes.push([state, cause]),
  });
  return { timers, pings, changes, watch };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

test("the first ping goes out at once, and only changes are told", async () => {
  const { timers, pings, changes, watch } = createWatch();
  assert.equal(watch.state, "unknown");
  assert.equal(pings.length, 1);
  for (let second = 0; second < 3; second += 1) {
    pings.at(-1)!.resolve();
    await turn();
    timers.advance(1_000);
  }
  assert.equal(pings.length, 4);
  const down = new Error("down");
  pings.at(-1)!.reject(down);
  await turn();
  assert.deepEqual(changes, [
    ["reachable", undefined],
    ["unavailable", down],
  ]);
});

test("a ping that hangs is missed after a second, joined meanwhile, and believed when it answers", async () => {
  const { timers, pings, changes, watch } = createWatch();
  const asked = watch.check();
  timers.advance(1_000);
  assert.equal(watch.state, "unknown");
  timers.advance(1);
  assert.equal(await asked, false);
  assert.equal(watch.state, "unavailable");
  timers.advance(2_500);
  assert.equal(pings.length, 1, "one at a time");
  assert.equal(await watch.check(), false);
  pings[0]!.resolve();
  await turn();
  assert.equal(watch.state, "reachable");
  assert.equal(changes.length, 2);
});

test("an answer that comes with the deadline, as after a pause, is read first", async () => {
  const { timers, pings, changes } = createWatch();
  timers.advance(1_000);
  pings[0]!.resolve();
  await turn();
  timers.advance(1);
  assert.deepEqual(changes, [["reachable", undefined]]);
});

test("a ping that never settles is given up after five seconds, and its answer ignored", async () => {
  const { timers, pings, watch } = createWatch();
  timers.advance(5_000);
  assert.equal(pings.length, 2);
  pings[1]!.reject(new Error("still down"));
  await turn();
  pings[0]!.resolve();
  await turn();
  assert.equal(watch.state, "unavailable");
});

test("a ping that throws is a store that does not answer", async () => {
  const timers = createManualTimers();
  const watch = watchStore({
    timers,
    ping: () => {
      throw new Error("at once");
    },
    changed: () => undefined,
  });
  assert.equal(await watch.check(), false);
  assert.equal(watch.state, "unavailable");
});

test("after stop nothing is asked and nothing is told", async () => {
  const { timers, pings, changes, watch } = createWatch();
  watch.stop();
  pings[0]!.resolve();
  await turn();
  timers.advance(10_000);
  assert.equal(pings.length, 1);
  assert.deepEqual(changes, []);
});

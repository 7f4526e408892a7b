// The count of the nodes that share a store: how often each announces itself, and what is known while none can.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Store } from "tidegate";
import { LiveNodes } from "../../src/resilience/live-nodes.ts";
import { createFaultyStore } from "../support/faulty-store.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer, settled } from "../support/manual-timer.ts";

function createTestNodes({ random = 0, expected = 4 } = {}) {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const store = createFaultyStore(clock);
  const state = { away: false };
  const nodes = new LiveNodes({
    store,
    clock,
    timer,
    expected,
    id: "me",
    random: { next: () => random },
    isAway: () => state.away,
  });
  return { nodes, timer, store, state };
}

test("is the expected count until the store has said, and then what that says", async () => {
  const { nodes, timer, store } = createTestNodes();
  assert.equal(nodes.count, 4);
  store.nodes = 7;
  nodes.start();
  await settled();
  assert.deepEqual([nodes.count, store.announced], [7, [["me", 5_000]]]);
  store.nodes = 8;
  await timer.advanceMs(750);
  assert.equal(nodes.count, 8);
});

test("announces itself every second, jittered down to three quarters of it", async () => {
  for (const [random, pauseMs] of [
    [0, 750],
    [0.5, 875],
    [1, 1_000],
  ] as const) {
    const { nodes, timer, store } = createTestNodes({ random });
    nodes.start();
    await settled();
    for (let time = 1; time <= 5; time += 1) {
      await timer.advanceMs(pauseMs - 1);
      assert.equal(store.announced.length, time);
      await timer.advanceMs(1);
      assert.equal(store.announced.length, time + 1);
    }
  }
});

test("starts once, however many policies ask for it, and not at all until one does", async () => {
  const { nodes, timer, store } = createTestNodes();
  await timer.advanceMs(10_000);
  assert.deepEqual([store.calls.length, timer.size], [0, 0]);
  for (let time = 0; time < 5; time += 1) nodes.start();
  await settled();
  assert.deepEqual([store.calls.length, timer.size], [1, 1]);
});

test("an announcement that is never answered is given up after a while, and the next is made", async () => {
  const { nodes, timer, store } = createTestNodes();
  nodes.start();
  await settled();
  store.set("hung");
  await timer.advanceMs(30_000);
  assert.equal(store.calls.length, 2, "what a client may keep is not many");
  store.set("up");
  store.nodes = 9;
  await timer.advanceMs(1_500);
  assert.deepEqual([nodes.count, store.calls.length], [9, 3]);
  store.set("hung");
  await timer.advanceMs(750);
  nodes.stop();
  assert.equal(timer.size, 0);
});

test("keeps the last count while the store is away, and does not ask it", async () => {
  const { nodes, timer, store, state } = createTestNodes();
  store.nodes = 7;
  nodes.start();
  await settled();
  state.away = true;
  store.nodes = 2;
  await timer.advanceMs(60_000);
  assert.deepEqual([nodes.count, store.calls.length, timer.size], [7, 1, 1]);
  state.away = false;
  await timer.advanceMs(4_500);
  assert.equal(nodes.count, 7, "they may have been cut off, and not gone");
  await timer.advanceMs(750);
  assert.equal(nodes.count, 2);
});

test("keeps the last count where the call fails, or is answered with none; goes on with the next", async () => {
  const { nodes, timer, store } = createTestNodes({ expected: 1 });
  nodes.start();
  await settled();
  assert.equal(nodes.count, 1);
  store.set("down");
  await timer.advanceMs(3_000);
  assert.equal(nodes.count, 1);
  store.set("up");
  for (const wrong of [0, Number.NaN, -1]) {
    store.nodes = wrong;
    await timer.advanceMs(750);
    assert.equal(nodes.count, 1, `${wrong}`);
  }
  store.nodes = 3;
  await timer.advanceMs(750);
  assert.equal(nodes.count, 3);
});

test("a call that hangs is the only one, and is followed by the next when it ends", async () => {
  const { nodes, timer, store } = createTestNodes();
  store.set("hung");
  nodes.start();
  await timer.advanceMs(29_999);
  assert.deepEqual([store.hanging, timer.size], [1, 1]);
  store.set("up");
  store.lose();
  await timer.advanceMs(750);
  assert.equal(store.announced.length, 1);
});

test("an answer that comes late is as old as its question, for others may have come meanwhile", async () => {
  const { nodes, timer, store } = createTestNodes({ expected: 1 });
  nodes.start();
  await timer.advanceMs(2_250);
  assert.equal(nodes.certain?.count, 1);
  store.set("hung");
  await timer.advanceMs(750);
  assert.equal(store.hanging, 1);
  await timer.advanceMs(1_200);
  store.thaw();
  await settled();
  assert.equal(nodes.certain?.count, 1, "its question is 1.2 s old");
  await timer.advanceMs(799);
  assert.equal(nodes.certain?.count, 1);
  await timer.advanceMs(1);
  assert.equal(nodes.certain, undefined, "a newcomer may be certain by now, and is not in it");
});

test("stop() says that it is gone, once, and ends the timer", async () => {
  const { nodes, timer, store } = createTestNodes();
  nodes.start();
  await settled();
  nodes.stop();
  await timer.advanceMs(60_000);
  assert.deepEqual(store.announced, [
    ["me", 5_000],
    ["me", 0],
  ]);
  assert.equal(timer.size, 0);
});

test("stop() during a call leaves no timer, however that ends, nor an error to nobody", async () => {
  for (const end of ["thaw", "lose"] as const) {
    const { nodes, timer, store } = createTestNodes();
    store.set("hung");
    nodes.start();
    nodes.stop();
    assert.equal(store.hanging, 2);
    store[end]();
    await settled();
    assert.equal(timer.size, 0);
  }
});

test("stop() asks nothing of a store that is away, or where it never started", async () => {
  const one = createTestNodes();
  one.nodes.stop();
  const away = createTestNodes();
  away.nodes.start();
  await settled();
  away.state.away = true;
  away.nodes.stop();
  await settled();
  assert.deepEqual([one.store.announced.length, away.store.announced.length], [0, 1]);
});

test("a store that cannot be told keeps the expected count, with no timer", async () => {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const { announce, ...store } = createFaultyStore(clock);
  assert.equal(typeof announce, "function");
  const nodes = new LiveNodes({
    store: store as Store,
    clock,
    timer,
    expected: 3,
    id: "me",
    random: { next: () => 0 },
    isAway: () => false,
  });
  nodes.start();
  nodes.stop();
  await settled();
  assert.deepEqual([nodes.count, timer.size], [3, 0]);
});

// The count of live nodes after an outage, in which the store forgot all of them: too low a count is too large a share.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Store } from "../../src/ports/store.ts";
import { LiveNodes } from "../../src/resilience/live-nodes.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer } from "../support/manual-timer.ts";

const clock = createManualClock();
const timer = createManualTimer(clock);

/** A node whose store answers what the test says, or nothing; announced once a second. */
function start(expected: number) {
  const world = { answer: 0 as number | Error, isAway: false };
  const announce = async () => {
    if (world.answer instanceof Error) throw world.answer;
    return world.answer;
  };
  const nodes = new LiveNodes({
    store: { announce } as Partial<Store> as Store,
    id: "a",
    expected,
    clock,
    timer,
    random: { next: () => 1 },
    isAway: () => world.isAway,
  });
  return { world, nodes };
}

async function hear(world: { answer: number | Error }, answers: readonly (number | Error)[]) {
  for (const answer of answers) {
    world.answer = answer;
    await timer.advanceMs(1_000);
  }
}

test("more nodes are believed at once, fewer once a node would be forgotten", async () => {
  const { world, nodes } = start(1);
  world.answer = 3;
  nodes.start();
  await timer.advanceMs(0);
  assert.equal(nodes.count, 3);
  await hear(world, [1, 1, 2, 1, 1, 1]);
  assert.equal(nodes.count, 3);
  await hear(world, [1]);
  assert.equal(nodes.count, 2, "the most that were heard of meanwhile");
  await hear(world, [1, 1, 1, 1, 1, 1, 1]);
  assert.equal(nodes.count, 1);
  nodes.stop();
});

test("who is the first to find a store that was away is not alone", async () => {
  const { world, nodes } = start(1);
  world.answer = 5;
  nodes.start();
  await timer.advanceMs(0);
  world.isAway = true;
  await timer.advanceMs(60_000);
  world.isAway = false;
  await hear(world, [1, 2, 2]);
  assert.equal(nodes.count, 5);
  // It flaps: what was heard before the gap says nothing of those who are still to come.
  for (let round = 0; round < 5; round += 1) {
    await hear(world, [new Error("away"), 1, 1, 2]);
    assert.equal(nodes.count, 5);
  }
  await hear(world, [5, 1, 1]);
  assert.equal(nodes.count, 5);
  nodes.stop();
});

test("as many are expected as the application says, until the others have had time to come", async () => {
  const { world, nodes } = start(4);
  world.answer = 1;
  nodes.start();
  await timer.advanceMs(0);
  assert.equal(nodes.count, 4);
  await hear(world, [1, 1, 1, 1, 1, 1]);
  assert.equal(nodes.count, 1);
  nodes.stop();
});

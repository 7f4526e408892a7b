import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow } from "tidegate";
import { Lease } from "../../src/leases/lease.ts";
import { LeaseAsks } from "../../src/leases/lease-asks.ts";
import { createPolicy } from "../../src/policy/policy.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualScheduler } from "../support/manual-scheduler.ts";
import { createManualTimer } from "../support/manual-timer.ts";

const policy = createPolicy("api", { limits: [fixedWindow({ limit: 9, window: "1h" })] });

function createAsks() {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const scheduler = createManualScheduler();
  const sent: string[] = [];
  const send = (leases: readonly Lease[]) => void sent.push(leases.map(({ key }) => key).join());
  const asks = new LeaseAsks({ send, clock, timer, scheduler });
  const add = (key: string, deadlineMs?: number) => {
    asks.add(new Lease(policy, key, clock.now()), deadlineMs);
  };
  return { asks, add, sent, clock, timer, scheduler };
}

test("what is asked in one turn goes out at its end, what comes within 5 ms after that together", async () => {
  const { asks, add, sent, timer, scheduler } = createAsks();
  for (const key of ["a", "b"]) add(key);
  assert.deepEqual([sent, asks.size, scheduler.size], [[], 2, 1]);
  scheduler.endTurn();
  assert.deepEqual([sent, asks.size], [["a,b"], 0]);
  add("c");
  await timer.advanceMs(2);
  add("d");
  await timer.advanceMs(2);
  assert.deepEqual(sent, ["a,b"]);
  await timer.advanceMs(1);
  assert.deepEqual(sent, ["a,b", "c,d"]);
  assert.deepEqual([timer.size, scheduler.size], [0, 0]);
});

test("what cannot wait goes out now, with all that waits, and no timer is left", () => {
  const { asks, add, sent, timer, scheduler } = createAsks();
  add("a");
  scheduler.endTurn();
  add("b");
  assert.equal(timer.size, 1);
  asks.flush();
  assert.deepEqual([sent, timer.size], [["a", "b"], 0]);
  asks.flush();
  assert.deepEqual(sent, ["a", "b"], "nothing is no question");
});

test("a clock that is stepped back delays nothing", () => {
  const { add, sent, clock, timer, scheduler } = createAsks();
  add("a");
  scheduler.endTurn();
  clock.advanceMs(-3_600_000);
  add("b");
  assert.equal(timer.size, 0);
  scheduler.endTurn();
  assert.deepEqual(sent, ["a", "b"]);
});

for (const [deadlineMs, afterMs] of [
  [500, 5],
  [20, 5],
  [10, 2],
  [5, 1],
  [3, 0],
] as const) {
  test(`who waits ${deadlineMs} ms at most is asked about after ${afterMs} ms, with all that waits`, async () => {
    const { asks, add, sent, timer, scheduler } = createAsks();
    add("a");
    scheduler.endTurn();
    add("b");
    add("c", deadlineMs);
    await timer.advanceMs(Math.max(afterMs - 1, 0));
    assert.deepEqual(sent, ["a"]);
    if (afterMs > 0) await timer.advanceMs(1);
    scheduler.endTurn();
    assert.deepEqual([sent, asks.size, timer.size], [["a", "b,c"], 0, 0]);
  });
}

test("a check that comes to wait for what is about to be asked has it asked sooner", async () => {
  const { asks, add, sent, timer, scheduler } = createAsks();
  asks.hurry(1);
  assert.equal(scheduler.size, 0, "nothing is to be asked");
  add("a");
  scheduler.endTurn();
  add("b");
  asks.hurry(10);
  asks.hurry(20);
  await timer.advanceMs(1);
  assert.deepEqual(sent, ["a"]);
  await timer.advanceMs(1);
  assert.deepEqual(sent, ["a", "b"]);
});

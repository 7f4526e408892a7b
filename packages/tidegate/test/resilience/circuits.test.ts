// The circuits of a store: one for each node and deadline, each on its own, and not ever more of them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CircuitChange, fixedWindow, type Scheduler } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import { Circuits } from "../../src/resilience/circuits.ts";
import { createFaultyStore } from "../support/faulty-store.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualScheduler } from "../support/manual-scheduler.ts";
import { createManualTimer, settled } from "../support/manual-timer.ts";

const policyOf = (deadline: string) => {
  return createPolicy("api", { limits: [fixedWindow({ limit: 1, window: "1m" })], deadline });
};
const policy = policyOf("50ms");

const ofTurns: Scheduler = { afterTurn: (work) => void setImmediate(work) };

function createTestCircuits({ cluster = false, scheduler = ofTurns } = {}) {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const store = createFaultyStore(clock, { cluster });
  const changes: CircuitChange[] = [];
  const circuits = new Circuits({
    store,
    clock,
    timer,
    scheduler,
    random: { next: () => 0 },
    telemetry: { circuitChanged: (change) => void changes.push(change) },
  });
  /** Opens the circuit of a key. */
  const open = (key: string, one = policy) => {
    const { breaker } = circuits.of(one, key);
    for (let time = 0; time < 5; time += 1) breaker.failed(breaker.generation, "gone");
    return breaker;
  };
  return { circuits, clock, timer, store, changes, open };
}

test("a store of one node has one circuit for each deadline", () => {
  const { circuits, open } = createTestCircuits();
  const circuit = circuits.of(policy, "a");
  assert.equal(circuits.of(policy, "b"), circuit);
  assert.equal(circuits.of(policyOf("50ms"), "a"), circuit, "the deadline counts, not the policy");
  const slow = circuits.of(policyOf("1s"), "a");
  assert.notEqual(slow, circuit);
  assert.equal(circuits.of(policy, "a", 1_000), slow, "by the deadline that is given");
  assert.equal(circuits.of(policy, "a"), circuit);
  open("a");
  assert.deepEqual([circuit.breaker.state, slow.breaker.state], ["open", "closed"]);
});

test("one node that is away leaves the circuits of the others closed", () => {
  const { circuits, open, changes } = createTestCircuits({ cluster: true });
  const stateOf = (key: string) => circuits.of(policy, key).breaker.state;
  assert.deepEqual([stateOf("a1"), stateOf("b1")], ["closed", "closed"]);
  open("a1");
  assert.deepEqual([stateOf("a2"), stateOf("b2")], ["open", "closed"]);
  assert.deepEqual(changes, [{ node: "a", deadlineMs: 50, state: "open", reason: "gone" }]);
});

test("all are open only where there are some and none is closed", async () => {
  const { circuits, open, timer, store } = createTestCircuits({ cluster: true });
  assert.equal(circuits.away !== undefined, false, "there are none");
  circuits.of(policy, "b");
  open("a");
  assert.equal(circuits.away !== undefined, false);
  open("b");
  assert.equal(circuits.away !== undefined, true);
  store.set("hung");
  await timer.advanceMs(50);
  assert.equal(circuits.away !== undefined, true, "half-open is not closed");
  store.thaw();
  await settled();
  assert.equal(circuits.away !== undefined, false);
});

test("a probe asks the node itself, and one that is not answered ends with the deadline", async () => {
  const { open, timer, store, changes } = createTestCircuits({ cluster: true });
  store.set("hung");
  open("a");
  await timer.advanceMs(50);
  assert.deepEqual(store.calls, ["ping:a"]);
  await timer.advanceMs(50);
  assert.deepEqual(changes.slice(1), [
    { node: "a", deadlineMs: 50, state: "half-open", reason: undefined },
    {
      node: "a",
      deadlineMs: 50,
      state: "open",
      reason: "no answer within the deadline of 50 ms",
    },
  ]);
  assert.equal(timer.size, 1, "the next probe");
  store.thaw();
  await settled();
  assert.equal(changes.at(-1)?.state, "open", "an answer after its time closes nothing");
  store.set("up");
  await timer.advanceMs(100);
  assert.deepEqual([changes.at(-1)?.state, timer.size], ["closed", 0]);
});

test("a probe's answer that has arrived with its deadline, as after a pause, is read first", async () => {
  const scheduler = createManualScheduler();
  const { open, timer, store, changes } = createTestCircuits({ scheduler });
  store.set("hung");
  open("a");
  await timer.advanceMs(100);
  store.thaw();
  await settled();
  scheduler.endTurn();
  await settled();
  assert.deepEqual([changes.at(-1)?.state, timer.size], ["closed", 0]);
});

test("trap 8: probes that nobody answers are bounded, and an answer to one lets the next be asked", async () => {
  const { open, timer, store, changes } = createTestCircuits();
  store.set("hung");
  open("a");
  await timer.advanceMs(10_000);
  assert.equal(store.hanging, 8);
  assert.equal(changes.at(-1)?.reason, "no answer to 8 probes yet");
  await timer.advanceMs(3_600_000);
  const { hanging } = store;
  assert.ok(hanging <= 8 + 240, `after each of which 59 are left out, 250 ms apart: ${hanging}`);
  assert.ok(timer.size <= 1, `${timer.size}`);
  store.set("up");
  store.lose();
  await timer.advanceMs(500);
  assert.deepEqual([changes.at(-1)?.state, timer.size], ["closed", 0]);
});

test("says which node is away, and when it is asked again", () => {
  const cluster = createTestCircuits({ cluster: true });
  cluster.open("a");
  assert.deepEqual(
    { ...cluster.circuits.of(policy, "a").awayError() },
    {
      name: "TidegateError",
      code: "STORE_UNAVAILABLE",
      transient: true,
      field: undefined,
    },
  );
  assert.equal(
    cluster.circuits.of(policy, "a").awayError().message,
    "the store's node a is away (gone), and is asked again in 50 ms at most",
  );
  const single = createTestCircuits();
  single.open("a");
  assert.equal(
    single.circuits.of(policy, "a").awayError().message,
    "the store is away (gone), and is asked again in 50 ms at most",
  );
});

test("says so where it is asked at the moment", async () => {
  const { circuits, open, store, timer } = createTestCircuits();
  store.set("hung");
  open("a");
  await timer.advanceMs(50);
  assert.equal(circuits.away?.awayError().message, "the store is away (gone), and is asked now");
});

test("what is asked in one turn goes out as one flight, of each node", () => {
  const scheduler = createManualScheduler();
  const { circuits } = createTestCircuits({ cluster: true, scheduler });
  const [a, b] = [circuits.of(policy, "a"), circuits.of(policy, "b")];
  const flight = a.flight();
  assert.equal(a.flight(), flight);
  assert.notEqual(b.flight(), flight);
  assert.equal(scheduler.size, 1, "one end of the turn for all of them");
  scheduler.endTurn();
  assert.notEqual(a.flight(), flight);
  assert.equal(scheduler.size, 1);
});

test("stop() ends all timers, also that of a probe under way, which changes nothing more", async () => {
  for (const end of ["thaw", "lose", undefined] as const) {
    const { circuits, open, timer, store, changes } = createTestCircuits({ cluster: true });
    store.set("hung");
    open("a");
    await timer.advanceMs(50);
    open("b");
    assert.deepEqual([store.hanging, timer.size], [1, 2]);
    circuits.stop();
    await settled();
    assert.equal(timer.size, 0);
    const told = changes.length;
    if (end !== undefined) store[end]();
    await timer.advanceMs(10_000);
    assert.deepEqual([timer.size, changes.length], [0, told]);
  }
});

test("a call that only begins a circuit after stop() begins no probes", () => {
  const { circuits, open, timer } = createTestCircuits({ cluster: true });
  circuits.stop();
  assert.equal(open("a").state, "closed");
  assert.equal(timer.size, 0);
});

/** Has circuits to so many nodes, which have one letter each. */
function fill({ circuits }: ReturnType<typeof createTestCircuits>, count: number, from = 0) {
  const keys = Array.from({ length: count }, (_, index) => String.fromCharCode(256 + from + index));
  return keys.map((key) => circuits.of(policy, key));
}

test("trap 8: of 10,000 circuits those that are closed are forgotten, and end", () => {
  const one = createTestCircuits({ cluster: true });
  const { breaker } = one.circuits.of(policy, "a");
  const open = one.open("b");
  const all = fill(one, 9_998);
  assert.equal(fill(one, 1)[0], all[0], "there is room for them");
  one.circuits.of(policy, "c");
  assert.notEqual(fill(one, 1)[0], all[0]);
  assert.notEqual(one.circuits.of(policy, "a").breaker, breaker);
  assert.equal(one.circuits.of(policy, "b").breaker, open, "which is still probed");
  for (let time = 0; time < 9; time += 1) breaker.failed(breaker.generation, "late");
  assert.equal(one.timer.size, 1, "one that nobody knows any more probes nothing");
});

test("trap 8: where all of 10,000 are open, the oldest of them is forgotten and not probed any more", () => {
  const one = createTestCircuits({ cluster: true });
  const all = fill(one, 10_000);
  for (const { breaker } of all) {
    for (let time = 0; time < 5; time += 1) breaker.failed(breaker.generation, "gone");
  }
  assert.equal(one.timer.size, 10_000);
  fill(one, 5, 10_000);
  assert.equal(one.timer.size, 9_999, "the four others are closed and make room for each other");
  assert.equal(fill(one, 1, 1)[0], all[1]);
});

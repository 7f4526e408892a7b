// A store that fails over is, to the microsecond, the one that it was before it went; and what that may cost is what
// is checked.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow, tokenBucket } from "tidegate";
import {
  type ConfigurationReport,
  checkScenario,
  type FaultOptions,
  type Scenario,
  SimulatedNetwork,
  simulate,
  VirtualTime,
} from "tidegate/simulation";
import { createPolicy } from "../../src/policy/policy.ts";
import { Checkers } from "../../src/simulation/checks/checkers.ts";
import type { Answer, SimulatedNode } from "../../src/simulation/simulated-node.ts";
import { connect, SimulatedStore } from "../../src/simulation/simulated-store.ts";
import type { StoreState } from "../../src/simulation/store-state.ts";

const START_US = 1_767_225_600_000_000;

interface Fixture {
  readonly time: VirtualTime;
  readonly network: SimulatedNetwork;
  readonly store: SimulatedStore;
}

function storeOf(lossesMs: readonly number[]): Fixture {
  const time = new VirtualTime(START_US);
  const network = new SimulatedNetwork({ time, latencyMs: 1, jitterMs: 0 });
  const lossesUs = lossesMs.map((ms) => 1_000 * ms);
  const store = new SimulatedStore({ time, network, seed: 1, isNear: false, lossesUs });
  return { time, network, store };
}

const bucket = createPolicy("bucket", {
  limits: [tokenBucket({ capacity: 1_000, refill: "7/s" })],
});
const NOTHING = () => ({ key: "", units: 0 });

/** Takes a unit of a key, as of which the store says what is left. */
function take({ time, store }: Fixture, atMs: number, key = "a"): void {
  time.nowUs = START_US + 1_000 * atMs;
  const work = ({ memory }: StoreState) => memory.decide(bucket, key, 1, true);
  store.do(work, () => ({ key, units: 1 }));
}

/** How a key stands. */
function look({ time, store }: Fixture, atMs: number, key = "a") {
  time.nowUs = START_US + 1_000 * atMs;
  return store.do(({ memory }: StoreState) => memory.decide(bucket, key, 0, false), NOTHING);
}

function failOver(fixture: Fixture, atMs: number): void {
  fixture.time.nowUs = START_US + 1_000 * atMs;
  fixture.store.leave("hangs");
  fixture.store.comeBack("replica");
}

test("what is promoted did all up to the instant, and nothing after it", () => {
  const failing = storeOf([500]);
  const whole = storeOf([]);
  for (let atMs = 0; atMs <= 3_000; atMs += 10) {
    take(failing, atMs, atMs % 20 === 0 ? "a" : "b");
    if (atMs <= 2_500) take(whole, atMs, atMs % 20 === 0 ? "a" : "b");
  }
  failOver(failing, 3_000);
  for (const key of ["a", "b", "c"]) {
    assert.deepEqual(look(failing, 3_001, key), look(whole, 3_001, key));
  }
  assert.deepEqual(
    [...failing.store.lostUnits],
    [
      ["b", 25],
      ["a", 25],
    ],
  );
});

test("one failover after another, also within what the second loses, and one of a store that forgot", () => {
  const failing = storeOf([200, 1_000, 100, 300]);
  const whole = storeOf([]);
  for (const atMs of [100, 900, 1_000, 1_700, 1_900]) take(failing, atMs);
  failOver(failing, 2_000);
  for (const atMs of [100, 900, 1_000, 1_700]) take(whole, atMs);
  assert.deepEqual(look(failing, 2_000), look(whole, 2_000));
  take(failing, 2_050);
  failOver(failing, 2_100);
  const first = storeOf([]);
  for (const atMs of [100, 900, 1_000]) take(first, atMs);
  assert.deepEqual(look(failing, 2_100), look(first, 2_100));
  take(failing, 2_150);
  failing.store.leave("refuses");
  failing.store.comeBack("empty");
  take(failing, 2_200);
  failOver(failing, 2_300);
  const empty = storeOf([]);
  take(empty, 2_200);
  assert.deepEqual(look(failing, 2_300), look(empty, 2_300));
  take(failing, 2_350);
  failOver(failing, 2_400);
  assert.equal(look(failing, 2_400).remaining, 1_000);
});

test("who had announced itself is of that instant as well", () => {
  const failing = storeOf([500]);
  const { store, time } = failing;
  const announce = (atMs: number, name: string) => {
    time.nowUs = START_US + 1_000 * atMs;
    return store.do((state) => state.announce(name, 5_000), NOTHING);
  };
  announce(0, "first");
  assert.equal(announce(800, "second"), 2);
  failOver(failing, 1_000);
  assert.equal(announce(1_100, "third"), 2);
});

test("another server has to be sent the scripts, which takes a call and a journey more", async () => {
  const { store, time } = storeOf([500]);
  const connection = connect(store, 0, (work) => work());
  const ask = async () => {
    const startUs = time.nowUs;
    const before = store.calls;
    let answeredUs = 0;
    void Promise.resolve(connection.decide(bucket, "a", 1, true)).then(() => {
      answeredUs = time.nowUs;
    });
    await time.runUntil(startUs + 100_000);
    return [store.calls - before, (answeredUs - startUs) / 1_000];
  };
  assert.deepEqual(await ask(), [1, 2]);
  store.leave("hangs");
  store.comeBack("replica");
  assert.deepEqual(await ask(), [2, 4]);
  assert.deepEqual(await ask(), [1, 2]);
});

const window = [fixedWindow({ limit: 100, window: "1h" })];

/** Fifty requests a second of one key, so that a window of a hundred is full after two seconds. */
async function run(
  configuration: Scenario["configurations"][string],
  faults: readonly FaultOptions[],
): Promise<ConfigurationReport> {
  const { configurations } = await simulate({
    name: "failover",
    duration: "8s",
    nodes: { count: 3 },
    traffic: [{ rate: 50, arrivals: "constant", keys: ["a"], spread: "round-robin" }],
    configurations: { configuration: { onStoreFailure: "deny", ...configuration } },
    faults,
  });
  return configurations[0]!;
}

test("central admits again what it had admitted in the time that is lost, to the unit", async () => {
  const failover = { fault: "store-refuses", at: "1500ms", for: "500ms", loses: "1s" } as const;
  const { admittedUnits, verdicts } = await run({ limits: window }, [failover]);
  assert.equal(admittedUnits, 150);
  assert.deepEqual(verdicts[0], {
    check: "bound",
    held: true,
    detail: "1 key within the limits on all nodes together, and the 50 units that a failover lost",
  });
});

test("hybrid admits no more than what was debited in the time that is lost", async () => {
  const failover = { fault: "store-hangs", at: "1500ms", for: "500ms", loses: "1s" } as const;
  const hybrid = { limits: window, coordination: "hybrid" } as const;
  const { admittedUnits, verdicts } = await run(hybrid, [failover]);
  const { held, detail } = verdicts[0]!;
  const lost = Number(/and the (\d+) units that a failover lost/.exec(detail)![1]);
  assert.ok(held, detail);
  assert.ok(lost >= 30 && lost <= 100, `${lost} of 100 units were debited in a second of two`);
  assert.ok(admittedUnits > 100 && admittedUnits <= 100 + lost, `${admittedUnits}, lost ${lost}`);
});

/** Judges units of one key, admitted by a store that fails over after 5 s without its last second. */
function judge(
  coordination: "central" | "hybrid",
  admitted: readonly (readonly [atMs: number, units: number])[],
  lostUnits: ReadonlyMap<string, number> = new Map(),
) {
  const result = checkScenario({
    name: "failover",
    duration: "10s",
    nodes: { count: 1 },
    traffic: [{ rate: 10, keys: ["a"] }],
    configurations: { one: { limits: window, coordination } },
    faults: [{ fault: "store-refuses", at: "5s", for: "1s", loses: "1s" }],
  });
  assert.ok("checked" in result, JSON.stringify(result));
  const { checked: scenario } = result;
  const subject = { scenario, configuration: scenario.configurations[0]!, startUs: START_US };
  const checkers = new Checkers(subject, new VirtualTime(START_US), () => {
    return { units: 0, admittedUnits: 0, idealUnits: 0 };
  });
  for (const [atMs, cost] of admitted) {
    const source = coordination === "central" ? "store" : "lease";
    checkers.answered({
      request: { atUs: 1_000 * atMs, stream: 0, key: "a", cost, node: 0 },
      decision: { allowed: true, source },
      node: { index: 0 },
      decidedUs: START_US + 1_000 * atMs,
    } as unknown as Answer);
  }
  const nodes: SimulatedNode[] = [];
  const totals = { admittedUnits: 0, idealUnits: 0, lostUnits };
  return checkers.verdicts(nodes, totals).find(({ check }) => check === "bound")!;
}

test("central: a unit more than what was lost is found, before the failover and after it", () => {
  const before = [
    [4_000, 60],
    [4_001, 40],
  ] as const;
  assert.ok(judge("central", [...before, [7_000, 40]]).held);
  assert.equal(
    judge("central", [...before, [7_000, 41]]).detail,
    '"a" was admitted 1 unit beyond limit simulated on all nodes together, and the 40 units that a failover lost',
  );
  const early = judge("central", [...before, [5_000, 1]]);
  assert.deepEqual([early.held, early.atMs], [false, 5_000]);
});

test("hybrid: so many units of the key as were lost are allowed for, and of another none", () => {
  const asked = [
    [4_500, 100],
    [7_000, 30],
  ] as const;
  assert.ok(judge("hybrid", asked, new Map([["a", 30]])).held);
  assert.ok(!judge("hybrid", asked, new Map([["a", 29]])).held);
  assert.ok(!judge("hybrid", asked, new Map([["b", 30]])).held);
});

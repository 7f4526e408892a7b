// What is bounded: keys, and what is done where there is no room for another; and what options may say.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createGossip } from "../../src/coordination/gossip.ts";
import { checkGossip, type GossipOptions } from "../../src/gossip/gossip-options.ts";
import { CountedKeys } from "../../src/gossip/keys.ts";
import { fixedWindow, type GossipStatus } from "../../src/index.ts";
import { createPolicy } from "../../src/policy/policy.ts";
import { withSteady } from "../../src/runtime/steady-clock.ts";
import { createSeededRandom } from "../../src/simulation/seeded-random.ts";
import { countingStore } from "../../src/stores/memory.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer } from "../support/manual-timer.ts";

const transport = (members: readonly string[] = []) => ({
  ...{ address: "a:1", open() {}, send() {}, members: () => members, close() {} },
});

/** A node that has room for three keys, one of five. */
function createNode() {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const random = createSeededRandom(1);
  let status!: () => GossipStatus;
  const policy = createPolicy("api", { limits: [fixedWindow({ limit: 50, window: "1m" })] });
  const coordination = createGossip({
    gossip: checkGossip({ transport: transport(["b:1", "c:1", "d:1", "e:1"]) }),
    store: countingStore({ clock, random }),
    ...{ clock: withSteady(clock), timer, random, instance: "00000000000000aa", region: "" },
    ...{ signer: undefined, maxKeys: 3 },
    telemetry: {
      gossipWatched: (given) => {
        status = given;
      },
    },
    policyOf: () => policy,
    generation: () => 1,
    hasOverrides: () => false,
  });
  return { coordination, policy, timer, status: () => status() };
}

test("keys for which there is no room are decided by a node's part, whichever call it is", async () => {
  const { coordination, policy, timer, status } = createNode();
  await timer.advanceMs(3_000);
  assert.equal(status().joined, true);
  const allowed = (key: string, cost = 1) => {
    const decision = coordination.decide(policy, key, cost, true);
    return "allowed" in decision && decision.allowed;
  };
  for (const key of ["a", "b", "c"]) assert.equal(allowed(key), true);
  const admitted = Array.from({ length: 60 }, () => allowed("d")).filter(Boolean);
  assert.equal(admitted.length, 10, "a fifth of 50");
  assert.equal(status().keys, 3);
  const parts = [{ policy, key: "e", cost: 11 }];
  const whole = await coordination.run({ kind: "take", parts });
  assert.equal(whole.decision.allowed, false);
  const part = await coordination.run({ kind: "take", parts: [{ policy, key: "e", cost: 10 }] });
  assert.equal(part.decision.allowed, true);
  // Once windows are over and nobody spoke of them, keys are forgotten, and there is room again.
  await timer.advanceMs(200_000);
  assert.equal(status().keys, 0);
  assert.equal(allowed("d", 40), true);
  await coordination.close();
});

test("keys are found by policy and name, counted, bounded, and gone with the last of a policy", () => {
  const keys = new CountedKeys(3);
  const one = keys.obtain("api", "k")!;
  assert.equal(keys.obtain("api", "k"), one);
  assert.equal(keys.find("login", "k"), undefined);
  const other = keys.obtain("login", "k")!;
  assert.notEqual(other, one);
  keys.obtain("api", "l");
  assert.deepEqual([keys.size, keys.isFull, keys.obtain("api", "m")], [3, true, undefined]);
  assert.equal(keys.obtain("api", "k"), one, "a key that there is is found all the same");
  assert.equal([...keys.next(2)].length, 2);
  keys.drop(other);
  keys.drop(other);
  assert.deepEqual([keys.size, keys.find("login", "k")], [2, undefined]);
  assert.notEqual(keys.obtain("login", "k"), other);
  assert.equal([...keys.all()].length, 3);
});

test("options are refused by name", () => {
  const refused = (options: object, message: RegExp) => {
    assert.throws(
      () => checkGossip({ transport: transport(), ...options } as GossipOptions),
      (error: Error & { code?: string }) => {
        assert.match(error.message, message);
        return error.code === "INVALID_OPTION";
      },
    );
  };
  checkGossip({ transport: transport(), interval: 10, fanout: 16, maxMessageBytes: 4_000_000 });
  refused({ transport: {} }, /^gossip\.transport must/);
  refused({ transport: { ...transport(), address: 5 } }, /^gossip\.transport\.address must/);
  refused(
    { transport: { ...transport(), address: "a".repeat(513) } },
    /^gossip\.transport\.address/,
  );
  refused({ transport: { ...transport(), open: undefined } }, /^gossip\.transport must/);
  refused({ transport: { ...transport(), close: 1 } }, /^gossip\.transport must/);
  refused({ interval: "9ms" }, /^gossip\.interval must/);
  refused({ interval: "2m" }, /^gossip\.interval must/);
  refused({ interval: "5s", regionInterval: "1s" }, /^gossip\.regionInterval must/);
  refused({ fanout: 17 }, /^gossip\.fanout must/);
  refused({ fanout: 0 }, /^gossip\.fanout must/);
  refused({ maxMessageBytes: 1_023 }, /^gossip\.maxMessageBytes must/);
  refused({ maxMessageBytes: 4_000_001 }, /^gossip\.maxMessageBytes must/);
  refused({ interval_ms: 5 }, /interval_ms/);
  refused({ region: "eu" }, /region/);
  refused({ secret: "short" }, /^gossip\.secret must be a text of at least 16 characters, got "5/);
  assert.throws(
    () => checkGossip({ transport: transport(), secret: "hunter2" }),
    ({ message }: Error) => !message.includes("hunter2"),
    "a secret is not told",
  );
});

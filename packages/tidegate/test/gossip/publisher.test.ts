// What a node says of its keys: what changed, the hottest first, in the windows in which it was.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CountedKey } from "../../src/gossip/counted-key.ts";
import { demandOf } from "../../src/gossip/demand.ts";
import { MAX_TOLD_UNITS } from "../../src/gossip/message.ts";
import { Publisher } from "../../src/gossip/publisher.ts";
import { fixedWindow, slidingWindow, tokenBucket } from "../../src/index.ts";
import { createPolicy } from "../../src/policy/policy.ts";
import { originOf } from "./messages.ts";
import { createRig } from "./rig.ts";

const bucket = tokenBucket({ capacity: 100, refill: "100/s" });
const minute = fixedWindow({ limit: 100, window: "1m" });

function createPublisher(limits = [bucket] as Parameters<typeof createRig>[0], maxKeys = 1_000) {
  const rig = createRig(limits);
  const own = originOf("00000000000000aa");
  const publisher = new Publisher({
    ...{ own, store: rig.store, wall: rig.wall, maxKeys, horizonUs: 500_000 },
    ...{ silenceUs: 30_000_000, policyOf: (key) => key.policy },
  });
  const admit = (units: number, key = rig.key) => {
    if (!key.isActive) publisher.activate(key, rig.steady());
    publisher.roll(key, key.policy!);
    key.asked += Math.max(units, 0);
    key.units += units;
    if (units > 0) rig.store.decide(key.policy!, key.name, units, true);
  };
  const round = (milliseconds = 100) => {
    rig.clock.advanceMs(milliseconds);
    publisher.publish(rig.steady());
  };
  const keyOf = (name: string) => {
    const key = new CountedKey("api", name);
    key.policy = rig.policy;
    return key;
  };
  return { ...rig, own, publisher, admit, round, keyOf };
}

test("a key is told of when its sum changed, and not else", () => {
  const { own, key, admit, round } = createPublisher();
  round();
  assert.equal(own.version, 1);
  admit(5);
  round();
  assert.deepEqual([own.version, key.own!.units, key.own!.levelOf(0)], [2, 5, 0]);
  admit(-2);
  round();
  assert.deepEqual([own.version, key.own!.units], [3, 3]);
});

test("demand is the mean of half a second, decays, is told when it is half as much again, and ends", () => {
  const { own, key, admit, round } = createPublisher();
  for (let time = 0; time < 30; time += 1) {
    admit(10);
    round();
  }
  const demand = demandOf(key.own!.demand);
  assert.ok(Math.abs(demand - 100) < 15, `${demand} a second`);
  assert.equal(key.isActive, true);
  const { version } = own;
  for (let time = 0; time < 5; time += 1) round();
  assert.ok(own.version - version <= 4);
  assert.ok(demandOf(key.own!.demand, 1) < 60, "what is not told fades by itself");
  for (let time = 0; time < 8; time += 1) round();
  assert.deepEqual([key.demand, demandOf(key.own!.demand, 2.6), key.isActive], [0, 0, false]);
  assert.equal(key.wantedSince, Number.POSITIVE_INFINITY);
  const last = own.version;
  for (let time = 0; time < 50; time += 1) round();
  assert.equal(own.version, last, "a key that nobody asks for is silent");
});

test("where more changed than may be told in a round, the hottest go first and no other waits for ever", () => {
  const { own, publisher, admit, round, keyOf } = createPublisher([bucket], 10);
  const cold = keyOf("cold");
  const keys = Array.from({ length: 30 }, (_, index) => keyOf(`hot:${index}`));
  admit(1, cold);
  for (const [index, key] of keys.entries()) admit(index < 10 ? 64 : 2, key);
  round();
  assert.equal(publisher.waiting, 21);
  assert.ok(keys.slice(0, 10).every((key) => key.own !== undefined));
  assert.equal(cold.own, undefined);
  let rounds = 0;
  for (; cold.own === undefined && rounds < 200; rounds += 1) {
    for (const key of keys) admit(16, key);
    round();
  }
  assert.ok(rounds > 0 && rounds < 60, `${rounds} rounds`);
  publisher.publishAll(own.asOf + 1);
  assert.equal(publisher.waiting, 0);
  for (const key of keys) assert.equal(key.own!.units, key.units);
});

test("windows roll: what is of the present one, and what of the one before", () => {
  const { key, admit, round, steady, clock } = createPublisher([minute]);
  admit(7);
  round();
  assert.deepEqual(key.own!.windows, [{ startedAt: steady() - 100_000, present: 7, before: 0 }]);
  clock.advanceMs(59_900);
  admit(4);
  round();
  assert.deepEqual(key.own!.windows, [{ startedAt: steady() - 100_000, present: 4, before: 7 }]);
  clock.advanceMs(120_000);
  admit(1);
  round();
  assert.deepEqual(
    key.own!.windows.map(({ present, before }) => [present, before]),
    [[1, 0]],
    "two windows later nothing is of the one before",
  );
});

test("a clock that is stepped back keeps what was counted in the window that there is then", () => {
  const { key, admit, round, clock } = createPublisher([minute]);
  admit(7);
  round();
  clock.setUs(clock.now() - 600_000_000);
  admit(1);
  assert.equal(key.windows[0]!.start, clock.now() - (clock.now() % 60_000_000));
  assert.equal(key.units - key.windows[0]!.base, 8);
});

test("a reset begins the sum anew, is told at once, and counted once", () => {
  const { own, key, publisher, policy, admit, round, steady } = createPublisher([minute]);
  admit(7);
  round();
  publisher.reset(key, policy, steady());
  assert.deepEqual([own.version, key.own!.units, key.own!.resets], [3, 0, 1]);
  assert.equal(key.own!.windows[0]!.present, 0);
  admit(2);
  round();
  assert.deepEqual([key.own!.units, key.own!.resets], [2, 1]);
});

test("under another number of limits it is told anew: what was not told yet is, and no reset again", () => {
  const { own, key, publisher, policy, admit, round, steady } = createPublisher([minute]);
  publisher.reset(key, policy, steady());
  admit(7);
  round();
  const before = key.own!;
  key.policy = createPolicy("api", { limits: [minute, bucket] });
  admit(2);
  round();
  assert.notEqual(key.own, before);
  assert.deepEqual([key.own!.units, key.own!.resets, key.own!.limits], [2, 0, 2]);
  assert.deepEqual([own.size, key.own!.windows[0]!.present], [1, 9]);
  publisher.reset(key, createPolicy("api", { limits: [minute] }), steady());
  assert.deepEqual([key.own!.units, key.own!.resets], [0, 1], "a reset that comes with it is told");
});

test("after a silence it is named again, with what others knew of it", () => {
  const { own, key, admit, round } = createPublisher([slidingWindow({ limit: 9, window: "1h" })]);
  admit(3);
  round();
  assert.deepEqual([key.own!.namedAt, key.own!.base], [2, 0]);
  admit(1);
  round(29_000);
  assert.deepEqual([key.own!.namedAt, key.own!.base], [2, 0]);
  admit(2);
  round(31_000);
  assert.deepEqual([key.own!.namedAt, key.own!.base, key.own!.units], [own.version, 4, 6]);
});

test("a sum that comes to be too large to be told begins anew", () => {
  const { key, admit, round } = createPublisher();
  admit(5);
  key.units = MAX_TOLD_UNITS / 2 - 3;
  round();
  const before = key.own!;
  admit(10);
  round();
  assert.notEqual(key.own, before);
  assert.equal(key.own!.units, 10);
});

test("a key that is decided otherwise by now is told of no more", () => {
  const { own, key, admit, round } = createPublisher();
  admit(5);
  key.policy = undefined;
  round();
  assert.equal(own.version, 1);
  for (let time = 0; time < 20; time += 1) round();
  assert.equal(key.isActive, false);
});

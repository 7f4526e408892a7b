// How what others admitted is counted here: into the window in which it was, down to a debt, once.

import assert from "node:assert/strict";
import { test } from "node:test";
import { CountedKey } from "../../src/gossip/counted-key.ts";
import { Learning } from "../../src/gossip/learning.ts";
import type { OriginRegister } from "../../src/gossip/origin.ts";
import type { Before } from "../../src/gossip/replica.ts";
import { fixedWindow, slidingWindow, tokenBucket } from "../../src/index.ts";
import { createPolicy } from "../../src/policy/policy.ts";
import { originOf, setFields } from "./messages.ts";
import { createRig } from "./rig.ts";

const minute = fixedWindow({ limit: 100, window: "1m" });
const sliding = slidingWindow({ limit: 100, window: "1m" });
const bucket = tokenBucket({ capacity: 100, refill: "100/m" });

const known = (units: number, fields: Partial<Before> = {}): Before => {
  return { units, resets: 0, isStrange: false, ...fields };
};

function createLearning(...args: Parameters<typeof createRig>) {
  const rig = createRig(...args);
  const { store, wall, steady, policy } = rig;
  const learning = new Learning({ store, wall, steady, region: "", policyOf: () => policy });
  const learned: Learning["learned"] = (register, before) => {
    learning.begin();
    learning.learned(register, before);
  };
  return { ...rig, learning, learned };
}

/** A window of another node that began so long ago, and what was admitted in it and in the one before. */
const windowOf = (steady: number, agoMs: number, present: number, before = 0) => {
  return [{ startedAt: steady - 1_000 * agoMs, present, before }];
};

test("the difference to what was known is counted, and given back where it is below", () => {
  const { learned, other, remaining } = createLearning([bucket]);
  const register = other(1, { units: 30 });
  learned(register, known(0));
  learned(register, known(20));
  assert.equal(remaining(), 60);
  register.units = 5;
  learned(register, known(30));
  assert.equal(remaining(), 85);
  learned(register, known(5));
  assert.equal(remaining(), 85, "no news");
});

for (const [name, limit] of [
  ["fixed", minute],
  ["sliding", sliding],
] as const) {
  test(`${name}: units are of the window in which they were, by its age`, () => {
    const cases: [what: string, agoMs: number, present: number, before: number, left: number][] = [
      ["the same window", 30_000, 10, 0, 90],
      ["the same, by a clock that is 20 s ahead", 10_000, 10, 0, 90],
      [
        "one that began just now, and the end of the one before",
        30_000,
        6,
        4,
        name === "fixed" ? 94 : 92,
      ],
      ["the window before", 90_000, 10, 0, name === "fixed" ? 100 : 95],
      ["one that is long over", 150_000, 10, 0, 100],
      ["one that has not begun here", -20_000, 10, 0, 90],
    ];
    for (const [what, agoMs, present, before, left] of cases) {
      const { learned, other, remaining, clock, steady } = createLearning([limit]);
      clock.advanceMs(30_000);
      const register = other(1, { units: 10, windows: windowOf(steady(), agoMs, present, before) });
      learned(register, known(0));
      assert.equal(remaining(), left, what);
    }
  });
}

test("a debt ends at the limit, and what is beyond is forgiven and counted", () => {
  const { learned, learning, other, clock, remaining } = createLearning([bucket]);
  learned(other(1, { units: 150 }), known(0));
  assert.deepEqual([learning.forgiven, remaining()], [0, 0]);
  learned(other(1, { units: 1_000_000 }), known(0));
  assert.equal(learning.forgiven, 999_950);
  clock.advanceMs(61_000);
  assert.equal(remaining(), 1, "the debt is a minute long");
});

test("a window owes nothing to the next: all that is beyond it is forgiven", () => {
  const { learned, learning, other, clock, remaining } = createLearning([minute]);
  learned(other(1, { units: 130 }), known(0));
  assert.deepEqual([learning.forgiven, remaining()], [30, 0]);
  clock.advanceMs(60_000);
  assert.equal(remaining(), 100);
});

test("of whoever is met just now it counts how full the key is there, as long ago as that was", () => {
  const { learned, other, remaining, clock, steady } = createLearning([bucket, minute]);
  clock.advanceMs(30_000);
  const register = other(1, {
    units: 1_000_000,
    levels: new Uint8Array([60, 0]),
    windows: windowOf(steady(), 30_000, 1),
  });
  register.touchedAt = steady() - 6_000_000;
  learned(register, known(0, { isStrange: true }));
  assert.equal(remaining(), 50, "60 then, and 10 are back");
  learned(register, known(0, { isStrange: true }));
  assert.equal(remaining(), 50, "no more than that however many say it");
  setFields(register, { levels: new Uint8Array([0, 80]) });
  learned(register, known(0, { isStrange: true }));
  assert.equal(remaining(), 20, "a window that goes on");
});

test("a window that is over there is over here", () => {
  const { learned, other, remaining, steady } = createLearning([minute]);
  const windows = windowOf(steady(), 90_000, 70);
  learned(other(1, { levels: new Uint8Array([70]), windows }), known(0, { isStrange: true }));
  assert.equal(remaining(), 100);
});

test("a reset clears the key, and what was admitted since counts", () => {
  const { learned, other, remaining } = createLearning([bucket]);
  const register = other(1, { units: 70 });
  learned(register, known(0));
  Object.assign(register, { units: 4, resets: 1 });
  learned(register, known(70));
  assert.equal(remaining(), 96);
  learned(register, known(4, { resets: 1 }));
  assert.equal(remaining(), 96);
});

test("what was presumed of a silent node is not counted again, whoever tells of it", () => {
  const { learned, other, remaining, key } = createLearning([bucket]);
  const register: OriginRegister = other(1, { units: 30 });
  register.origin.isStale = true;
  key.presumed = 25;
  learned(register, known(0));
  assert.deepEqual([remaining(), key.presumed], [95, 0]);
});

test("a region counts its own alone where limits are split by weights", () => {
  const { learned, other, remaining } = createLearning([bucket], {
    ...{ coordination: "gossip", regions: { "": 1 } },
  });
  const register = other(1, { units: 30 });
  register.origin.region = "us";
  learned(register, known(0));
  assert.equal(remaining(), 100);
});

test("however many units are told, what is expected of a key stays in its measure", () => {
  const { learned, other, key } = createLearning([bucket]);
  learned(other(1, { units: 2 ** 50 }), known(0));
  assert.equal(key.expectedRoom, -200);
  learned(other(1, { units: -(2 ** 50) }), known(0));
  assert.equal(key.expectedRoom, 0);
});

test("of keys of several policies each is expected in the measure of its own", () => {
  const rig = createRig([bucket]);
  const { store, wall, steady, policy, other } = rig;
  const small = createPolicy("small", { limits: [tokenBucket({ capacity: 10, refill: "10/m" })] });
  const tiny = new CountedKey("small", "k");
  tiny.policy = small;
  const learning = new Learning({ store, wall, steady, region: "", policyOf: (key) => key.policy });
  learning.begin();
  const registers = [
    other(1, { units: 2 ** 50 }),
    originOf("00000000000000ff").create(1, tiny, 1, 1),
  ];
  setFields(registers[1]!, { units: 2 ** 50 });
  for (const register of registers) learning.learned(register, known(0));
  assert.deepEqual(
    [policy.limits[0]!.limit, rig.key.expectedRoom, tiny.expectedRoom],
    [100, -200, -20],
  );
});

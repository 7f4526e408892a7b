// What a node may spend between rounds: parts of one whole, whoever asks, and whatever is known.

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { codeDemand, demandOf } from "../../src/gossip/demand.ts";
import { Levelling } from "../../src/gossip/levelling.ts";
import { accrue, Shares, waitFor } from "../../src/gossip/share.ts";
import { fixedWindow, tokenBucket } from "../../src/index.ts";
import { createRig } from "./rig.ts";

const bucket = tokenBucket({ capacity: 100, refill: "100/s" });
const day = fixedWindow({ limit: 100, window: "1d" });

function sharesOf(rig: ReturnType<typeof createRig>, chance = () => 0) {
  return new Shares({
    ...{ store: rig.store, random: { next: chance }, surroundings: rig.surroundings, region: "" },
    ...{ intervalUs: 100_000, horizonUs: 500_000 },
  });
}

test("demand is told in a byte to within 6 %, from a thousandth to six billion", () => {
  assert.equal(codeDemand(0), 0);
  assert.equal(codeDemand(-1), 0);
  assert.equal(demandOf(0), 0);
  assert.equal(codeDemand(1e-9), 1, "some is not none");
  assert.equal(codeDemand(Number.POSITIVE_INFINITY), 255);
  assert.ok(demandOf(255) > 6e9 && demandOf(255) < 7e9);
  fc.assert(
    fc.property(fc.double({ min: 0.01, max: 6e9, noNaN: true }), (demand) => {
      const told = demandOf(codeDemand(demand));
      assert.ok(Math.abs(told / demand - 1) < 0.06 + 0.001 / demand, `${demand} told as ${told}`);
    }),
  );
});

test("a node that nobody else competes with may spend all", () => {
  const rig = createRig([bucket]);
  sharesOf(rig).reckon(rig.key, rig.policy, 1, rig.steady());
  assert.equal(rig.key.allowance, 100);
  assert.equal(rig.key.unitsPerUs, 100 / 1_000_000);
});

test("nodes that know of each other have parts of one whole, by demand", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 2, max: 1e6, noNaN: true }), { minLength: 2, maxLength: 20 }),
      (demands) => {
        let sum = 0;
        let rate = 0;
        for (const [index, own] of demands.entries()) {
          const rig = createRig([bucket]);
          rig.key.demand = own;
          for (const [at, demand] of demands.entries()) if (at !== index) rig.other(demand);
          sharesOf(rig).reckon(rig.key, rig.policy, 1, rig.steady());
          sum += rig.key.allowance;
          rate += rig.key.unitsPerUs;
        }
        // Demands are told to within 6 %.
        assert.ok(sum <= 106.5 && sum >= 93.5, `${sum}`);
        assert.ok(rate <= 106.5 / 1e6 && rate >= 93.5 / 1e6, `${rate}`);
      },
    ),
  );
});

test("until the news of all is younger than the first request, a node has no more than an equal part", () => {
  const rig = createRig([bucket]);
  Object.assign(rig.surroundings, { reachable: 5, nodes: 5, fresh: 5, certainAt: 1_000 });
  rig.key.wantedSince = 2_000;
  sharesOf(rig).reckon(rig.key, rig.policy, 1, rig.steady());
  assert.equal(rig.key.allowance, 20);
  rig.surroundings.certainAt = 102_000;
  sharesOf(rig).reckon(rig.key, rig.policy, 1, rig.steady());
  assert.equal(rig.key.allowance, 20, "nor while it tells nothing of the first round");
  rig.surroundings.certainAt = 102_001;
  sharesOf(rig).reckon(rig.key, rig.policy, 1, rig.steady());
  assert.equal(rig.key.allowance, 100);
  Object.assign(rig.surroundings, { hasJoined: false, certainAt: Number.POSITIVE_INFINITY });
  rig.key.granted = rig.key.allowance;
  sharesOf(rig).reckon(rig.key, rig.policy, 1, rig.steady());
  assert.equal(rig.key.allowance, 20, "nor has one that has not joined");
});

test("a cold key admits the first that comes, however many nodes there are and whatever it costs", () => {
  const rig = createRig([day]);
  Object.assign(rig.surroundings, { reachable: 500, nodes: 500, fresh: 500, certainAt: 0 });
  rig.key.wantedSince = 1;
  sharesOf(rig).reckon(rig.key, rig.policy, 7, rig.steady());
  assert.equal(rig.key.allowance, 7);
});

test("of more nodes than units each admits one by chance, and all together the limit", () => {
  const rig = createRig([fixedWindow({ limit: 20, window: "1d" })]);
  rig.key.demand = 100;
  for (let node = 0; node < 99; node += 1) rig.other(100);
  const shares = sharesOf(rig, () => rig.random.next());
  let admitted = 0;
  for (let time = 0; time < 20_000; time += 1) {
    rig.key.granted = rig.key.allowance;
    shares.reckon(rig.key, rig.policy, 1, rig.steady());
    admitted += Math.floor(rig.key.allowance);
  }
  assert.ok(Math.abs((admitted * 100) / 20_000 - 20) < 2, `${(admitted * 100) / 20_000} of 20`);
});

test("lives that are over want nothing; nodes that are away nothing under full, their part under share", () => {
  for (const partition of ["full", "share"] as const) {
    const rig = createRig([day], { partition });
    rig.key.demand = 100;
    rig.other(1_000).origin.isOver = true;
    const away = rig.other(300).origin;
    away.isAway = true;
    away.isStale = true;
    Object.assign(rig.surroundings, { nodes: 2, reachable: 1, fresh: 1, staleSince: 5 });
    Object.assign(rig.surroundings, { allCertainAt: Number.POSITIVE_INFINITY });
    const shares = sharesOf(rig);
    shares.reckon(rig.key, rig.policy, 1, rig.steady());
    assert.equal(rig.key.partSilent > 0.7, partition === "share");
    if (partition === "full") assert.equal(rig.key.allowance, 100);
  }
});

test("a region's own limits are shared by those of the region alone", () => {
  const rig = createRig([bucket], { coordination: "gossip", regions: { "": 1 } });
  rig.key.demand = 100;
  rig.other(900).origin.region = "us";
  sharesOf(rig).reckon(rig.key, rig.policy, 1, rig.steady());
  assert.equal(rig.key.allowance, 100);
});

/** A node that knows all of those near, and nothing for a second of those far: two of each. */
function createFarRig() {
  const rig = createRig([day]);
  const { surroundings, key, policy } = rig;
  Object.assign(surroundings, { nodes: 4, reachable: 4, fresh: 4, lagUs: 700_000, certainAt: 0 });
  Object.assign(surroundings.near, { nodes: 2, reachable: 2, fresh: 2, lagUs: 100_000 });
  surroundings.near.freshUntil = 0;
  const shares = sharesOf(rig);
  const reckon = (cost: number) => {
    shares.reckon(key, policy, cost, rig.steady());
    return key.allowance;
  };
  const spend = (units: number) => {
    rig.store.decide(policy, "k", units, true);
    key.allowance -= units;
  };
  return { ...rig, reckon, spend };
}

test("what was spent is kept from what is far for as long as its news takes, and from those near no longer", () => {
  const { key, surroundings, other, reckon, spend } = createFarRig();
  key.demand = demandOf(codeDemand(100));
  key.wantedSince = Number.NEGATIVE_INFINITY;
  other(100);
  for (const demand of [100, 100]) other(demand).origin.region = "us";
  const near = (allowance: number, expected: number) => {
    assert.ok(Math.abs(allowance - expected) < 0.01, `${allowance}, not ${expected}`);
  };
  near(reckon(1), 25);
  spend(20);
  near(reckon(1), 80 / 4 - 0.75 * 20);
  surroundings.near.freshUntil = 2_000_000;
  near(reckon(1), 80 / 4 - 0.5 * 20);
  // Twice their own lag, which is a second.
  surroundings.certainAt = 2_000_000;
  near(reckon(1), 80 / 4 - (0.5 * 20) / Math.E);
});

test("of whom no demand is known either, those far count as many as they are", () => {
  const { surroundings, reckon, spend } = createFarRig();
  assert.equal(reckon(1), 25);
  spend(20);
  surroundings.near.freshUntil = 2_000_000;
  assert.equal(reckon(30), 80 / 4 - 0.5 * 20, "nor is it alone before they know of it");
  surroundings.certainAt = 20_000_000;
  assert.equal(reckon(30), 30);
});

test("what comes back is a node's as it comes, and what it waits for is told", () => {
  const rig = createRig([bucket]);
  rig.key.demand = 100;
  rig.other(100);
  sharesOf(rig).reckon(rig.key, rig.policy, 1, rig.steady());
  rig.surroundings.nextRoundAt = rig.steady() + 100_000;
  rig.key.allowance = 0;
  rig.key.granted = 0;
  const wait = waitFor(rig.key, 1, rig.steady(), rig.surroundings);
  assert.ok(Math.abs(wait - 20_000) < 1_500, `${wait} us at half of 100/s`);
  assert.equal(waitFor(rig.key, 50, rig.steady(), rig.surroundings), 100_000);
  rig.clock.advanceMs(40);
  accrue(rig.key, rig.steady());
  assert.ok(Math.abs(rig.key.allowance - 2) < 0.15);
  accrue(rig.key, rig.steady() - 10_000);
  assert.ok(rig.key.allowance < 2.15, "a clock that stands still gives nothing");
});

test("nodes go to the mean of what all believe a bucket to hold; windows, and who is silent, stay out of it", () => {
  const rig = createRig([bucket, day]);
  const levelling = new Levelling({
    ...{ store: rig.store, random: { next: () => 0 }, intervalUs: 100_000, region: "" },
  });
  const own = rig.other(1, { levels: new Uint8Array([20, 50]) });
  rig.key.own = own;
  rig.key.registers.length = 0;
  const level = () => levelling.level(rig.key, rig.policy, rig.steady());
  assert.equal(level(), false);
  rig.other(1, { levels: new Uint8Array([100, 100]) });
  assert.equal(level(), true);
  assert.equal(rig.store.decide(rig.policy, "k", 0, false).remaining, 96, "a tenth of 40");
  const stale = rig.other(1, { levels: new Uint8Array([255, 255]) });
  stale.origin.isStale = true;
  rig.key.registers.shift();
  assert.equal(level(), false);
  rig.clock.advanceMs(500);
  rig.other(1, { levels: new Uint8Array([100, 100]) });
  assert.equal(level(), false, "what this node said is too old to compare");
});

test("what was presumed and not spent is given back, but not to a window that may be another by now", () => {
  for (const [limits, remaining] of [
    [[bucket], 70],
    [[day], 70],
    [[bucket, day], 50],
  ] as const) {
    const rig = createRig(limits, { coordination: "gossip", partition: "share" });
    rig.store.count(rig.policy, rig.key, {
      present: new Float64Array([50, 50]),
      before: new Float64Array(2),
    });
    rig.key.presumed = 20;
    sharesOf(rig).reckon(rig.key, rig.policy, 1, rig.steady());
    assert.equal(rig.remaining(), remaining);
    assert.equal(rig.key.presumed, 0);
  }
});

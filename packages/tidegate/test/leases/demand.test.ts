import assert from "node:assert/strict";
import { test } from "node:test";
import { Demand } from "../../src/leases/demand.ts";

test("the rate is what is asked for a second, however often it is read", () => {
  for (const everyMs of [1, 10, 100, 1_000, 10_000]) {
    const demand = new Demand(0);
    let rate = 0;
    for (let ms = everyMs; ms <= 20_000; ms += everyMs) {
      demand.asked += 0.3 * everyMs;
      rate = demand.rateAt(ms * 1_000);
    }
    assert.ok(Math.abs(rate - 300) < 1, `${rate} read every ${everyMs} ms`);
  }
});

test("what was asked for at once counts as within half a second, and is forgotten", () => {
  const demand = new Demand(0);
  demand.asked = 5;
  assert.equal(demand.rateAt(0), 10);
  assert.equal(demand.asked, 0);
  const later = demand.rateAt(500_000);
  assert.ok(later > 3.6 && later < 3.7);
  assert.ok(demand.rateAt(10_000_000) < 0.001);
});

test("a clock that is stepped back makes no rate negative or endless", () => {
  const demand = new Demand(1_000_000);
  demand.asked = 1;
  assert.equal(demand.rateAt(0), 2);
  demand.asked = 1;
  assert.ok(Number.isFinite(demand.rateAt(1)));
});

test("it is idle where nothing was asked for since the last look, read or not", () => {
  const demand = new Demand(0);
  assert.equal(demand.takeIdle(0), true);
  demand.asked += 1;
  assert.equal(demand.takeIdle(1), false);
  assert.equal(demand.takeIdle(2), true);
  demand.asked += 1;
  demand.rateAt(3);
  assert.equal(demand.takeIdle(4), false);
  assert.equal(demand.takeIdle(5), true);
});

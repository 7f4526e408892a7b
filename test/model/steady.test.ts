// Where nothing goes wrong, hybrid admits nearly what one limiter would that sees every request, to all nodes alike,
// and asks the store seldom.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runModel } from "./run-model.ts";
import { OVERLOADED, UNDERLOADED } from "./steady.ts";

const SEED = 1;

for (const scenario of OVERLOADED) {
  test(`over the limit: ${scenario.name}`, async () => {
    const result = await runModel(scenario, SEED);
    assert.deepEqual(result.wrong, []);
    const admitted = result.laterAdmitted / result.laterIdeal;
    assert.ok(admitted >= 0.99, `admitted ${admitted} of the ideal`);
    const isEqual = new Set(scenario.nodeShares).size === 1;
    if (isEqual) assert.ok(result.fairness >= 0.95, `Jain's index is ${result.fairness}`);
    // Who asks for little finds what is there by chance, half of what the other finds who always asks when most is.
    else assert.ok(result.leastPart >= 0.5, `one node got ${result.leastPart} of its part`);
    const perRequest = result.works / result.requests;
    if (scenario.isHot) assert.ok(perRequest <= 0.01, `${perRequest} key updates per request`);
  });
}

for (const scenario of UNDERLOADED) {
  test(`under the limit: ${scenario.name}`, async () => {
    const result = await runModel(scenario, SEED);
    assert.deepEqual(result.wrong, []);
    const denied = result.denied / result.requests;
    assert.ok(denied <= 0.001, `denied ${denied} of the requests`);
  });
}

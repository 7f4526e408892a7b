// Whatever goes wrong, each coordination keeps what it promises: random scenarios of the simulator.

import assert from "node:assert/strict";
import { test } from "node:test";
import { runSeed } from "./run-seed.ts";

const SEEDS = 300;

test(`${SEEDS} seeds`, async () => {
  const checks = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const finding = await runSeed(seed);
    assert.equal(finding.wrong, undefined);
    for (const check of finding.checks) checks.add(check);
  }
  for (const coordination of ["local", "central", "hybrid", "gossip"]) {
    for (const check of ["bound", "fairness", "answers"]) {
      assert.ok(checks.has(`${coordination}, ${check}`), `${coordination} is judged by ${check}`);
    }
  }
  for (const check of ["hybrid, memory", "gossip, memory", "gossip, convergence"]) {
    assert.ok(checks.has(check), check);
  }
});

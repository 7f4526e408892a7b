// Whatever goes wrong, hybrid admits no more than it promises: random scenarios of many nodes over one store.

import assert from "node:assert/strict";
import { test } from "node:test";
import { KINDS, runSeed } from "./kinds.ts";

const SEEDS = 75;

for (const kind of Object.keys(KINDS)) {
  test(`${kind}: ${SEEDS} seeds`, async () => {
    for (let seed = 1; seed <= SEEDS; seed += 1) {
      const { wrong } = await runSeed(kind, seed);
      assert.equal(wrong, undefined);
    }
  });
}

// TypeScript and Lua decide the same: random histories through the memory store and a real Redis, field by field, for
// every algorithm alone and mixed, also where limiters begin anew in the middle. `npm run differential -- RUNS` does
// more of them, a million for example.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import type { Limit } from "tidegate";
import { ALGORITHMS } from "../support/histories.ts";
import { holdEqual } from "../support/hold-equal.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";

const HISTORIES = 2_000;
const SEEDS = JSON.parse(
  readFileSync(new URL("../fixtures/differential-seeds.json", import.meta.url), "utf8"),
) as { algorithm: Limit["algorithm"]; seed: number; restarts: boolean }[];
let server: RedisServer;

before(async () => {
  if (withoutRedis === false) server = await startRedis();
});
after(() => server?.stop());

test("histories that once differed", { skip: withoutRedis }, async () => {
  assert.ok(SEEDS.length > 0);
  for (const { algorithm, seed, restarts } of SEEDS) {
    await holdEqual(server, algorithm, { seed, numRuns: 60 }, restarts);
  }
});

for (const algorithm of ALGORITHMS) {
  test(`memory and Redis answer the same, field by field: ${algorithm}`, {
    skip: withoutRedis,
  }, async () => {
    const answers = await holdEqual(server, algorithm, { numRuns: HISTORIES });
    assert.ok(answers > HISTORIES, `${answers} answers were compared`);
  });
}

// Two service processes on one Redis keep a limit exactly, at a size that a build bears; `npm run bench -- exactness`
// does the same with 110,000 requests for each limit.

import assert from "node:assert/strict";
import { test } from "node:test";
import { showExactness } from "../support/exactness.ts";
import { withoutRedis } from "../support/redis-server.ts";

test("two services on one Redis admit exactly what the limits allow", {
  skip: withoutRedis,
}, async () => {
  const results = await showExactness({ requests: 10_000, concurrency: 256, roomMs: 10_000 });
  assert.deepEqual(
    results.map(({ limit }) => limit),
    ["fixed window", "token bucket"],
  );
  for (const result of results) {
    const { errors, admitted, allowed, recorded, requests } = result;
    assert.deepEqual(
      { errors, admitted, recorded },
      { errors: 0, admitted: allowed, recorded: allowed },
    );
    // How many more than the bucket holds depends on how long it takes, and so on the machine.
    assert.ok(requests >= 10_000 && admitted < requests, `${admitted} of ${requests}`);
  }
});

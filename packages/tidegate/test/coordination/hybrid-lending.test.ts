// What a node admits before the store has answered, and who remembers that.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLimiter, fixedWindow } from "tidegate";
import { createFaultyStore } from "../support/faulty-store.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer } from "../support/manual-timer.ts";

test("a policy that is set anew does not lend what was lent already", async () => {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const store = createFaultyStore(clock);
  const api = { limits: [fixedWindow({ limit: 10, window: "10s" })], maxOvershoot: 0.5 };
  const options = { policies: { api }, store, clock, timer, coordination: "hybrid" } as const;
  const limiter = createLimiter(options);
  // By then it knows how many nodes there are, and that nobody of before owes anything.
  await timer.advanceMs(25_000);
  store.set("hung");
  let admitted = 0;
  for (let n = 0; n < 12; n += 1) {
    if (n % 4 === 3) limiter.setPolicy("api", api);
    void limiter.check({ policy: "api", key: "k" }).then(({ allowed }) => {
      if (allowed) admitted += 1;
    });
  }
  await timer.advanceMs(20);
  // Until the store says that it is paid.
  assert.equal(admitted, 3);
});

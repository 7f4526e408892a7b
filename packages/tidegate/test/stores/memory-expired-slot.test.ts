// A key that has expired and is asked for again at the very check that sweeps: what it takes must not be lost.

import assert from "node:assert/strict";
import { it } from "node:test";
import { createLimiter, fixedWindow, memoryStore } from "tidegate";

it("counts for an expired key whichever check sweeps its slot", async () => {
  // The sweep runs at every eighth check of a known key, so one of these many offsets meets it.
  for (let looks = 0; looks < 32; looks += 1) {
    let nowUs = 1_700_000_000_000_000;
    const limiter = createLimiter({
      policies: { api: { limits: [fixedWindow({ limit: 1, window: "1s" })] } },
      store: memoryStore({ clock: { now: () => nowUs } }),
    });
    const request = { policy: "api", key: "k" };
    await limiter.check(request);
    for (let look = 0; look < looks; look += 1) await limiter.peek(request);
    nowUs += 2_000_000;
    assert.equal((await limiter.check(request)).allowed, true);
    assert.equal((await limiter.check(request)).allowed, false, `after ${looks} looks`);
  }
});

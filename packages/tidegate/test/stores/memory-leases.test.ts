// Leases in the memory store: what is given back too late to be told from what others took.

import assert from "node:assert/strict";
import { test } from "node:test";
import { memoryStore, tokenBucket } from "tidegate";
import { createPolicy } from "../../src/policy/policy.ts";
import type { LeaseAsk, LeaseBack, Outcome } from "../../src/ports/store.ts";
import { createManualClock } from "../support/manual-clock.ts";

test("units of a bucket are not given back after the gifts that move their marks are forgotten", () => {
  const clock = createManualClock();
  const store = memoryStore({ clock });
  const policy = createPolicy("api", { limits: [tokenBucket({ capacity: 100, refill: "1/s" })] });
  const part = { policy, key: "k", cost: 1 };
  const lease = (node: string, want: number, backs: LeaseBack[] = []): Outcome => {
    const ask: LeaseAsk = { node, want, spare: 0, keepUs: 2_000_000, owed: 0, backs };
    return store.run({ kind: "lease", part, ask });
  };
  const backOf = ({ at, receipts }: Outcome): LeaseBack => {
    return { units: 25, takenAt: at, receipt: receipts[0]! };
  };
  const first = lease("a", 25);
  const second = lease("b", 25);
  clock.advanceMs(1_000);
  // Those of the second return 24 s earlier for it.
  lease("a", 0, [backOf(first)]);
  assert.equal(store.decide(policy, "k", 75, true).allowed, true);
  clock.advanceMs(19_000);
  const remaining = () => store.decide(policy, "k", 0, false).remaining;
  const before = remaining();
  lease("b", 0, [backOf(second)]);
  assert.equal(remaining(), before);
});

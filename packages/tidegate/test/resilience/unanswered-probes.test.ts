// An application's client that keeps what it cannot send: an outage of hours must not fill it with probes.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenBucket } from "../../src/index.ts";
import { createPolicy } from "../../src/policy/policy.ts";
import type { Store } from "../../src/ports/store.ts";
import { Circuits } from "../../src/resilience/circuits.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer } from "../support/manual-timer.ts";

test("probes that are not answered are few, and when they are answered it is probed anew", async () => {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const kept: (() => void)[] = [];
  let sent = 0;
  let isBack = false;
  const ping = () => {
    sent += 1;
    return isBack ? Promise.resolve() : new Promise<void>((resolve) => kept.push(resolve));
  };
  const circuits = new Circuits({
    store: { ping } as Partial<Store> as Store,
    telemetry: undefined,
    clock,
    timer,
    scheduler: { afterTurn: (work) => void timer.after(0, work) },
    random: { next: () => 1 },
  });
  const policy = createPolicy("api", { limits: [tokenBucket({ capacity: 1, refill: "1/s" })] });
  const { breaker } = circuits.of(policy, "a");
  for (let call = 0; call < 5; call += 1) breaker.failed(breaker.generation, "away");
  await timer.advanceMs(3_600_000);
  assert.equal(sent, 8);
  assert.equal(breaker.state, "open");
  isBack = true;
  for (const resolve of kept) resolve();
  await timer.advanceMs(500);
  assert.equal(sent, 9);
  assert.equal(breaker.state, "closed");
  circuits.stop();
});

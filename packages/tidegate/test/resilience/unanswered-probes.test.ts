// Stores of the application's own. A client that keeps what it cannot send must not be filled with probes in an outage
// of hours, and pings that are never answered, or that throw, must not end the probing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { tokenBucket } from "../../src/index.ts";
import { createPolicy } from "../../src/policy/policy.ts";
import type { Store } from "../../src/ports/store.ts";
import { Circuits } from "../../src/resilience/circuits.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer } from "../support/manual-timer.ts";

const policy = createPolicy("api", { limits: [tokenBucket({ capacity: 1, refill: "1/s" })] });

/** A circuit that has just opened, to a store that answers pings so. */
function createOpenCircuit(ping: () => void | Promise<void>) {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const circuits = new Circuits({
    store: { ping } as Partial<Store> as Store,
    telemetry: undefined,
    clock,
    timer,
    scheduler: { afterTurn: (work) => void timer.after(0, work) },
    random: { next: () => 1 },
  });
  const { breaker } = circuits.of(policy, "a");
  for (let call = 0; call < 5; call += 1) breaker.failed(breaker.generation, "away");
  return { circuits, breaker, timer };
}

test("probes that are not answered are few, and when they are answered it is probed anew", async () => {
  const kept: (() => void)[] = [];
  let sent = 0;
  let isBack = false;
  const { circuits, breaker, timer } = createOpenCircuit(() => {
    sent += 1;
    return isBack ? Promise.resolve() : new Promise<void>((resolve) => kept.push(resolve));
  });
  await timer.advanceMs(10_000);
  assert.equal(sent, 8);
  await timer.advanceMs(3_590_000);
  assert.ok(sent > 8 && sent <= 8 + 120, `two a minute: ${sent}`);
  assert.equal(breaker.state, "open");
  isBack = true;
  const before = sent;
  for (const resolve of kept) resolve();
  await timer.advanceMs(500);
  assert.equal(sent, before + 1);
  assert.equal(breaker.state, "closed");
  circuits.stop();
});

test("where probes are never answered or refused, it is seen within half a minute that the store is back", async () => {
  let isBack = false;
  const { circuits, breaker, timer } = createOpenCircuit(() => {
    return isBack ? undefined : new Promise<void>(() => {});
  });
  await timer.advanceMs(3_600_000);
  assert.equal(breaker.state, "open");
  isBack = true;
  await timer.advanceMs(30_000);
  assert.equal(breaker.state, "closed");
  circuits.stop();
});

test("a ping that throws is a probe that was refused", async () => {
  let isBack = false;
  const { circuits, breaker, timer } = createOpenCircuit(() => {
    if (!isBack) throw new Error("not connected");
  });
  await timer.advanceMs(60_000);
  assert.deepEqual([breaker.state, breaker.reason], ["open", "not connected"]);
  isBack = true;
  await timer.advanceMs(500);
  assert.equal(breaker.state, "closed");
  circuits.stop();
});

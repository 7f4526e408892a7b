// Leases that end: by time, however the wall clock goes; with nobody asking for more; with checks that wait for one.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Clock,
  createLimiter,
  fixedWindow,
  type PolicyOptions,
  type Store,
  tokenBucket,
} from "tidegate";
import { createFaultyStore } from "../support/faulty-store.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer, settled } from "../support/manual-timer.ts";
import { createSharedStore } from "../support/shared-store.ts";

function createNode(
  policy: PolicyOptions,
  store: Store,
  clock: Clock & { setUs(us: number): void },
) {
  const timer = createManualTimer({ ...createManualClock(), ...clock });
  const options = {
    policies: { api: policy },
    store,
    clock,
    timer,
    coordination: "hybrid",
  } as const;
  const limiter = createLimiter(options);
  return { limiter, timer, check: (cost = 1) => limiter.check({ policy: "api", key: "k", cost }) };
}

test("a wall clock that is stepped back does not prolong a lease into the next window", async () => {
  const time = createManualClock();
  let aheadUs = 0;
  const clock = { ...time, now: () => time.now() + aheadUs, steady: time.now };
  const limits = [fixedWindow({ limit: 8, window: "1s" })];
  const node = createNode({ limits, leaseFraction: 1 }, createSharedStore(time), clock);
  assert.equal((await node.check()).allowed, true);
  time.advanceMs(900);
  aheadUs = -500_000;
  time.advanceMs(100);
  const decisions = await Promise.all(Array.from({ length: 16 }, () => node.check()));
  assert.equal(decisions.filter(({ allowed }) => allowed).length, 8);
});

test("nor where the clock tells no durations: its steps back are left out of them", async () => {
  const time = createManualClock();
  let aheadUs = 0;
  const clock = { ...time, now: () => time.now() + aheadUs };
  const limits = [fixedWindow({ limit: 8, window: "1s" })];
  const node = createNode({ limits, leaseFraction: 1 }, createSharedStore(time), clock);
  assert.equal((await node.check()).allowed, true);
  time.advanceMs(900);
  assert.equal((await node.check()).allowed, true);
  aheadUs = -500_000;
  assert.equal((await node.check()).allowed, true);
  time.advanceMs(100);
  const decisions = await Promise.all(Array.from({ length: 16 }, () => node.check()));
  assert.equal(decisions.filter(({ allowed }) => allowed).length, 8);
});

test("what nobody asks for any more is given back, though its lease lasts longer than a look", async () => {
  const clock = createManualClock();
  const limits = [fixedWindow({ limit: 100, window: "1h" })];
  const store = createSharedStore(clock);
  const node = createNode({ limits, syncInterval: "1s" }, store, clock);
  await node.check();
  await node.timer.advanceMs(5_000);
  const central = createLimiter({ policies: { api: { limits } }, store });
  assert.equal((await central.peek({ policy: "api", key: "k" })).remaining, 99);
});

test("checks beyond all that the limit has are denied by the grant, and do not wait for the next", async () => {
  const clock = createManualClock();
  const store = createSharedStore(clock);
  const node = createNode({ limits: [tokenBucket({ capacity: 9, refill: "9/s" })] }, store, clock);
  const decisions = await Promise.all(Array.from({ length: 30 }, () => node.check()));
  assert.equal(decisions.filter(({ allowed }) => allowed).length, 9);
  assert.equal(store.works.length, 1);
});

test("checks that wait are answered where a window is shorter than the way", async () => {
  const clock = createManualClock();
  const faulty = createFaultyStore(clock);
  const limits = [fixedWindow({ limit: 8, window: "2ms" })];
  const node = createNode({ limits, deadline: "500ms" }, faulty, clock);
  faulty.set("hung");
  let source: string | undefined;
  void node.check().then((decision) => {
    source = decision.source;
  });
  for (let n = 0; n < 5; n += 1) {
    await node.timer.advanceMs(6);
    faulty.thaw();
    clock.advanceMs(3);
    await settled();
  }
  assert.equal(source, "store");
});

for (const end of ["the limits change", "the limiter is closed"]) {
  test(`a check that waits for the next lease is answered where ${end}`, async () => {
    const clock = createManualClock();
    const faulty = createFaultyStore(clock);
    const policy = { limits: [fixedWindow({ limit: 8, window: "1h" })], leaseFraction: 0 };
    const { limiter, timer, check } = createNode(policy, faulty, clock);
    faulty.set("hung");
    const checks = [check()];
    await settled();
    checks.push(check(3));
    if (end === "the limits change") {
      limiter.setPolicy("api", { ...policy, limits: [fixedWindow({ limit: 9, window: "1h" })] });
      checks.push(check(2));
    } else void limiter.close();
    faulty.set("up");
    faulty.thaw();
    let answered = 0;
    for (const one of checks) {
      void one.then(({ allowed, source }) => {
        if (allowed && source === "lease") answered += 1;
      });
    }
    await timer.advanceMs(20);
    assert.equal(answered, checks.length);
  });
}

test("a node that forgets idle keys does not forget that a grant fell short", async () => {
  const clock = createManualClock();
  const limits = [fixedWindow({ limit: 10, window: "1h" })];
  const store = createSharedStore(clock);
  const node = createNode({ limits, leaseFraction: 0 }, store, clock);
  await node.check();
  const central = createLimiter({ policies: { api: { limits } }, store });
  await central.check({ policy: "api", key: "k", cost: 9 });
  await node.timer.advanceMs(950);
  assert.equal((await node.check()).allowed, false);
  await node.timer.advanceMs(400);
  const asked = store.works.length;
  assert.equal((await node.check()).source, "lease");
  assert.equal(store.works.length, asked);
});

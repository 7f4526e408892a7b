// What a node admits before the store has answered, and who remembers that.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLimiter, fixedWindow, TidegateError, tokenBucket } from "tidegate";
import { createFaultyStore } from "../support/faulty-store.ts";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer, settled } from "../support/manual-timer.ts";
import { createHybridNodes, type HybridNodes } from "./hybrid-nodes.ts";

const TEN = fixedWindow({ limit: 10, window: "20s" });
const LENDS = { maxOvershoot: 0.5, onStoreFailure: "deny" } as const;
const request = { policy: "api", key: "k" };
const away = () => Promise.reject(new TidegateError("STORE_UNAVAILABLE", "test"));

/** A node that knows that nobody of before owes anything, and has used a key up. */
async function createUsedUp(): Promise<HybridNodes> {
  const nodes = createHybridNodes([TEN], LENDS);
  await nodes.timer.advanceMs(60_000);
  assert.equal(await nodes.admitted(10), 10);
  return nodes;
}

/** Checks so often at once, while the store says nothing, and returns how many were admitted. */
async function lent(
  { limiters, timer, store }: HybridNodes,
  times: number,
  limiter = limiters[0]!,
): Promise<number> {
  store.set("hung");
  let admitted = 0;
  for (let time = 0; time < times; time += 1) {
    void limiter.check(request).then(({ allowed }) => {
      if (allowed) admitted += 1;
    });
  }
  await settled();
  const fromMemory = admitted;
  store.set("up");
  store.thaw();
  await timer.advanceMs(100);
  return fromMemory;
}

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

test("a reset that fails is no reason to lend again, and forgets nothing that is held or owed", async () => {
  const nodes = await createUsedUp();
  const { limiter, store, timer } = nodes;
  const { reset } = store;
  let admitted = 0;
  for (let round = 0; round < 5; round += 1) {
    await timer.advanceMs(1_500);
    admitted += await lent(nodes, 5);
    store.reset = away;
    await assert.rejects(limiter.reset(request), { code: "STORE_UNAVAILABLE" });
  }
  assert.ok(admitted <= 5, `${admitted} beyond the limit`);
  store.reset = reset;
  await limiter.reset(request);
  assert.equal(await nodes.admitted(10), 10, "of which none is owed any more");
  await nodes.close();
});

test("what is in hand when a reset fails is given back", async () => {
  const nodes = createHybridNodes([fixedWindow({ limit: 1_000, window: "1h" })]);
  await nodes.check("k");
  assert.ok((await nodes.left()) < 999);
  nodes.store.reset = away;
  await assert.rejects(nodes.limiter.reset(request), { code: "STORE_UNAVAILABLE" });
  await nodes.timer.advanceMs(10);
  assert.equal(await nodes.left(), 999);
  await nodes.close();
});

test("a key of which it is not known what is owed is asked about until it is, and then forgotten", async () => {
  const nodes = await createUsedUp();
  const { limiter, store, timer } = nodes;
  await timer.advanceMs(1_500);
  store.set("hung");
  const beyond = limiter.check(request);
  for (const near of [0.5, 0.6, 0.7]) {
    limiter.setPolicy("api", { limits: [TEN], nearLimit: near, ...LENDS });
    void limiter.check(request);
    await settled();
  }
  assert.equal((await beyond).allowed, true);
  store.lose();
  store.set("up");
  const asked = nodes.asked;
  await timer.advanceMs(10_000);
  assert.ok(nodes.asked > asked, "nobody asked for the key");
  const answered = nodes.asked;
  await timer.advanceMs(3_600_000);
  assert.equal(nodes.asked, answered);
  assert.equal(timer.size, 1, "only announcements are left");
  await nodes.close();
});

for (const refill of ["10/s", "100/m"] as const) {
  test(`after other limits a node lends only what the store has said is in no debt: ${refill}`, async () => {
    const before = { limits: [tokenBucket({ capacity: 100, refill: "100/m" })], maxOvershoot: 1 };
    const after = { limits: [tokenBucket({ capacity: 10, refill })], maxOvershoot: 1 };
    const nodes = createHybridNodes(before.limits, before, { count: 2 });
    const { limiters, timer } = nodes;
    await timer.advanceMs(120_000);
    assert.equal(await nodes.admitted(100), 100);
    await timer.advanceMs(500);
    assert.ok((await lent(nodes, 50)) >= 49, "what the first of them may owe");
    for (const limiter of limiters) limiter.setPolicy("api", { ...after, coordination: "hybrid" });
    await timer.advanceMs(refill === "10/s" ? 1_500 : 10_000);
    assert.equal(await lent(nodes, 5, limiters[1]), 0, "the key is in debt still");
    await timer.advanceMs(120_000);
    assert.equal((await nodes.check("k", 1, 1)).allowed, true);
    await nodes.close();
  });
}

test("a policy that is set anew with the limits that it had lends as before", async () => {
  const nodes = createHybridNodes([TEN], LENDS);
  await nodes.timer.advanceMs(60_000);
  nodes.limiter.setPolicy("api", { limits: [TEN], nearLimit: 0.5, ...LENDS });
  await nodes.timer.advanceMs(60_000);
  assert.equal(await lent(nodes, 9), 5);
  await nodes.close();
});

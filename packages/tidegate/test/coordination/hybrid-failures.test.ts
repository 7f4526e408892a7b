// Hybrid: a store that is away, hangs or answers late, and what may be admitted before it has answered.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow, TidegateError, tokenBucket } from "tidegate";
import { settled } from "../support/manual-timer.ts";
import { createHybridNodes, type HybridNodes } from "./hybrid-nodes.ts";

const HOUR = fixedWindow({ limit: 100, window: "1h" });
const request = { policy: "api", key: "k" };

for (const [onStoreFailure, source, allowed] of [
  ["allow", "fail-open", true],
  ["deny", "fail-closed", false],
  ["local", "fallback", true],
] as const) {
  test(`while the store is away leases are spent first, then: ${onStoreFailure}`, async () => {
    const nodes = createHybridNodes([HOUR], { onStoreFailure });
    const { check, store, timer } = nodes;
    await check("k", 4);
    const inHand = 96 - (await nodes.left());
    assert.ok(inHand > 10);
    store.set("down");
    for (let time = 0; time < inHand; time += 1) {
      assert.deepEqual((await check("k")).source, "lease");
    }
    const beyond = await check("k");
    assert.deepEqual([beyond.source, beyond.allowed], [source, allowed]);
    for (let time = 0; time < 10; time += 1) await check("k");
    const asked = store.calls.length;
    assert.equal((await check("k")).source, source);
    assert.equal(store.calls.length, asked, "it is known to be away");
    store.set("up");
    await timer.advanceMs(2_000);
    assert.equal((await check("k")).source, "lease");
    await nodes.close();
  });
}

test("who waits for a store that hangs is answered at the deadline", async () => {
  const { limiter, store, timer, close } = createHybridNodes([HOUR], { onStoreFailure: "deny" });
  store.set("hung");
  const asks = [limiter.check(request), limiter.check({ ...request, cost: 2 })];
  await timer.advanceMs(49);
  let done = 0;
  for (const ask of asks) void ask.then(() => (done += 1));
  await settled();
  assert.equal(done, 0);
  await timer.advanceMs(2);
  for (const ask of asks) assert.equal((await ask).source, "fail-closed");
  store.set("up");
  store.lose();
  await close();
  assert.equal(timer.size, 0);
});

test("who waits for several questions is answered at the deadline of the check, not of the last of them", async () => {
  const { limiter, store, timer, close } = createHybridNodes([HOUR], { onStoreFailure: "deny" });
  store.set("hung");
  const first = limiter.check(request);
  await timer.advanceMs(30);
  const second = limiter.check({ ...request, cost: 60 });
  await timer.advanceMs(10);
  store.thaw();
  assert.equal((await first).source, "lease");
  await timer.advanceMs(39);
  assert.equal(store.hanging, 1, "the second question, asked 40 ms after the first");
  let isDone = false;
  void second.then(() => {
    isDone = true;
  });
  await settled();
  assert.equal(isDone, false);
  await timer.advanceMs(1);
  assert.equal((await second).source, "fail-closed");
  store.set("up");
  store.thaw();
  await close();
  assert.equal(timer.size, 0);
});

for (const deadline of [2, 5, 6, 10]) {
  test(`a store that answers in 1 ms is in time for a deadline of ${deadline} ms, however many ask`, async () => {
    const { limiter, store, timer, close } = createHybridNodes([HOUR], { deadline });
    store.set("hung");
    const sources: string[] = [];
    for (let key = 0; key < 200; key += 1) {
      void limiter.check({ policy: "api", key: `${key}` }).then(({ source }) => {
        sources.push(source);
      });
      await timer.advanceMs(1);
      store.thaw();
      await settled();
    }
    await timer.advanceMs(10);
    store.thaw();
    await settled();
    const inTime = sources.filter((source) => source === "lease").length;
    // The last of all was asked for, and not answered before its time was over.
    assert.ok(sources.length === 200 && inTime >= 198, `${inTime} of ${sources.length}`);
    store.set("up");
    await close();
  });
}

test("what the application did wrong is told it, and not answered by the policy", async () => {
  const nodes = createHybridNodes([HOUR]);
  const wrong = new TidegateError("INVALID_OPTION", "hashTag must be a text", { field: "hashTag" });
  nodes.store.run = () => Promise.reject(wrong);
  for (let time = 0; time < 3; time += 1) {
    const told = assert.rejects(nodes.limiter.check(request), { code: "INVALID_OPTION" });
    await nodes.timer.advanceMs(5);
    await told;
  }
  await nodes.close();
});

test("a grant that comes when nobody waits for it any more is given back", async () => {
  const nodes = createHybridNodes([HOUR]);
  const { limiter, store, timer } = nodes;
  store.set("hung");
  const answer = limiter.check(request);
  await timer.advanceMs(60);
  assert.equal((await answer).source, "fail-open");
  store.set("up");
  store.thaw();
  await settled();
  assert.deepEqual(
    store.calls.filter((call) => call !== "ping"),
    ["lease", "lease"],
  );
  assert.equal(await nodes.left(), 100);
  await nodes.close();
});

test("a known denial holds while the store is away, and nobody asks it", async () => {
  const nodes = createHybridNodes([HOUR]);
  assert.equal(await nodes.admitted(101), 100);
  nodes.store.set("down");
  for (let time = 0; time < 10; time += 1) await nodes.check("x");
  await nodes.timer.advanceMs(950);
  const calls = nodes.store.calls.filter((call) => call === "lease").length;
  for (let time = 0; time < 10; time += 1) {
    const denied = await nodes.check("k");
    assert.deepEqual([denied.allowed, denied.source], [false, "lease"]);
  }
  assert.equal(nodes.store.calls.filter((call) => call === "lease").length, calls);
  await nodes.close();
});

test("close ends though the store hangs", async () => {
  const nodes = createHybridNodes([HOUR]);
  await nodes.check("k");
  nodes.store.set("hung");
  const waiting = nodes.limiter.check({ ...request, key: "cold" });
  const closed = nodes.close();
  for (let step = 0; step < 10; step += 1) await nodes.timer.advanceMs(50);
  await closed;
  assert.equal((await waiting).source, "fail-open");
  assert.equal(nodes.timer.size, 0);
});

const MINUTE = fixedWindow({ limit: 100, window: "1m" });

/** Nodes that know for certain how many they are, and for so long that nobody of before can owe anything. */
async function createCertainNodes(maxOvershoot: number, count = 2, limit = MINUTE) {
  const nodes = createHybridNodes([limit], { maxOvershoot, leaseFraction: 0 }, { count });
  await nodes.timer.advanceMs(3_500 + (2 * limit.windowUs) / 1_000);
  return nodes;
}

/** Checks on a node, and answers at once or not at all. */
async function checkAtOnce(nodes: HybridNodes, node: number, cost = 1, key = "k") {
  const answer = nodes.limiters[node]!.check({ policy: "api", key, cost });
  return Promise.race([
    answer,
    Promise.resolve()
      .then(() => Promise.resolve())
      .then(() => undefined),
  ]);
}

test("maxOvershoot: a cold key is admitted before the store has answered, each node its part", async () => {
  const nodes = await createCertainNodes(0.1);
  nodes.store.set("hung");
  for (const node of [0, 1]) {
    for (let time = 0; time < 5; time += 1) {
      const decision = await checkAtOnce(nodes, node);
      assert.deepEqual([decision?.allowed, decision?.source], [true, "lease"]);
      assert.ok(decision!.remaining >= 0);
    }
    assert.equal(await checkAtOnce(nodes, node), undefined, "5 of 10 are its part");
  }
  nodes.store.set("up");
  nodes.store.thaw();
  await nodes.timer.advanceMs(20);
  await nodes.close();
  assert.equal(await nodes.left(), 88, "what was lent is charged, and those who waited");
});

test("maxOvershoot: what is lent beyond the limit is debt, and nothing more is lent till it is paid", async () => {
  const limit = fixedWindow({ limit: 100, window: "10s" });
  const nodes = await createCertainNodes(0.1, 2, limit);
  let admitted = 0;
  for (let step = 0; step < 600; step += 1) {
    for (const node of [0, 1]) if ((await nodes.check("k", 1, node)).allowed) admitted += 1;
  }
  assert.ok(admitted > 100 && admitted <= 110, `${admitted}`);
  await nodes.timer.advanceMs(2_000);
  assert.equal(await nodes.left(), 0, "the store knows of it when the nodes ask next");
  await nodes.timer.advanceMs(8_000);
  const before = admitted;
  for (let step = 0; step < 200; step += 1) {
    for (const node of [0, 1]) if ((await nodes.check("k", 1, node)).allowed) admitted += 1;
  }
  assert.ok(admitted - before <= 110, `${admitted - before}`);
  await nodes.close();
});

test("maxOvershoot: a bucket that was overshot repays it", async () => {
  const nodes = createHybridNodes(
    [tokenBucket({ capacity: 100, refill: "10/s" })],
    { maxOvershoot: 0.2 },
    { count: 1 },
  );
  await nodes.timer.advanceMs(3_500);
  const start = nodes.clock.now();
  let admitted = 0;
  for (let step = 0; step < 2_000; step += 1) {
    if ((await nodes.check("k")).allowed) admitted += 1;
    await nodes.timer.advanceMs(9);
  }
  const seconds = (nodes.clock.now() - start) / 1e6;
  assert.ok(admitted <= 120 + 10 * seconds, `${admitted} in ${seconds} s`);
  assert.ok(admitted >= 99 + 10 * (seconds - 0.5), `${admitted} in ${seconds} s`);
  await nodes.close();
});

test("maxOvershoot: nothing is lent while it is not certain how many nodes there are", async () => {
  const nodes = createHybridNodes([MINUTE], { maxOvershoot: 0.1 });
  await nodes.timer.advanceMs(500);
  nodes.store.set("hung");
  assert.equal(await checkAtOnce(nodes, 0), undefined);
  nodes.store.set("up");
  nodes.store.thaw();
  await nodes.timer.advanceMs(125_000);
  assert.equal((await checkAtOnce(nodes, 0, 1, "cold"))?.allowed, true);
  nodes.store.set("down");
  await nodes.timer.advanceMs(2_000);
  assert.equal((await nodes.check("colder")).source, "fail-open", "nor where it is away");
  await nodes.close();
});

test("maxOvershoot: where nodes have come or gone, nothing is lent of a key that may be in debt", async () => {
  const nodes = await createCertainNodes(0.1, 1);
  await nodes.check("known");
  nodes.store.nodes = 2;
  // It is certain at once that there is one more, whose part is not this node's any more.
  await nodes.timer.advanceMs(4_000);
  nodes.store.set("hung");
  assert.equal(
    await checkAtOnce(nodes, 0, 1, "cold"),
    undefined,
    "nobody has said that it has no debt",
  );
  assert.equal(await checkAtOnce(nodes, 0, 50, "known"), undefined, "that was said before");
  nodes.store.set("up");
  nodes.store.thaw();
  await nodes.timer.advanceMs(20);
  nodes.store.set("hung");
  assert.equal((await checkAtOnce(nodes, 0, 5, "cold"))?.allowed, true, "by now it was");
  assert.equal(await checkAtOnce(nodes, 0, 1, "cold"), undefined, "5 of 10 are its part");
  nodes.store.set("up");
  nodes.store.thaw();
  await nodes.close();
});

test("maxOvershoot: a debt is not forgotten by a key that is idle, nor by changed limits", async () => {
  for (const change of [false, true]) {
    const nodes = createHybridNodes([HOUR], { maxOvershoot: 0.1 });
    await nodes.timer.advanceMs(3_500);
    for (let step = 0; step < 130; step += 1) await nodes.check("k");
    await nodes.timer.advanceMs(1_000);
    await nodes.check("k");
    await nodes.timer.advanceMs(20_000);
    if (change) {
      nodes.limiter.setPolicy("api", {
        limits: [fixedWindow({ limit: 90, window: "1h" })],
        maxOvershoot: 0.1,
      });
    }
    let admitted = 0;
    for (let step = 0; step < 20; step += 1) if ((await nodes.check("k")).allowed) admitted += 1;
    assert.equal(admitted, 0, `changed: ${change}`);
    await nodes.close();
  }
});

test("maxOvershoot: a charge whose answer is late is not made twice", async () => {
  const nodes = await createCertainNodes(0.1, 1);
  nodes.store.set("hung");
  for (let time = 0; time < 4; time += 1) await checkAtOnce(nodes, 0);
  await nodes.timer.advanceMs(60);
  nodes.store.set("up");
  nodes.store.thaw();
  await settled();
  await nodes.timer.advanceMs(3_000);
  await nodes.close();
  assert.equal(await nodes.left(), 96);
});

// Checks and looks through a limiter whose store hangs, says that it is away, is known to be, and comes back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { fixedWindow } from "tidegate";
import { settled } from "../support/manual-timer.ts";
import { ANSWERS, brief, createGuardedLimiter, limits, POLICIES } from "./guarded-limiter.ts";

/** What each policy answers to one unit of a key that is not used, where two nodes share the store. */
const EXPECTED = {
  allow: [true, 10, 0, "fail-open"],
  deny: [false, 0, 1_000, "fail-closed"],
  local: [true, 4, 0, "fallback"],
} as const;

test("a store that answers is who decides", async () => {
  const { limiter, store, timer } = createGuardedLimiter();
  await settled();
  for (const policy of ANSWERS) {
    const request = { policy, key: "k" };
    assert.deepEqual(brief(await limiter.check(request)), [true, 9, 0, "store"]);
    assert.deepEqual(brief(await limiter.peek(request)), [true, 9, 0, "store"]);
  }
  assert.deepEqual(store.calls.slice(1, 3), ["decide", "peek"]);
  assert.equal(timer.size, 1, "the next announcement");
});

for (const policy of ANSWERS) {
  const request = { policy, key: "k" };

  test(`${policy}: a store that hangs is answered for at the deadline, not before`, async () => {
    const { limiter, store, timer, expire } = createGuardedLimiter();
    await settled();
    store.set("hung");
    let answered = 0;
    const calls = [limiter.check(request), limiter.checkEvery([{ ...request, key: "l" }])];
    for (const call of calls) void call.then(() => (answered += 1));
    await timer.advanceMs(49);
    assert.equal(answered, 0);
    await expire();
    for (const call of calls) assert.deepEqual(brief(await call), EXPECTED[policy]);
  });

  test(`${policy}: a store that says it is away is answered for at once, in every call`, async () => {
    const { limiter, store } = createGuardedLimiter();
    await settled();
    store.set("down");
    const looked = policy === "local" ? [true, 5, 0, "fallback"] : EXPECTED[policy];
    assert.deepEqual(brief(await limiter.peek(request)), looked);
    assert.deepEqual(brief(await limiter.check(request)), EXPECTED[policy]);
    const [all] = await limiter.checkAll([{ ...request, key: "a" }]);
    assert.deepEqual(brief(all!), EXPECTED[policy]);
    const named = await limiter.check({ ...request, key: "b", id: "i" });
    assert.deepEqual(brief(named), EXPECTED[policy]);
    const every = await limiter.checkEvery([{ ...request, key: "c" }]);
    assert.deepEqual(brief(every), EXPECTED[policy]);
    const reservation = await limiter.reserve({ ...request, key: "d" });
    assert.deepEqual(brief(reservation), EXPECTED[policy]);
    const scheduled = await limiter.schedule({ ...request, key: "e" });
    assert.deepEqual(brief(scheduled), EXPECTED[policy]);
  });

  test(`${policy}: a store that is known to be away is not asked, until a probe finds it again`, async () => {
    const one = createGuardedLimiter();
    await settled();
    await one.goAway();
    const asked = one.store.calls.length;
    const expected = policy === "deny" ? [false, 0, 50, "fail-closed"] : [...EXPECTED[policy]];
    assert.deepEqual(brief(await one.limiter.check(request)), expected);
    assert.equal(one.store.calls.length, asked);
    one.store.set("up");
    await one.timer.advanceMs(49);
    assert.equal(one.store.calls.length, asked);
    await one.timer.advanceMs(1);
    assert.equal(one.store.calls.at(-1), "ping");
    assert.deepEqual(brief(await one.limiter.check(request)), [true, 9, 0, "store"]);
  });

  test(`${policy}: a cost above the limit is never admitted, one of nothing always`, async () => {
    const { limiter, store } = createGuardedLimiter();
    await settled();
    store.set("down");
    const never = await limiter.check({ ...request, cost: 11 });
    assert.deepEqual([never.allowed, never.retryAfterMs], [false, null]);
    const nothing = await limiter.check({ ...request, cost: 0 });
    assert.deepEqual([nothing.allowed, nothing.retryAfterMs], [true, 0]);
  });

  test(`${policy}: overrides without a count, a shadow and soft limits hold without the store`, async () => {
    const overrides = [
      { key: "vip", unlimited: true },
      { key: "bad", blocked: true },
      { key: "more", limits: [fixedWindow({ limit: 100, window: "1h" })] },
    ];
    const { limiter, store } = createGuardedLimiter({
      api: { limits, onStoreFailure: policy, overrides },
      shadow: { limits, onStoreFailure: policy, shadow: true },
      soft: {
        limits: [fixedWindow({ limit: 1, window: "1h", soft: true })],
        onStoreFailure: policy,
      },
    });
    await settled();
    store.set("down");
    const check = async (name: string, key: string, cost = 1) => {
      return limiter.check({ policy: name, key, cost });
    };
    assert.deepEqual(
      [(await check("api", "vip")).source, (await check("api", "bad")).source],
      ["local", "local"],
    );
    assert.equal((await check("api", "bad")).allowed, false);
    assert.equal((await check("api", "more", 11)).allowed, policy !== "deny");
    const shadow = await check("shadow", "k", 11);
    assert.deepEqual([shadow.allowed, shadow.shadow], [true, true]);
    assert.equal((await check("soft", "k", 5)).allowed, policy !== "deny");
  });
}

test("deny says when the store is asked next, from each step of the back-off", async () => {
  const { limiter, timer, goAway } = createGuardedLimiter();
  await goAway();
  for (const wait of [50, 100, 200, 250, 250]) {
    const { retryAfterMs } = await limiter.check({ policy: "deny", key: "k" });
    assert.equal(retryAfterMs, wait);
    await timer.advanceMs(wait);
  }
});

test("what a policy admits while the store is away is not counted by it afterwards", async () => {
  const { limiter, goAway, comeBack } = createGuardedLimiter();
  await goAway();
  for (let time = 0; time < 20; time += 1) await limiter.check({ policy: "allow", key: "k" });
  await comeBack();
  const { remaining } = await limiter.check({ policy: "allow", key: "k" });
  assert.equal(remaining, 9);
});

test("each outage counts in memory what this node admitted in the one before, for as long as a window", async () => {
  const { limiter, timer, goAway, comeBack } = createGuardedLimiter();
  await settled();
  const admit = async () => {
    let admitted = 0;
    while ((await limiter.check({ policy: "local", key: "k" })).allowed) admitted += 1;
    return admitted;
  };
  await goAway();
  assert.equal(await admit(), 5);
  await comeBack();
  await goAway();
  assert.equal(await admit(), 0);
  await timer.advanceMs(3_600_000);
  assert.equal(await admit(), 5);
});

test("the circuit tells of each change: node, deadline, state and reason", async () => {
  const { changes, goAway, timer, comeBack } = createGuardedLimiter();
  await goAway();
  await timer.advanceMs(50);
  await comeBack();
  const reason = "Redis gave no answer: test";
  assert.deepEqual(
    changes.map(({ state, reason: why }) => [state, why]),
    [
      ["open", reason],
      ["half-open", undefined],
      ["open", reason],
      ["half-open", undefined],
      ["closed", undefined],
    ],
  );
  assert.ok(changes.every(({ node, deadlineMs }) => node === "" && deadlineMs === 50));
});

test("an admission that comes after its deadline is told once; a denial and what takes nothing are not", async () => {
  const { limiter, store, late, expire } = createGuardedLimiter({
    ...POLICIES,
    shadow: { limits, shadow: true },
  });
  await limiter.check({ policy: "allow", key: "full", cost: 10 });
  await limiter.check({ policy: "shadow", key: "full", cost: 10 });
  await settled();
  store.set("hung");
  const asked = [
    limiter.check({ policy: "allow", key: "k", cost: 2 }),
    limiter.check({ policy: "allow", key: "k", id: "i" }),
    limiter.check({ policy: "allow", key: "full" }),
    limiter.check({ policy: "allow", key: "full", id: "i" }),
    limiter.check({ policy: "allow", key: "k", cost: 0 }),
    limiter.check({ policy: "shadow", key: "full" }),
    limiter.check({ policy: "shadow", key: "full", id: "i" }),
    limiter.peek({ policy: "allow", key: "k" }),
  ];
  await expire();
  await Promise.all(asked);
  store.thaw();
  await settled();
  assert.deepEqual(
    late.map(({ key, remaining, source }) => [key, remaining, source]),
    [
      ["k", 8, "store"],
      ["k", 7, "store"],
    ],
  );
});

test("an id that was answered by the policy is charged once when it is repeated", async () => {
  const { limiter, store, expire } = createGuardedLimiter();
  await settled();
  store.set("hung");
  const request = { policy: "allow", key: "k", id: "i", cost: 4 };
  const first = limiter.check(request);
  await expire();
  assert.equal((await first).source, "fail-open");
  store.set("up");
  store.thaw();
  for (let time = 0; time < 3; time += 1) {
    assert.deepEqual(brief(await limiter.check(request)), [true, 6, 0, "store"]);
  }
});

test("a policy that is changed during an outage is answered by what it says now", async () => {
  const { limiter, goAway } = createGuardedLimiter();
  await settled();
  await goAway();
  const check = async () => brief(await limiter.check({ policy: "allow", key: "k" }));
  assert.deepEqual(await check(), [true, 10, 0, "fail-open"]);
  limiter.setPolicy("allow", { limits, onStoreFailure: "deny" });
  assert.deepEqual(await check(), [false, 0, 50, "fail-closed"]);
  limiter.setPolicy("allow", { limits, onStoreFailure: "local" });
  assert.deepEqual(await check(), [true, 4, 0, "fallback"]);
  const raised = [fixedWindow({ limit: 20, window: "1h" })];
  limiter.setPolicy("allow", { limits: raised, onStoreFailure: "local" });
  assert.deepEqual(await check(), [true, 8, 0, "fallback"], "what was taken stays taken");
});

test("a policy with another deadline has a circuit of its own", async () => {
  const { limiter, store, timer, changes } = createGuardedLimiter({
    quick: { limits, deadline: "10ms" },
    slow: { limits, deadline: "1s" },
  });
  store.set("hung");
  for (let time = 0; time < 5; time += 1) {
    const asked = limiter.check({ policy: "quick", key: "k" });
    await timer.advanceMs(10);
    assert.equal((await asked).source, "fail-open");
  }
  assert.deepEqual(
    changes.map(({ deadlineMs, state }) => [deadlineMs, state]),
    [[10, "open"]],
  );
  const slow = limiter.check({ policy: "slow", key: "k" });
  store.thaw();
  assert.equal((await slow).source, "store");
});

test("a misuse that the store finds is the caller's, and opens nothing", async () => {
  const { limiter, changes } = createGuardedLimiter();
  await limiter.check({ policy: "deny", key: "k", id: "i" });
  for (let time = 0; time < 30; time += 1) {
    await assert.rejects(limiter.check({ policy: "deny", key: "k", id: "i", cost: 2 }), {
      code: "INVALID_REQUEST",
      field: "id",
    });
    await settled();
  }
  assert.deepEqual(changes, []);
});

// deadline, onStoreFailure and expectedNodes, as an application writes them: that each takes effect, over a store that
// is shared, and that what is wrong is refused.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLimiter, fixedWindow, memoryStore, TidegateError } from "tidegate";
import { createManualClock } from "../support/manual-clock.ts";
import { createManualTimer, settled } from "../support/manual-timer.ts";
import { createSharedStore } from "../support/shared-store.ts";
import { brief, createGuardedLimiter, limits } from "./guarded-limiter.ts";

test("a store that is shared is guarded: what it does not answer, the policy does", async () => {
  const clock = createManualClock();
  const store = createSharedStore(clock);
  const limiter = createLimiter({
    store,
    clock,
    timer: createManualTimer(clock),
    policies: {
      standard: { limits },
      deny: { limits, onStoreFailure: "deny" },
      local: { limits, onStoreFailure: "local" },
    },
  });
  const ask = async (policy: string) => {
    store.endings.push("lost");
    return brief(await limiter.check({ policy, key: "k", id: `${policy}` }));
  };
  assert.deepEqual(await ask("standard"), [true, 10, 0, "fail-open"], "allow, left out");
  assert.deepEqual(await ask("deny"), [false, 0, 1_000, "fail-closed"]);
  assert.deepEqual(await ask("local"), [true, 9, 0, "fallback"], "one node, left out");
  store.endings.push("late");
  const reserved = await limiter.reserve({ policy: "deny", key: "l" });
  assert.deepEqual([reserved.allowed, reserved.source], [false, "fail-closed"]);
  store.endings.push("lost");
  await assert.rejects(limiter.refund({ policy: "local", key: "k" }), {
    code: "STORE_UNAVAILABLE",
  });
  assert.equal((await limiter.check({ policy: "local", key: "k" })).source, "store");
  await limiter.close();
});

test("a fault of the store that is none of its own is the caller's", async () => {
  const clock = createManualClock();
  const fail = () => new TidegateError("INVALID_REQUEST", "id must be new");
  const store = createSharedStore(clock, { fail });
  const limiter = createLimiter({ store, clock, policies: { api: { limits } } });
  store.endings.push("lost");
  await assert.rejects(limiter.check({ policy: "api", key: "k", id: "i" }), /id must be new/);
  await limiter.close();
});

test("the deadline is the policy's: 50 ms left out; of several as one the shortest", async () => {
  const policies = {
    standard: { limits },
    quick: { limits, deadline: "10ms" },
    slow: { limits, deadline: 1_000 },
  };
  const table: [asked: readonly string[], deadlineMs: number][] = [
    [["standard"], 50],
    [["quick"], 10],
    [["slow"], 1_000],
    [["slow", "standard"], 50],
    [["standard", "quick", "slow"], 10],
  ];
  for (const [asked, deadlineMs] of table) {
    const { limiter, store, timer } = createGuardedLimiter(policies);
    store.set("hung");
    let answered = false;
    const every = limiter.checkEvery(asked.map((policy) => ({ policy, key: "k" })));
    void every.then(() => (answered = true));
    await timer.advanceMs(deadlineMs - 1);
    assert.equal(answered, false, asked.join());
    await timer.advanceMs(1);
    assert.equal(answered, true, asked.join());
    assert.equal(timer.size, 0);
  }
});

test("expectedNodes divides the limits until the store has said how many there are", async () => {
  for (const [expectedNodes, remaining] of [
    [undefined, 9],
    [1, 9],
    [5, 1],
    [10_000, 0],
  ] as const) {
    const { limiter } = createGuardedLimiter(
      { api: { limits, onStoreFailure: "local" } },
      { mode: "down", ...(expectedNodes === undefined ? {} : { expectedNodes }) },
    );
    assert.equal((await limiter.check({ policy: "api", key: "k" })).remaining, remaining);
  }
  for (const [nodes, remaining] of [
    [10, 0],
    [2, 4],
  ] as const) {
    const counted = createGuardedLimiter(
      { api: { limits, onStoreFailure: "local" } },
      { nodes, expectedNodes: 5 },
    );
    // Fewer are believed once those that are missing have had time to come.
    await counted.timer.advanceMs(10_000);
    await counted.goAway("api", "other");
    const decision = await counted.limiter.check({ policy: "api", key: "k" });
    assert.equal(decision.remaining, remaining, `${nodes} nodes`);
  }
});

test("a limiter announces itself where a policy is local, also one that becomes it, and else never", async () => {
  const { limiter, store, timer } = createGuardedLimiter({ api: { limits } });
  await timer.advanceMs(10_000);
  assert.deepEqual([store.announced.length, timer.size], [0, 0]);
  limiter.setPolicy("api", { limits, onStoreFailure: "local" });
  await settled();
  assert.equal(store.announced.length, 1);
  const other = createGuardedLimiter({ api: { limits, onStoreFailure: "local" } });
  await settled();
  const [[one], [two]] = [store.announced[0]!, other.store.announced[0]!];
  assert.notEqual(one, two, "each limiter has a name of its own");
});

test("a store of this process is not guarded: it cannot fail, and is asked each time", async () => {
  const clock = createManualClock();
  const timer = createManualTimer(clock);
  const store = memoryStore({ clock });
  const policies = { api: { limits, onStoreFailure: "deny", deadline: "1ms" } } as const;
  const limiter = createLimiter({ store, clock, timer, policies });
  await limiter.check({ policy: "api", key: "k", cost: 10 });
  for (let time = 0; time < 2; time += 1) {
    assert.equal((await limiter.check({ policy: "api", key: "k" })).source, "local");
  }
  assert.equal(timer.size, 0);
  await limiter.close();
});

test("what is wrong is refused by its name", () => {
  const own = { coordination: "local" };
  const table: [options: object, field: string][] = [
    [{ policies: { api: { limits, deadline: "0ms" } } }, "policies.api.deadline"],
    [{ policies: { api: { limits, deadline: "1001ms" } } }, "policies.api.deadline"],
    [{ policies: { api: { limits, deadline: "soon" } } }, "policies.api.deadline"],
    [{ policies: { api: { limits, onStoreFailure: "open" } } }, "policies.api.onStoreFailure"],
    [{ policies: { api: { limits, onStoreFailure: null } } }, "policies.api.onStoreFailure"],
    [{ policies: { api: { limits, ...own, deadline: "1ms" } } }, "policies.api.deadline"],
    [
      { policies: { api: { limits, ...own, onStoreFailure: "deny" } } },
      "policies.api.onStoreFailure",
    ],
    [{ policies: { api: { limits } }, expectedNodes: 0 }, "expectedNodes"],
    [{ policies: { api: { limits } }, expectedNodes: 1.5 }, "expectedNodes"],
    [{ policies: { api: { limits } }, expectedNodes: 10_001 }, "expectedNodes"],
    [{ policies: { api: { limits } }, expectedNodes: "2" }, "expectedNodes"],
    [{ policies: { api: { limits } }, expectedNodes: 2 }, "expectedNodes"],
    [{ policies: { api: { limits } }, store: memoryStore(), expectedNodes: 2 }, "expectedNodes"],
  ];
  for (const [options, field] of table) {
    assert.throws(() => createLimiter(options as never), { code: "INVALID_OPTION", field });
  }
  const limiter = createLimiter({ policies: { api: { limits } } });
  const wrong = { limits: [fixedWindow({ limit: 1, window: "1s" })], deadline: "2s" };
  assert.throws(() => limiter.setPolicy("api", wrong), { field: "policies.api.deadline" });
  assert.equal(limiter.describe("api").limits[0]?.limit, 10);
});

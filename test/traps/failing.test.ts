// Traps of a store that fails, behind a limiter that answers in its place: on a real Redis that is stopped and goes on,
// and on a store that fails as it is told, where each instant can be chosen.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createLimiter, type Decision, fixedWindow, type Limiter } from "tidegate";
import { redisStore } from "tidegate/redis";
import {
  brief,
  createGuardedLimiter,
} from "../../packages/tidegate/test/resilience/guarded-limiter.ts";
import { settled } from "../../packages/tidegate/test/support/manual-timer.ts";
import { eventually } from "../support/eventually.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";

const HOUR_MS = 3_600_000;
const limits = [fixedWindow({ limit: 100, window: "1h" })];
const POLICIES = {
  allow: { limits, onStoreFailure: "allow" },
  deny: { limits, onStoreFailure: "deny" },
  local: { limits, onStoreFailure: "local" },
  opener: { limits },
} as const;
const ANSWERS = ["allow", "deny", "local"] as const;

const left = async (limiter: Limiter, request: { policy: string; key: string }) => {
  const { remaining, source } = await limiter.peek({ ...request, cost: 0 });
  assert.equal(source, "store");
  return remaining;
};

describe("a store that fails as it is told", () => {
  test("trap 4: a call that timed out is not sent again, and under its id is charged once", async () => {
    for (const policy of ANSWERS) {
      const { limiter, store, expire } = createGuardedLimiter(POLICIES);
      await settled();
      store.set("hung");
      store.calls.length = 0;
      const request = { policy, key: "k", cost: 10 };
      const calls = [
        limiter.check({ ...request, id: "c" }),
        limiter.checkEvery([request], { id: "e" }),
        limiter.reserve({ ...request, id: "r" }),
      ];
      await expire();
      await Promise.all(calls);
      assert.deepEqual(store.calls, ["take", "take", "take"], policy);
      store.thaw();
      store.set("up");
      assert.equal(await left(limiter, request), 70, "what came late is charged, and once");
      const again = [
        await limiter.check({ ...request, id: "c" }),
        await limiter.checkEvery([request], { id: "e" }),
        await limiter.reserve({ ...request, id: "r" }),
      ];
      assert.deepEqual(
        again.map(({ remaining, source }) => [remaining, source]),
        [90, 80, 70].map((remaining) => [remaining, "store"]),
      );
      assert.equal(await left(limiter, request), 70, policy);
    }
  });

  test("trap 6: a denial from memory is one decision of the store, and goes when the limit is raised", async () => {
    const { limiter, timer, goAway } = createGuardedLimiter(POLICIES);
    const request = { policy: "allow", key: "k" };
    await limiter.check({ ...request, cost: 99 });
    const told = await limiter.check({ ...request, cost: 2 });
    await timer.advanceMs(500);
    const cached: Decision = await limiter.check({ ...request, cost: 50 });
    assert.deepEqual(cached, {
      ...told,
      retryAfterMs: HOUR_MS - 500,
      resetAfterMs: HOUR_MS - 500,
      source: "cache",
    });
    await goAway();
    assert.equal((await limiter.check({ ...request, cost: 2 })).source, "cache");
    const raised = [fixedWindow({ limit: 200, window: "1h" })];
    limiter.setPolicy("allow", { limits: raised });
    assert.deepEqual(brief(await limiter.check({ ...request, cost: 2 })), [
      true,
      200,
      0,
      "fail-open",
    ]);
  });

  test("trap 8: an hour away while keys rotate: one probe for each step, and nothing that grows", async () => {
    const { limiter, store, timer, goAway } = createGuardedLimiter(POLICIES);
    await goAway();
    store.calls.length = 0;
    for (let second = 0; second < 3_600; second += 1) {
      for (const policy of ANSWERS) await limiter.check({ policy, key: `k${second}` });
      await timer.advanceMs(1_000);
      assert.ok(timer.size <= 2, `${timer.size} timers: a probe, an announcement`);
    }
    // With the shortest of jitters a probe each 250 ms, after three that come sooner.
    assert.ok(store.calls.length <= 4 * 3_600 + 3, `${store.calls.length} calls`);
    assert.deepEqual([new Set(store.calls), store.hanging], [new Set(["ping"]), 0]);
  });
});

describe("a Redis that is stopped", { skip: withoutRedis }, () => {
  /** Opens a limiter that the tests need not be quick for. */
  const open = async (server: RedisServer) => {
    const calls: string[] = [];
    const limiter = createLimiter({
      store: redisStore({ url: server.url }),
      telemetry: { storeCalled: (operation) => void calls.push(operation) },
      policies: POLICIES,
    });
    await eventually(async () => {
      assert.equal((await limiter.check({ policy: "opener", key: "k" })).source, "store");
    });
    return { limiter, calls };
  };

  test("trap 4: what was answered in its place is charged once where it is repeated under its id", async () => {
    const server = await startRedis();
    const { limiter } = await open(server);
    process.kill(server.pid, "SIGSTOP");
    const requests = ANSWERS.map((policy) => ({ policy, key: "k", cost: 10, id: "c" }));
    const sources = { allow: "fail-open", deny: "fail-closed", local: "fallback" };
    const decisions = await limiter.checkAll(requests);
    assert.deepEqual(
      decisions.map(({ source }) => source),
      ANSWERS.map((answer) => sources[answer]),
    );
    process.kill(server.pid, "SIGCONT");
    for (const request of requests) {
      for (let time = 0; time < 3; time += 1) {
        await eventually(async () => {
          const { source, remaining } = await limiter.check(request);
          assert.deepEqual([source, remaining], ["store", 90], request.policy);
        });
      }
      assert.equal(await eventually(() => left(limiter, request)), 90);
    }
    await limiter.close();
    await server.stop();
  });

  test("trap 6: what it denied is denied while it is stopped, until the limit is raised", async () => {
    const server = await startRedis();
    const { limiter } = await open(server);
    for (const policy of ANSWERS) {
      await limiter.check({ policy, key: "k", cost: 100 });
      assert.equal((await limiter.check({ policy, key: "k" })).allowed, false);
    }
    process.kill(server.pid, "SIGSTOP");
    await eventually(async () => {
      const { source } = await limiter.check({ policy: "opener", key: "k" });
      assert.equal(source, "fail-open");
      await assert.rejects(
        limiter.refund({ policy: "opener", key: "k" }),
        /is away .*, and is asked/,
      );
    });
    for (const policy of ANSWERS) {
      const decision = await limiter.check({ policy, key: "k" });
      assert.deepEqual([decision.allowed, decision.source, decision.limit], [false, "cache", 100]);
      limiter.setPolicy(policy, {
        limits: [fixedWindow({ limit: 200, window: "1h" })],
        onStoreFailure: "allow",
      });
      assert.equal((await limiter.check({ policy, key: "k" })).source, "fail-open");
    }
    process.kill(server.pid, "SIGCONT");
    await eventually(async () => {
      for (const policy of ANSWERS) {
        const { remaining, source } = await limiter.peek({ policy, key: "k", cost: 0 });
        assert.deepEqual([remaining, source], [100, "store"]);
      }
    });
    await limiter.close();
    await server.stop();
  });

  test("trap 8: keys that rotate while it is stopped cost it no calls but probes", async () => {
    const server = await startRedis();
    const { limiter, calls } = await open(server);
    process.kill(server.pid, "SIGSTOP");
    await eventually(() =>
      assert.rejects(limiter.refund({ policy: "opener", key: "k" }), /is away .*, and is asked/),
    );
    calls.length = 0;
    const asked = 20_000;
    for (let index = 0; index < asked; index += 1) {
      const policy = ANSWERS[index % 3]!;
      const { source } = await limiter.check({ policy, key: `k${index}` });
      assert.notEqual(source, "store");
    }
    const checks = calls.filter((operation) => /^eval/.test(operation));
    assert.ok(checks.length < 100, `${checks.length} calls for ${asked} checks`);
    process.kill(server.pid, "SIGCONT");
    await eventually(async () => {
      assert.equal((await limiter.check({ policy: "opener", key: "k" })).source, "store");
    });
    await limiter.close();
    await server.stop();
  });
});

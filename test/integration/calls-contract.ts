// What every store does of that which is more than a check, through the calls of a limiter: every algorithm, several
// keys as one, reservations, ids. Part of the contract of stores; permits are in permits-contract.ts.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  concurrency,
  fixedWindow,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { eventually } from "../support/eventually.ts";
import { patiently } from "../support/patient.ts";
import { AGES, AWKWARD, limitsOf, type OpenLimiter, policiesOf } from "./contract-policies.ts";

/**
 * Runs the contract of the calls.
 * @param suite tells policies of stores apart that share a server.
 */
export function callsContract(open: OpenLimiter, suite: number): void {
  const limiterOf = policiesOf(open, `calls${suite}`);

  test("every algorithm admits exactly its limit, however many ask at once", async () => {
    for (const limit of limitsOf(20)) {
      const { limiter, request } = limiterOf([limit]);
      const decisions = await Promise.all(Array.from({ length: 60 }, () => limiter.check(request)));
      const name = limit.algorithm;
      assert.equal(decisions.filter(({ allowed }) => allowed).length, 20, name);
      assert.deepEqual(
        decisions.slice(0, 20).map(({ remaining }) => remaining),
        Array.from({ length: 20 }, (_, index) => 19 - index),
        name,
      );
      const denied = decisions.at(-1)!;
      assert.ok(denied.retryAfterMs! > 1_000 && denied.resetAfterMs >= denied.retryAfterMs!, name);
      assert.equal((await limiter.check({ ...request, cost: 21 })).retryAfterMs, null);
      assert.equal((await limiter.check({ ...request, cost: 0 })).allowed, true);
    }
  });

  test("what has been taken comes back in its time, whatever the algorithm", async () => {
    const limits = [
      slidingLog({ limit: 1, window: "80ms" }),
      slidingWindow({ limit: 1, window: "50ms" }),
      leakyBucket({ rate: "20/s", queue: 0 }),
      slidingLog({ limit: 1, window: "80ms", soft: false, name: "with" }),
    ];
    for (const limit of limits) {
      const { limiter, request } = limiterOf([limit]);
      await limiter.check(request);
      const denied = await limiter.check(request);
      if (!denied.allowed) assert.ok(denied.retryAfterMs! <= 100, limit.algorithm);
      await eventually(async () => assert.ok((await limiter.check(request)).allowed));
    }
  });

  test("a queue tells each how long to wait", async () => {
    const { limiter, request } = limiterOf([leakyBucket({ rate: "1/1d", queue: 2 })]);
    const day = 86_400_000;
    const [first, second, third, denied] = await Promise.all(
      [1, 2, 3, 4].map(() => limiter.check(request)),
    );
    assert.equal(first!.delayMs, 0);
    for (const [decision, days] of [
      [second!, 1],
      [third!, 2],
    ] as const) {
      assert.ok(decision.delayMs > days * day - 5_000 && decision.delayMs <= days * day);
    }
    assert.deepEqual([denied!.allowed, denied!.delayMs], [false, 0]);
  });

  test("soft limits, near limits and shadows say so", async () => {
    const soft = limiterOf([fixedWindow({ limit: 5, window: AGES, soft: true })]);
    const flags: unknown[] = [];
    for (const cost of [3, 1, 3]) {
      const decision = await soft.limiter.check({ ...soft.request, cost });
      flags.push([decision.allowed, decision.soft, decision.nearLimit, decision.remaining]);
    }
    assert.deepEqual(flags, [
      [true, false, false, 2],
      [true, false, true, 1],
      [true, true, true, 0],
    ]);
    const shadow = limiterOf([slidingLog({ limit: 1, window: AGES })], { shadow: true });
    await shadow.limiter.check(shadow.request);
    const beyond = await shadow.limiter.check(shadow.request);
    assert.deepEqual([beyond.allowed, beyond.shadow], [true, true]);
  });

  test("overrides have limits of their own, in one turn with the others", async () => {
    const overrides = [
      { key: "log", limits: [slidingLog({ limit: 2, window: AGES })] },
      {
        key: "vip:*",
        limits: [fixedWindow({ limit: 9, window: AGES }), ...limitsOf(7).slice(0, 1)],
      },
      { key: "free", unlimited: true },
    ];
    const { limiter, policy } = limiterOf([fixedWindow({ limit: 1, window: AGES })], { overrides });
    const keys = ["log", "log", "log", "vip:1", "vip:2", "vip:1", "free", "k", "k"];
    const decisions = await limiter.checkAll(keys.map((key) => ({ policy, key })));
    assert.deepEqual(
      decisions.map(({ allowed, remaining }) => (allowed ? remaining : "denied")),
      [1, 0, "denied", 6, 6, 5, 1_000_000_000, 0, "denied"],
    );
  });

  test("a blocked key is told when its block ends, and of no wait for what is above its limits then", async () => {
    const overrides = [
      { key: "late", blocked: true, until: "2100-01-01T00:00Z" },
      { key: "small", blocked: true, until: "2100-01-01T00:00Z" },
      { key: "sm*", limits: [slidingLog({ limit: 2, window: AGES })] },
    ];
    const { limiter, policy } = limiterOf(limitsOf(5).slice(0, 1), { overrides });
    for (const [key, fits] of [
      ["late", 5],
      ["small", 2],
    ] as const) {
      const request = { policy, key };
      for (const call of ["check", "peek", "reserve"] as const) {
        const ends = await limiter[call]({ ...request, cost: fits });
        assert.deepEqual([ends.allowed, ends.limitName], [false, "blocked"], call);
        assert.ok(ends.retryAfterMs! > 1_000_000_000, `${call}: ${ends.retryAfterMs}`);
        const never = await limiter[call]({ ...request, cost: fits + 1 });
        assert.deepEqual([never.allowed, never.retryAfterMs], [false, null], call);
      }
    }
  });

  test("several keys as one: all or nothing, also in different slots", async () => {
    const { limiter, policy, left } = limiterOf(limitsOf(10).slice(0, 3));
    const log = limiterOf([slidingLog({ limit: 10, window: AGES })]);
    const both = open({
      [policy]: { limits: limitsOf(10).slice(0, 3) },
      [log.policy]: { limits: [slidingLog({ limit: 10, window: AGES })] },
    });
    const parts = [..."abcdefgh"].map((key) => ({ policy, key, cost: 3 }));
    const every = [...parts, { ...log.request, cost: 2 }, { ...parts[0]!, cost: 1 }];
    const first = await both.checkEvery(every);
    assert.deepEqual([first.allowed, first.key, first.remaining], [true, "a", 6]);
    await limiter.check({ policy, key: "h", cost: 5 });
    const denied = await both.checkEvery(every);
    assert.deepEqual([denied.allowed, denied.key, denied.remaining], [false, "h", 2]);
    const lefts = await Promise.all([..."abcdefgh"].map((key) => left(key)));
    assert.deepEqual(lefts, [6, 7, 7, 7, 7, 7, 7, 2], "nothing is taken from any");
    assert.equal(await log.left(), 8);
    const never = await both.checkEvery([...every, { policy, key: "z", cost: 11 }]);
    assert.deepEqual([never.key, never.retryAfterMs], ["z", null]);
  });

  test("many at once over several keys: never over a limit, and what is in use is what was admitted", async () => {
    const { limiter, policy, left } = limiterOf([slidingLog({ limit: 12, window: AGES })]);
    const keys = ["a", "b", "c", "d"];
    const decisions = await Promise.all(
      Array.from({ length: 60 }, (_, index) => {
        const others = keys.filter((_key, at) => at !== index % 4);
        return limiter.checkEvery(others.map((key) => ({ policy, key })));
      }),
    );
    const used = keys.map((_key, at) => {
      return decisions.filter(({ allowed }, index) => allowed && index % 4 !== at).length;
    });
    for (const [at, key] of keys.entries()) {
      assert.ok(used[at]! <= 12, `${used[at]} of ${key}`);
      assert.equal(await left(key), 12 - used[at]!, key);
    }
    assert.ok(used.some((units) => units > 0));
  });

  test("the largest: 64 keys of eight logs each, and an id for all", async () => {
    const logs = Array.from({ length: 8 }, (_, index) => {
      return slidingLog({ limit: 3, window: `${36_500 - index}d`, name: `log${index}` });
    });
    const { limiter, policy, left } = limiterOf(logs);
    const requests = Array.from({ length: 64 }, (_, index) => ({ policy, key: `k${index}` }));
    for (const id of ["1", "1", "2", "3"]) {
      assert.equal((await limiter.checkEvery(requests, { id })).allowed, true, id);
    }
    assert.equal((await limiter.checkEvery(requests)).allowed, false);
    assert.deepEqual([await left("k0"), await left("k63")], [0, 0]);
  });

  test("reserve and settle: less, as much, more, twice; and refund", async () => {
    for (const limit of limitsOf(100)) {
      if (limit.algorithm === "leaky-bucket") continue;
      const { limiter, request, left } = limiterOf([limit]);
      const name = limit.algorithm;
      await limiter.check({ ...request, cost: 10 });
      const asks = Array.from({ length: 4 }, () => limiter.reserve({ ...request, cost: 20 }));
      const reservations = await Promise.all(asks);
      assert.equal((await limiter.reserve({ ...request, cost: 20 })).allowed, false);
      assert.equal(await left(), 10, name);
      const settled = await Promise.all(
        [0, 5, 20, 25].map((actual, index) => limiter.settle(reservations[index]!, actual)),
      );
      assert.ok(settled.every((one) => one.settled));
      assert.equal(await left(), 100 - 10 - 50, name);
      await Promise.all(reservations.map((one) => limiter.settle(one, 0)));
      assert.equal(await left(), 40, `${name}: settled again`);
      assert.equal((await limiter.refund({ ...request, cost: 10 })).remaining, 50, name);
      const debt = await limiter.settle(await limiter.reserve(request), 1_000_000);
      assert.deepEqual([debt.settled, debt.remaining], [true, 0]);
      assert.equal((await limiter.check(request)).allowed, false);
      assert.equal(
        (await limiter.refund({ ...request, cost: 1_000_000_000 })).remaining,
        100,
        name,
      );
    }
  });

  test("a soft limit gets back: what a settlement leaves over, and what a refund names", async () => {
    const soft = [
      tokenBucket({ capacity: 5, refill: "5/30000d", soft: true }),
      fixedWindow({ limit: 5, window: AGES, soft: true }),
      slidingWindow({ limit: 5, window: AGES, soft: true }),
      slidingLog({ limit: 5, window: AGES, soft: true }),
    ];
    for (const limit of soft) {
      const { limiter, policy, left } = limiterOf([limit]);
      const name = limit.algorithm;
      for (const [actual, remaining] of [
        [8, 0],
        [6, 0],
        [5, 0],
        [3, 2],
        [0, 5],
      ] as const) {
        const key = `settled${actual}`;
        const reservation = await limiter.reserve({ policy, key, cost: 8 });
        assert.deepEqual([reservation.allowed, reservation.soft, await left(key)], [true, true, 0]);
        const settled = await limiter.settle(reservation, actual);
        assert.deepEqual([settled.settled, settled.remaining], [true, remaining], name);
      }
      const request = { policy, key: "refunded" };
      assert.equal((await limiter.check({ ...request, cost: 3 })).remaining, 2);
      assert.equal((await limiter.check({ ...request, cost: 4 })).remaining, 0, "2 were there");
      assert.equal((await limiter.refund({ ...request, cost: 4 })).remaining, 4, `${name}: all 4`);
      assert.equal((await limiter.refund({ ...request, cost: 4 })).remaining, 5, "and no more");
    }
  });

  test("a reservation may be settled in its time, and counts in full afterwards", async () => {
    const { limiter, request, left } = limiterOf([tokenBucket({ capacity: 9, refill: "1/1d" })]);
    const reservation = await limiter.reserve({ ...request, cost: 5, ttl: 60 });
    await eventually(async () => {
      assert.equal((await limiter.settle(reservation, 5)).settled, false);
    });
    assert.equal((await limiter.settle(reservation, 0)).settled, false);
    assert.equal(await left(), 4);
    assert.equal((await limiter.settle({ ...request, id: "none" }, 0)).settled, false);
  });

  test("an id answers the same and is charged once, in one turn and later, whatever it looks like", async () => {
    for (const limit of limitsOf(100)) {
      const { limiter, request, left } = limiterOf([limit]);
      const asks = Array.from({ length: 8 }, () => limiter.check({ ...request, cost: 3, id: "r" }));
      const answers = await Promise.all(asks);
      for (const answer of answers) assert.deepEqual(answer, answers[0], limit.algorithm);
      assert.deepEqual(await limiter.check({ ...request, cost: 3, id: "r" }), answers[0]);
      assert.equal(await left(), 97);
      await assert.rejects(limiter.check({ ...request, cost: 4, id: "r" }), {
        code: "INVALID_REQUEST",
        field: "id",
      });
      for (const id of [...AWKWARD, ...AWKWARD]) await limiter.check({ ...request, id });
      assert.equal(await left(), 97 - AWKWARD.length);
      await assert.rejects(limiter.refund({ ...request, cost: 3, id: "r" }), { field: "id" });
      assert.equal((await limiter.check({ ...request, key: "other", id: "r" })).remaining, 99);
    }
  });

  test("an id is forgotten in its time", async () => {
    const { limiter, request, left } = limiterOf(limitsOf(9).slice(1, 2), { idTtl: "60ms" });
    await limiter.check({ ...request, id: "r" });
    await eventually(async () => {
      await limiter.check({ ...request, id: "r" });
      assert.equal(await left(), 7);
    });
  });

  test("reset forgets logs and permits, and what was reserved before gives nothing back", async () => {
    const { limiter, request, left } = limiterOf(limitsOf(10).slice(3, 4));
    const reservation = await limiter.reserve({ ...request, cost: 8 });
    await limiter.reset(request);
    assert.equal(await left(), 10);
    await limiter.check({ ...request, cost: 6 });
    assert.equal((await limiter.settle(reservation, 0)).remaining, 4);
    const held = limiterOf([concurrency({ limit: 1, lease: "1h" })]);
    const permit = await held.limiter.acquire(held.request);
    await held.limiter.reset(held.request);
    assert.equal(await held.left(), 1);
    assert.equal(await held.limiter.release(permit), false);
  });

  test("changed limits keep what was consumed, from any algorithm to any other and back", async () => {
    for (const before of limitsOf(10)) {
      for (const after of limitsOf(20)) {
        const { limiter, policy, request, left } = limiterOf([before]);
        await limiter.check({ ...request, cost: 4 });
        const name = `${before.algorithm} to ${after.algorithm}`;
        limiter.setPolicy(policy, patiently({ limits: [after] }));
        assert.equal(await left(), 16, name);
        assert.equal((await limiter.check({ ...request, cost: 3 })).remaining, 13, name);
        limiter.setPolicy(policy, patiently({ limits: [before] }));
        assert.equal(await left(), 3, `${name} and back`);
      }
    }
  });
}

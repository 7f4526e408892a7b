// Traps of counting: keys taken for one another, races, rejected work, repeated calls, drifting doubles.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, fixedWindow, slidingLog, tokenBucket } from "tidegate";
import { ALGORITHMS, inEveryWorld } from "./worlds.ts";

const hour = (limit: number) => [fixedWindow({ limit, window: "1h" })];
const PIECES = ["", "a", "b", "a:b", "a_b", "_", ":", "{a}", "}", "%7D", "\0", "\n", "\ud800", "1"];

inEveryWorld("counting", (world) => {
  test("trap 1: keys, policies, ids and permits that read alike when they are joined are apart", async () => {
    const job = { limits: [concurrency({ limit: 1, lease: "1h" })] };
    const limiter = world.open({
      a: { limits: hour(9) },
      "a.b": { limits: hour(9) },
      a_b: { limits: [slidingLog({ limit: 9, window: "1h" })] },
      job,
      "job-1": job,
    });
    const texts = [...new Set(PIECES.flatMap((one) => PIECES.map((two) => one + two)))].filter(
      Boolean,
    );
    for (const policy of ["a", "a.b", "a_b"]) {
      const decisions = await limiter.checkAll(texts.map((key) => ({ policy, key, cost: 4 })));
      assert.ok(
        decisions.every(({ remaining }) => remaining === 5),
        policy,
      );
      const named = texts.map((id) => ({ policy, key: id.slice(1) || "x", id: id.slice(0, 1) }));
      const requests = [...new Map(named.map((one) => [JSON.stringify(one), one])).values()];
      const before = await Promise.all(requests.map((one) => limiter.peek({ ...one, cost: 0 })));
      await limiter.checkAll(requests);
      for (const [index, request] of requests.entries()) {
        const ids = requests.filter(({ key }) => key === request.key).length;
        const { remaining } = await limiter.peek({ ...request, cost: 0 });
        const expected = Math.max(before[index]!.remaining - ids, 0);
        assert.equal(remaining, expected, JSON.stringify(request));
      }
    }
    const keys = texts.slice(0, 40);
    for (const policy of ["job", "job-1"]) {
      const permits = await Promise.all(
        keys.map((key) => limiter.acquire({ policy, key, id: "1" })),
      );
      assert.ok(permits.every(({ allowed }) => allowed));
      assert.equal(await limiter.release({ policy, key: keys[0]!, id: ":1" }), false);
      for (const key of keys) assert.equal(await limiter.release({ policy, key, id: "1" }), true);
    }
  });

  test("trap 2: what is checked is taken in one step, whichever call it is", async () => {
    for (const { name, limitOf } of ALGORITHMS) {
      const limiter = world.open({ api: { limits: [limitOf(10)] } });
      const request = { policy: "api", key: "k" };
      const answers = await Promise.all(
        Array.from({ length: 60 }, (_, index) => {
          if (index % 3 === 0) return limiter.check(request);
          if (index % 3 === 1) return limiter.reserve({ ...request, id: `r${index}` });
          return limiter.checkEvery([request, { policy: "api", key: `other${index}` }]);
        }),
      );
      assert.equal(answers.filter(({ allowed }) => allowed).length, 10, name);
    }
    const limiter = world.open({ job: { limits: [concurrency({ limit: 10, lease: "1m" })] } });
    const permits = await Promise.all(
      Array.from({ length: 60 }, () => limiter.acquire({ policy: "job", key: "k" })),
    );
    assert.equal(permits.filter(({ allowed }) => allowed).length, 10);
  });

  test("trap 3: rejected work is not counted, and an overshoot is not forgotten", async () => {
    for (const { name, limitOf } of ALGORITHMS) {
      const limiter = world.open({ api: { limits: [limitOf(10)] }, other: { limits: hour(1) } });
      const request = { policy: "api", key: "k" };
      const left = async () => (await limiter.peek({ ...request, cost: 0 })).remaining;
      await limiter.check({ ...request, cost: 8 });
      await limiter.check({ policy: "other", key: "full" });
      for (let time = 0; time < 5; time += 1) {
        assert.equal((await limiter.check({ ...request, cost: 3 })).allowed, false);
        assert.equal((await limiter.check({ ...request, cost: 11 })).allowed, false);
        assert.equal((await limiter.check({ ...request, cost: 3, id: `${time}` })).allowed, false);
        assert.equal((await limiter.reserve({ ...request, cost: 3 })).allowed, false);
        const every = await limiter.checkEvery([request, { policy: "other", key: "full" }]);
        assert.equal(every.allowed, false);
        assert.equal(await left(), 2, name);
      }
      const reservation = await limiter.reserve({ ...request, cost: 2 });
      await limiter.settle(reservation, 7);
      assert.equal(await left(), 0);
      await limiter.refund({ ...request, cost: 5 });
      assert.equal(await left(), 0, `${name}: 5 beyond the limit were used, and count`);
    }
  });

  test("trap 3: what a shadow admits beyond its limits is neither counted nor settled", async () => {
    for (const { name, limitOf } of ALGORITHMS) {
      const limiter = world.open({ api: { limits: [limitOf(10)], shadow: true } });
      const request = { policy: "api", key: "k" };
      const left = async () => (await limiter.peek({ ...request, cost: 0 })).remaining;
      const within = await limiter.reserve({ ...request, cost: 6 });
      const beyond = await limiter.reserve({ ...request, cost: 6 });
      assert.deepEqual([within.allowed, within.shadow], [true, false]);
      assert.deepEqual([beyond.allowed, beyond.shadow], [true, true], name);
      for (const actual of [0, 9]) {
        assert.equal((await limiter.settle(beyond, actual)).settled, false, name);
        assert.equal(await left(), 4, name);
      }
      assert.equal((await limiter.settle(within, 8)).settled, true);
      assert.equal(await left(), 2, name);
    }
  });

  test("trap 4: a batch that one reused id fails is repeated, and each of it charged once", async () => {
    for (const { name, limitOf } of ALGORITHMS) {
      const limiter = world.open({ api: { limits: [limitOf(10)] } });
      const request = { policy: "api", key: "k", cost: 2, id: "r" };
      const a = { ...request, key: "a", id: "a" };
      const b = { ...request, key: "b", id: "b" };
      const batch = [a, request, request, { ...request, cost: 3 }, b];
      for (let time = 0; time < 2; time += 1) {
        const refused = { code: "INVALID_REQUEST", field: "id" };
        await assert.rejects(limiter.checkAll(batch), refused);
        for (const { policy, key } of [a, request, b]) {
          const { remaining } = await limiter.peek({ policy, key, cost: 0 });
          assert.equal(remaining, 8, `${name}: the others are decided, before it and behind it`);
        }
      }
      const answers = await limiter.checkAll([request, { ...request, key: "c" }, request, b]);
      assert.ok(answers.every(({ allowed, remaining }) => allowed && remaining === 8));
      assert.deepEqual(answers[2], answers[0], "one request, and of another key another one");
    }
  });

  test("trap 4: a call whose answer is lost is repeated under its id, and charged once", async () => {
    let lost = false;
    const policies = {
      api: { limits: hour(100) },
      log: { limits: [slidingLog({ limit: 100, window: "1h" })] },
      job: { limits: [concurrency({ limit: 2, lease: "1h" })] },
    };
    const limiter = world.openLossy(policies, () => lost);
    const repeat = async <T>(call: () => Promise<T>): Promise<T> => {
      lost = true;
      await assert.rejects(call(), { code: "STORE_UNAVAILABLE", transient: true });
      await assert.rejects(call(), { code: "STORE_UNAVAILABLE", transient: true });
      lost = false;
      return call();
    };
    for (const policy of ["api", "log"]) {
      const request = { policy, key: "k", cost: 10 };
      const left = async () => (await limiter.peek({ ...request, cost: 0 })).remaining;
      assert.equal((await repeat(() => limiter.check({ ...request, id: "c" }))).remaining, 90);
      const every = [request, { ...request, key: "l" }];
      assert.equal((await repeat(() => limiter.checkEvery(every, { id: "e" }))).remaining, 80);
      const reservation = await repeat(() => limiter.reserve({ ...request, id: "r" }));
      assert.equal(await left(), 70);
      assert.equal((await repeat(() => limiter.settle(reservation, 4))).remaining, 76);
      assert.equal((await repeat(() => limiter.refund({ ...request, id: "b" }))).remaining, 86);
    }
    const permit = await repeat(() => limiter.acquire({ policy: "job", key: "k", id: "p" }));
    assert.equal((await limiter.peek({ policy: "job", key: "k" })).remaining, 1);
    await repeat(() => limiter.extend(permit));
    assert.equal(await repeat(() => limiter.release(permit)), false, "it is released already");
    assert.equal((await limiter.peek({ policy: "job", key: "k" })).remaining, 2);
  });

  test("trap 19: high rates and large costs do not drift", async () => {
    const limits = [
      tokenBucket({ capacity: 1_000_000_000, refill: "1000000000/1h" }),
      tokenBucket({ capacity: 900_000_000, refill: "999983/s" }),
      fixedWindow({ limit: 1_000_000_000, window: "1h" }),
      slidingLog({ limit: 1_000_000, window: "1h" }),
    ];
    for (const limit of limits) {
      const limiter = world.open({ api: { limits: [limit] } });
      const request = { policy: "api", key: "k" };
      let used = 0;
      for (let turn = 1; turn <= 60; turn += 1) {
        const cost = Math.floor(((limit.limit / 100) * ((turn * 7) % 13)) / 13) + 1;
        if (turn % 3 === 0) {
          const actual = Math.floor(cost / turn);
          await limiter.settle(await limiter.reserve({ ...request, cost }), actual);
          used += actual;
        } else {
          assert.equal((await limiter.check({ ...request, cost })).allowed, true);
          used += cost;
        }
        if (turn % 5 === 0) await limiter.refund({ ...request, cost: 1 });
        if (turn % 5 === 0) used -= 1;
      }
      const { remaining } = await limiter.peek({ ...request, cost: 0 });
      // What is less than a microsecond of a bucket's time is not given back.
      const slack = "partUs" in limit && limit.partUs > 0 ? 1 : 0;
      const off = limit.limit - used - remaining;
      assert.ok(off >= 0 && off <= slack, `${off} units off, ${limit.rule}`);
    }
  });
});

// What only the Redis store does of that which is more than a check: one call per turn, keys that expire whatever they
// hold, clocks that differ, logs that are bounded.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import {
  calendarWindow,
  concurrency,
  createLimiter,
  fixedWindow,
  type Limiter,
  slidingLog,
  tokenBucket,
} from "tidegate";
import { redisStore } from "tidegate/redis";
import { createPolicy } from "../../packages/tidegate/src/policy/policy.ts";
import { redisKey } from "../../packages/tidegate/src/stores/redis/key.ts";
import { bareStore } from "../../packages/tidegate/test/support/bare-store.ts";
import { createManualClock } from "../../packages/tidegate/test/support/manual-clock.ts";
import { openManualRedis, setRedisClock } from "../support/manual-redis.ts";
import { patient } from "../support/patient.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";

const policies = {
  bucket: { limits: [tokenBucket({ capacity: 100, refill: "1/s" })] },
  log: { limits: [slidingLog({ limit: 20, window: "1h" })] },
  mixed: {
    limits: [
      fixedWindow({ limit: 50, window: "1h", soft: true }),
      slidingLog({ limit: 40, window: "10m" }),
      calendarWindow({ limit: 100, per: "day", timeZone: "Asia/Kolkata" }),
    ],
  },
  crowd: { limits: [concurrency({ limit: 1_000, lease: "1m" })] },
  job: {
    limits: [concurrency({ limit: 3, lease: "1m" }), slidingLog({ limit: 99, window: "1h" })],
  },
};

describe("work in Redis", { skip: withoutRedis }, () => {
  let server: RedisServer;
  let limiter: Limiter;
  const operations: string[] = [];
  before(async () => {
    server = await startRedis();
    limiter = createLimiter({
      store: bareStore(redisStore({ url: server.url })),
      policies: patient(policies),
      telemetry: { storeCalled: (operation, status) => operations.push(`${operation} ${status}`) },
    });
    // Both scripts are loaded then.
    await Promise.all(["log", "bucket"].map((policy) => limiter.check({ policy, key: "warm" })));
  });
  after(async () => {
    await limiter.close();
    await server.stop();
  });
  beforeEach(async () => {
    await server.client.flushdb();
    operations.length = 0;
  });

  test("all work of one turn is one script call, beside one for the checks of plain limits", async () => {
    const asks = Array.from({ length: 20 }, (_, index) =>
      limiter.check({ policy: "log", key: `k${index}` }),
    );
    asks.push(
      limiter.check({ policy: "log", key: "k3" }),
      limiter.reserve({ policy: "bucket", key: "a" }),
    );
    await Promise.all([
      ...asks,
      limiter.acquire({ policy: "job", key: "j" }),
      limiter.peek({ policy: "mixed", key: "m" }),
    ]);
    assert.deepEqual(operations, ["evalsha ok"]);
    await Promise.all([
      limiter.check({ policy: "bucket", key: "b" }),
      limiter.check({ policy: "bucket", key: "c" }),
      limiter.check({ policy: "log", key: "b" }),
    ]);
    assert.equal(operations.length, 3);
    const every = Array.from({ length: 64 }, (_, index) => ({
      policy: "bucket",
      key: `e${index}`,
    }));
    await Promise.all([
      limiter.checkEvery(every),
      limiter.checkEvery(every),
      limiter.checkEvery(every),
    ]);
    assert.equal(operations.length, 5, "two of 64 parts are a batch of 128");
  });

  test("checks and work of one key are decided in the order in which they were asked for", async () => {
    const request = { policy: "bucket", key: "k" };
    const answers = await Promise.all([
      limiter.check({ ...request, cost: 60 }),
      limiter.reserve({ ...request, cost: 30, id: "r" }),
      limiter.check({ ...request, cost: 10 }),
      limiter.settle({ ...request, id: "r" }, 0),
      limiter.check({ ...request, cost: 30 }),
      limiter.refund({ ...request, cost: 5 }),
      limiter.check({ ...request, cost: 5 }),
    ]);
    assert.deepEqual(
      answers.map(({ allowed, remaining }) => [allowed, remaining]),
      [
        [true, 40],
        [true, 10],
        [true, 0],
        [true, 30],
        [true, 0],
        [true, 5],
        [true, 0],
      ],
    );
  });

  test("trap 13: a script that Redis has lost is sent anew, and nothing is done twice", async () => {
    for (const call of [
      () => limiter.check({ policy: "log", key: "k" }),
      () => limiter.reserve({ policy: "bucket", key: "k" }),
      () => limiter.acquire({ policy: "job", key: "k" }),
    ]) {
      await server.client.script("FLUSH");
      operations.length = 0;
      await call();
      assert.deepEqual(operations, ["evalsha error", "eval ok"]);
    }
    assert.equal((await limiter.peek({ policy: "log", key: "k" })).remaining, 19);
    assert.equal((await limiter.peek({ policy: "bucket", key: "k" })).remaining, 99);
    assert.equal((await limiter.peek({ policy: "job", key: "k" })).remaining, 2);
  });

  test("trap 13: a Redis that is full refuses all work, holds no more for it, and goes on afterwards", async () => {
    await limiter.check({ policy: "log", key: "known" });
    await server.client.config("SET", "maxmemory", "1");
    const names = await server.client.keys("*");
    try {
      for (const key of ["known", "new"]) {
        const full = { code: "STORE_UNAVAILABLE", message: /^Redis gave no answer: OOM / };
        await assert.rejects(limiter.check({ policy: "log", key }), full);
        await assert.rejects(limiter.check({ policy: "mixed", key }), full);
        await assert.rejects(limiter.acquire({ policy: "job", key }), full);
        await assert.rejects(limiter.reserve({ policy: "bucket", key }), full);
        await assert.rejects(limiter.check({ policy: "log", key, id: "1" }), full);
      }
      assert.equal((await limiter.peek({ policy: "log", key: "known" })).remaining, 19);
      assert.deepEqual((await server.client.keys("*")).sort(), names.sort());
      await limiter.reset({ policy: "log", key: "known" });
    } finally {
      await server.client.config("SET", "maxmemory", "0");
    }
    assert.equal((await limiter.check({ policy: "log", key: "known" })).remaining, 19);
    assert.equal((await limiter.check({ policy: "log", key: "new", id: "1" })).remaining, 19);
  });

  test("trap 12: every key that is written expires, whatever it holds", async (context) => {
    const borrowed = createLimiter({
      store: redisStore({ url: server.url }),
      coordination: "hybrid",
      policies: patient({ bucket: policies.bucket }),
    });
    context.after(() => borrowed.close());
    for (let round = 0; round < 6; round += 1) {
      for (const key of ["a", "b}%", "\0\n"]) {
        const held = await limiter.acquire({ policy: "job", key });
        const reserved = await limiter.reserve({ policy: "bucket", key, cost: 5, ttl: "1d" });
        const logged = await limiter.reserve({ policy: "mixed", key, cost: 2, ttl: "10s" });
        await limiter.check({ policy: "log", key, id: `id${round}` });
        await limiter.checkEvery(
          [
            { policy: "log", key },
            { policy: "mixed", key: "m" },
          ],
          { id: `every${round}` },
        );
        await limiter.extend(held);
        if (round % 2 === 0) await limiter.release(held);
        await limiter.settle(reserved, round);
        await limiter.settle(logged, 3 * round);
        await limiter.refund({ policy: "log", key, cost: round });
        if (round === 3) await limiter.reset({ policy: "mixed", key });
        await borrowed.check({ policy: "bucket", key });
      }
    }
    const names = await server.client.keys("*");
    assert.ok(names.length > 20, names.join("\n"));
    const known = /^tidegate:v1:\{(bucket|log|mixed|job):[^}]+\}(:\d|:past|:id:.+)?$/s;
    for (const name of names) {
      assert.match(name, known);
      const ttlMs = await server.client.pttl(name);
      assert.ok(ttlMs > 0 && ttlMs <= 86_402_000, `${name} expires in ${ttlMs} ms`);
    }
    for (const kind of [":1", ":2", ":past", ":id:"]) {
      assert.ok(
        names.some((name) => name.includes(`}${kind}`)),
        `there are such as ${kind}`,
      );
    }
  });

  test("answers that take nothing write nothing", async () => {
    await limiter.peek({ policy: "log", key: "k" });
    await limiter.check({ policy: "mixed", key: "k", cost: 0 });
    await limiter.check({ policy: "log", key: "k", cost: 21 });
    await limiter.refund({ policy: "mixed", key: "k", cost: 3 });
    await limiter.settle({ policy: "bucket", key: "k", id: "none" }, 3);
    await limiter.release({ policy: "job", key: "k", id: "none" });
    await limiter.extend({ policy: "job", key: "k", id: "none" });
    await limiter.checkEvery([
      { policy: "log", key: "k" },
      { policy: "bucket", key: "k", cost: 101 },
    ]);
    assert.deepEqual(await server.client.keys("*"), []);
  });

  test("a permit is acquired, extended and released without a look at all that are held", async () => {
    const several = await limiter.acquire({ policy: "crowd", key: "k", cost: 7 });
    await Promise.all(
      Array.from({ length: 300 }, () => limiter.acquire({ policy: "crowd", key: "k" })),
    );
    await server.client.config("RESETSTAT");
    const permit = await limiter.acquire({ policy: "crowd", key: "k" });
    await limiter.extend({ policy: "crowd", key: "k", id: "none" });
    const stats = await server.client.info("commandstats");
    assert.doesNotMatch(stats, /cmdstat_z(rev)?range(byscore)?:/);
    assert.deepEqual([await limiter.extend(permit), await limiter.release(permit)], [true, true]);
    assert.deepEqual([await limiter.extend(several), await limiter.release(several)], [true, true]);
    assert.equal((await limiter.peek({ policy: "crowd", key: "k" })).remaining, 700);
  });

  test("a log has as many entries as its limit has units at most, in debt too", async () => {
    const name = redisKey("tidegate", "log", "k");
    for (let index = 0; index < 30; index += 1) await limiter.check({ policy: "log", key: "k" });
    assert.equal(await server.client.llen(`${name}:1`), 20);
    await limiter.refund({ policy: "log", key: "k", cost: 3 });
    for (let index = 0; index < 3; index += 1) {
      const reservation = await limiter.reserve({ policy: "log", key: "k" });
      await limiter.settle(reservation, 9);
    }
    assert.equal((await limiter.peek({ policy: "log", key: "k" })).remaining, 0);
    assert.ok((await server.client.llen(`${name}:1`)) <= 20);
  });
});

describe("work on clocks that differ", { skip: withoutRedis }, () => {
  const clock = createManualClock();
  let server: RedisServer;
  before(async () => {
    server = await startRedis();
  });
  after(() => server.stop());

  test("a log that is emptied and filled anew under the same value expires as well", async () => {
    const store = openManualRedis(server, clock, "tidegate");
    const policy = createPolicy("log", { limits: [slidingLog({ limit: 9, window: "1h" })] });
    const part = { policy, key: "k", cost: 4 };
    await setRedisClock(server, clock.now());
    await store.decide(policy, "k", 4, true);
    // By a clock that stands still, or was stepped back to where it was, the instant is the same as well.
    await Promise.all([
      store.run({ kind: "give", part, takenAt: Number.POSITIVE_INFINITY }),
      store.decide(policy, "k", 4, true),
    ]);
    const name = `${redisKey("tidegate", "log", "k")}:1`;
    assert.equal(await server.client.llen(name), 1);
    assert.ok((await server.client.pttl(name)) > 0);
  });

  test("trap 18: calendar windows go by Redis' clock, whatever the node's says", async () => {
    const redisUs = Date.UTC(2026, 2, 29, 12) * 1_000;
    const nodeUs = Date.UTC(2024, 0, 31, 23, 59) * 1_000;
    clock.setUs(nodeUs);
    await setRedisClock(server, redisUs);
    const store = openManualRedis(server, clock, "clocks");
    const limits = [calendarWindow({ limit: 5, per: "day", timeZone: "Europe/Berlin" })];
    const plain = createPolicy("plain", { limits });
    const logged = createPolicy("logged", {
      limits: [...limits, slidingLog({ limit: 9, window: "1h" })],
    });
    for (const policy of [plain, logged]) {
      const decision = await store.decide(policy, "k", 2, true);
      assert.deepEqual([decision.allowed, decision.remaining], [true, 3]);
      // The day on which clocks go forward has 23 hours in Berlin: it is 14:00 there, and midnight ten hours off.
      assert.equal(decision.resetAfterMs, 10 * 3_600_000);
      await setRedisClock(server, redisUs + 10 * 3_600_000_000 - 1);
      assert.equal((await store.decide(policy, "k", 4, true)).allowed, false);
      await setRedisClock(server, redisUs + 10 * 3_600_000_000);
      assert.equal((await store.decide(policy, "k", 4, true)).allowed, true);
      await setRedisClock(server, redisUs);
    }
  });
});

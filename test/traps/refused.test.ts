// Traps of what must be refused, or answered with "never": unknown options, limits and costs of nothing, any key.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  burst,
  calendarWindow,
  concurrency,
  createLimiter,
  fixedWindow,
  leakyBucket,
  memoryStore,
  slidingLog,
  slidingWindow,
  type TidegateError,
  tokenBucket,
} from "tidegate";
import { redisStore } from "tidegate/redis";
import { ALGORITHMS, inEveryWorld } from "./worlds.ts";

const limits = [fixedWindow({ limit: 5, window: "1h" })];

test("trap 11: an option that nothing implements is refused as unknown, wherever it stands", () => {
  const extra = <Options extends object>(options: Options): Options => ({ ...options, extra: 1 });
  const table: Record<string, () => unknown> = {
    createLimiter: () => createLimiter(extra({ policies: { api: { limits } } })),
    "policies.api": () => createLimiter({ policies: { api: extra({ limits }) } }),
    "policies.api.overrides[0]": () => {
      return createLimiter({
        policies: { api: { limits, overrides: [extra({ key: "a", limits })] } },
      });
    },
    memoryStore: () => memoryStore(extra({})),
    redisStore: () => redisStore(extra({ url: "redis://127.0.0.1:1" })),
    tokenBucket: () => tokenBucket(extra({ capacity: 1, refill: "1/s" })),
    fixedWindow: () => fixedWindow(extra({ limit: 1, window: "1s" })),
    slidingWindow: () => slidingWindow(extra({ limit: 1, window: "1s" })),
    slidingLog: () => slidingLog(extra({ limit: 1, window: "1s" })),
    leakyBucket: () => leakyBucket(extra({ rate: "1/s", queue: 1 })),
    calendarWindow: () => calendarWindow(extra({ limit: 1, per: "day" })),
    concurrency: () => concurrency(extra({ limit: 1, lease: "1s" })),
    burst: () => burst(extra({ rate: "1/s", upTo: "2/s", for: "1s" })),
  };
  for (const [where, call] of Object.entries(table)) {
    assert.throws(call, (error: TidegateError) => {
      assert.equal(error.code, "INVALID_OPTION", where);
      assert.ok(error.message.startsWith(`unknown option "extra" of ${where}; `), error.message);
      return true;
    });
  }
});

test("trap 22: a limit of nothing is refused, and so is one that is no whole number or too large", () => {
  for (const limit of [
    0,
    -1,
    1.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    1e9 + 1,
    "5",
    null,
  ] as never[]) {
    const table = [
      () => tokenBucket({ capacity: limit, refill: "1/s" }),
      () => fixedWindow({ limit, window: "1s" }),
      () => slidingWindow({ limit, window: "1s" }),
      () => slidingLog({ limit, window: "1s" }),
      () => calendarWindow({ limit, per: "day" }),
      () => concurrency({ limit, lease: "1s" }),
    ];
    for (const call of table) {
      assert.throws(call, (error: TidegateError) => {
        return error.code === "INVALID_OPTION" && /^(capacity|limit)$/.test(error.field ?? "");
      });
    }
  }
});

inEveryWorld("what is refused or never", (world) => {
  test("trap 22: a cost of nothing is admitted and takes nothing; one above the limit is never there", async () => {
    for (const { name, limitOf } of ALGORITHMS) {
      const limiter = world.open({ api: { limits: [limitOf(5)] } });
      const request = { policy: "api", key: "k" };
      const calls = {
        check: (cost: number) => limiter.check({ ...request, cost }),
        peek: (cost: number) => limiter.peek({ ...request, cost }),
        named: (cost: number) => limiter.check({ ...request, cost, id: `${cost}` }),
        reserve: (cost: number) => limiter.reserve({ ...request, cost }),
        every: (cost: number) =>
          limiter.checkEvery([
            { ...request, cost },
            { ...request, key: "l" },
          ]),
      };
      for (const [call, ask] of Object.entries(calls)) {
        const nothing = await ask(0);
        assert.deepEqual([nothing.allowed, nothing.retryAfterMs], [true, 0], `${name}, ${call}`);
        const never = await ask(6);
        assert.deepEqual([never.allowed, never.retryAfterMs], [false, null], `${name}, ${call}`);
        assert.equal(
          (await limiter.peek({ ...request, cost: 0 })).remaining,
          5,
          `${name}, ${call}`,
        );
      }
      await limiter.check({ ...request, cost: 5 });
      assert.equal(
        (await limiter.check({ ...request, cost: 0 })).allowed,
        true,
        `${name}, used up`,
      );
    }
  });

  test("trap 22: an empty key and one of 1 MB are refused; one with NUL or newline is a key", async () => {
    const limiter = world.open({
      api: { limits },
      job: { limits: [concurrency({ limit: 1, lease: "1m" })] },
    });
    for (const key of ["", "x".repeat(1_000_000)]) {
      const refused = { code: "INVALID_REQUEST", field: "key" };
      await assert.rejects(limiter.check({ policy: "api", key }), refused);
      await assert.rejects(limiter.reserve({ policy: "api", key }), refused);
      await assert.rejects(limiter.acquire({ policy: "job", key }), refused);
      await assert.rejects(limiter.checkEvery([{ policy: "api", key }]), {
        field: "requests[0].key",
      });
    }
    for (const key of ["\0", "\n", "a\0b\r\nc", "\0".repeat(1_024)]) {
      const id = key.slice(0, 128);
      const request = { policy: "api", key, id };
      assert.equal((await limiter.check(request)).remaining, 4);
      assert.equal((await limiter.check(request)).remaining, 4);
      assert.equal((await limiter.checkEvery([{ policy: "api", key }])).remaining, 3);
      const permit = { policy: "job", key, id };
      assert.equal((await limiter.acquire(permit)).allowed, true);
      assert.equal(await limiter.release(permit), true);
      await limiter.reset(request);
      assert.equal((await limiter.peek(request)).remaining, 5);
    }
  });
});

// What a decision flags without denying: soft limits, limits that are nearly used up, shadow policies.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type Decision,
  fixedWindow,
  type Limit,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { createTestLimiter } from "../support/test-limiter.ts";

const a = { policy: "api", key: "a" };

test("a soft limit takes what it has, flags what goes beyond it, and never denies", async () => {
  const soft: Limit[] = [
    fixedWindow({ limit: 5, window: "1h", soft: true }),
    slidingWindow({ limit: 5, window: "1h", soft: true }),
    slidingLog({ limit: 5, window: "1h", soft: true }),
    tokenBucket({ capacity: 5, refill: "5/h", soft: true }),
  ];
  for (const limit of soft) {
    const { limiter } = createTestLimiter({ api: { limits: [limit] } });
    const table: [cost: number, soft: boolean, remaining: number][] = [
      [3, false, 2],
      [3, true, 0],
      [1, true, 0],
      [0, false, 0],
      [1_000, true, 0],
    ];
    for (const [cost, flagged, remaining] of table) {
      const decision = await limiter.check({ ...a, cost });
      const seen = [decision.allowed, decision.soft, decision.remaining, decision.retryAfterMs];
      assert.deepEqual(seen, [true, flagged, remaining, 0], `${limit.algorithm}, ${cost}`);
    }
    assert.equal((await limiter.peek(a)).soft, true, "a look flags too");
  }
});

test("a soft limit beside hard ones: theirs deny, and then nothing is taken or flagged", async () => {
  const limits = [
    fixedWindow({ limit: 4, window: "1h", soft: true, name: "plan" }),
    fixedWindow({ limit: 8, window: "1h", name: "hard" }),
  ];
  const { limiter } = createTestLimiter({ api: { limits } });
  const check = async (cost: number) => {
    const { allowed, soft, limitName, remaining } = await limiter.check({ ...a, cost });
    return [allowed, soft, limitName, remaining];
  };
  assert.deepEqual(await check(4), [true, false, "plan", 0]);
  assert.deepEqual(await check(3), [true, true, "plan", 0]);
  assert.deepEqual(await check(2), [false, false, "hard", 1]);
  assert.deepEqual(await check(9), [false, false, "hard", 1]);
  assert.deepEqual(await check(1), [true, true, "plan", 0]);
});

test("what a soft limit did not have is not given back to it", async () => {
  const limits = [
    fixedWindow({ limit: 10, window: "1h", soft: true, name: "plan" }),
    fixedWindow({ limit: 1_000, window: "1h", name: "hard" }),
  ];
  const { limiter } = createTestLimiter({ api: { limits } });
  const left = async () => (await limiter.peek({ ...a, cost: 0 })).remaining;
  await limiter.check({ ...a, cost: 8 });
  const across = await limiter.reserve({ ...a, cost: 50 });
  const beyond = await limiter.reserve({ ...a, cost: 50 });
  assert.deepEqual([across.soft, beyond.soft, await left()], [true, true, 0]);
  await limiter.settle(beyond, 10);
  assert.equal(await left(), 0, "it took none of it");
  await limiter.settle(across, 1);
  assert.equal(await left(), 1, "it took 2, of which 1 was needed");
  const short = await limiter.reserve({ ...a, cost: 1 });
  const settlement = await limiter.settle(short, 900);
  assert.deepEqual([settlement.limitName, settlement.remaining], ["plan", 0]);
  await limiter.settle(await limiter.reserve({ ...a, cost: 0 }), 0);
  limiter.setPolicy("api", { limits: [fixedWindow({ limit: 12, window: "1h" }), limits[1]!] });
  assert.equal(await left(), 2, "it is in no debt");
});

test("nearLimit says when a limit is used to four fifths, or to what the policy says", async () => {
  const table: [nearLimit: string | number | undefined, limit: number, near: number][] = [
    [undefined, 10, 8],
    [undefined, 1, 1],
    [undefined, 4, 4],
    ["80%", 10, 8],
    ["50 %", 10, 5],
    [0.5, 9, 5],
    [1, 10, 10],
    [0.01, 10, 1],
    [0.7, 10, 7],
    [0.3, 10, 3],
  ];
  for (const [nearLimit, limit, near] of table) {
    const limits = [fixedWindow({ limit, window: "1h" })];
    const settings = nearLimit === undefined ? {} : { nearLimit };
    const { limiter } = createTestLimiter({ api: { limits, ...settings } });
    const flags: boolean[] = [];
    for (let used = 1; used <= limit; used += 1) flags.push((await limiter.check(a)).nearLimit);
    const expected = flags.map((_flag, index) => index + 1 >= near);
    assert.deepEqual(flags, expected, `${nearLimit} of ${limit}`);
    assert.equal((await limiter.check(a)).nearLimit, true, "denied");
  }
});

test("nearLimit is of any of the limits, also of one that did not bind", async () => {
  const limits = [
    fixedWindow({ limit: 1_000, window: "1h", name: "large" }),
    fixedWindow({ limit: 10, window: "1m", name: "small" }),
  ];
  const { limiter, clock } = createTestLimiter({ api: { limits, nearLimit: "90%" } });
  for (let minute = 0; minute < 30; minute += 1) {
    const { nearLimit } = await limiter.check({ ...a, cost: minute < 29 ? 1 : 9 });
    assert.equal(nearLimit, minute === 29);
    clock.advanceMs(60_000);
  }
  limiter.setPolicy("api", {
    limits: [fixedWindow({ limit: 40, window: "1h", name: "large" }), limits[1]!],
    nearLimit: "90%",
  });
  const { limitName, nearLimit } = await limiter.peek({ ...a, cost: 0 });
  assert.deepEqual([limitName, nearLimit], ["large", true], "38 of 40");
});

test("wrong flags are refused by name", () => {
  const limits = [fixedWindow({ limit: 1, window: "1h" })];
  const table: [settings: object, field: string][] = [
    [{ nearLimit: 0 }, "policies.api.nearLimit"],
    [{ nearLimit: 1.1 }, "policies.api.nearLimit"],
    [{ nearLimit: "80" }, "policies.api.nearLimit"],
    [{ nearLimit: "180%" }, "policies.api.nearLimit"],
    [{ nearLimit: Number.NaN }, "policies.api.nearLimit"],
    [{ shadow: "yes" }, "policies.api.shadow"],
    [{ idTtl: "2d" }, "policies.api.idTtl"],
    [{ idTtl: 0 }, "policies.api.idTtl"],
  ];
  for (const [settings, field] of table) {
    const options = { api: { limits, ...settings } };
    assert.throws(() => createTestLimiter(options), { code: "INVALID_OPTION", field });
  }
  assert.throws(() => fixedWindow({ limit: 1, window: "1h", soft: 1 as never }), { field: "soft" });
  assert.throws(() => leakyBucket({ rate: "1/s", queue: 1, soft: true } as never), {
    message: /unknown option "soft" of leakyBucket/,
  });
});

const isShadowed = ({ allowed, shadow, retryAfterMs }: Decision) => [allowed, shadow, retryAfterMs];

test("a shadow policy decides, counts and reports, and always admits", async () => {
  const limits = [fixedWindow({ limit: 3, window: "1h" })];
  const { limiter, told } = createTestLimiter({ api: { limits, shadow: true } });
  assert.deepEqual(isShadowed(await limiter.check({ ...a, cost: 2 })), [true, false, 0]);
  const would = await limiter.check({ ...a, cost: 2 });
  assert.deepEqual(isShadowed(would), [true, true, 0]);
  assert.deepEqual([would.remaining, would.limitName], [1, "api"], "nothing was taken");
  assert.deepEqual(isShadowed(await limiter.check({ ...a, cost: 4 })), [true, true, 0]);
  assert.deepEqual(isShadowed(await limiter.peek({ ...a, cost: 2 })), [true, true, 0]);
  assert.deepEqual(isShadowed(await limiter.check({ ...a, cost: 1 })), [true, false, 0]);
  assert.deepEqual(
    told.map(({ shadow }) => shadow),
    [false, true, true, false],
  );
  const reservation = await limiter.reserve({ ...a, cost: 5 });
  assert.deepEqual(isShadowed(reservation), [true, true, 0]);
  const settlement = await limiter.settle(reservation, 1);
  assert.equal(settlement.settled, false, "it reserved nothing");
});

test("a shadow queue makes nobody wait that it would deny", async () => {
  const limits = [leakyBucket({ rate: "1/s", queue: 1 })];
  const { limiter } = createTestLimiter({ api: { limits, shadow: true } });
  const delays: [number, boolean][] = [];
  for (let request = 0; request < 4; request += 1) {
    const { delayMs, shadow } = await limiter.check(a);
    delays.push([delayMs, shadow]);
  }
  assert.deepEqual(delays, [
    [0, false],
    [1_000, false],
    [0, true],
    [0, true],
  ]);
});

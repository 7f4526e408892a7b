// Overrides: who gets other limits, none, or nothing at all, and until when.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  concurrency,
  fixedWindow,
  type OverrideOptions,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { createTestLimiter } from "../support/test-limiter.ts";

const window = (limit: number) => [fixedWindow({ limit, window: "1h" })];

function createApi(overrides: readonly OverrideOptions[], settings = {}) {
  const own = createTestLimiter({ api: { limits: window(10), overrides, ...settings } });
  const limitOf = async (key: string) => (await own.limiter.peek({ policy: "api", key })).limit;
  const check = (key: string, cost = 1) => own.limiter.check({ policy: "api", key, cost });
  return { ...own, limitOf, check };
}

test("the most specific override that fits holds: the exact key, then the most characters", async () => {
  const { limitOf } = createApi([
    { key: "*", limits: window(1) },
    { key: "user:*", limits: window(2) },
    { key: "*:vip", limits: window(3) },
    { key: "user:*:vip", limits: window(4) },
    { key: "user:42:vip", limits: window(5) },
  ]);
  const table: [key: string, limit: number][] = [
    ["robot", 1],
    ["user:1", 2],
    ["org:vip", 3],
    ["user:1:vip", 4],
    ["user:42:vip", 5],
    ["User:1", 1],
    // What stands before and after the star never shares characters.
    ["user:vip", 2],
  ];
  for (const [key, limit] of table) assert.equal(await limitOf(key), limit, key);
});

test("overrides are each counted for their key, and decide checks, looks and batches alike", async () => {
  const { limiter, check } = createApi([{ key: "vip:*", limits: window(3) }]);
  for (const key of ["vip:a", "vip:b"]) {
    for (const allowed of [true, true, true, false]) {
      assert.equal((await check(key)).allowed, allowed);
    }
  }
  const key = "vip:c";
  const request = { policy: "api", key, cost: 2 };
  assert.deepEqual(
    (await limiter.checkAll([request, request, { policy: "api", key: "c", cost: 2 }])).map(
      ({ allowed, remaining }) => [allowed, remaining],
    ),
    [
      [true, 1],
      [false, 1],
      [true, 8],
    ],
  );
});

test("one that has ended gives way to the next less specific, and that to the policy", async () => {
  const until = (minute: number) => Date.UTC(2026, 0, 1, 0, minute);
  const { limitOf, clock } = createApi([
    { key: "user:42", limits: window(100), until: until(1) },
    { key: "user:*", limits: window(50), until: "2026-01-01T01:02:00+01:00" },
  ]);
  assert.equal(await limitOf("user:42"), 100);
  clock.setUs(until(1) * 1_000 - 1);
  assert.equal(await limitOf("user:42"), 100, "until the last microsecond");
  clock.setUs(until(1) * 1_000);
  assert.equal(await limitOf("user:42"), 50);
  clock.setUs(until(2) * 1_000);
  assert.equal(await limitOf("user:42"), 10);
});

test("a key without a limit is admitted and not counted", async () => {
  const { limiter, check, clock } = createApi([
    { key: "admin", unlimited: true, until: "2026-01-01T00:30Z" },
  ]);
  for (let time = 0; time < 50; time += 1) {
    const decision = await check("admin", 1_000_000_000);
    assert.equal(decision.allowed, true);
    assert.equal(decision.limitName, "unlimited");
    assert.equal(decision.nearLimit, false);
    assert.deepEqual([decision.retryAfterMs, decision.resetAfterMs, decision.delayMs], [0, 0, 0]);
  }
  const request = { policy: "api", key: "admin" };
  const reservation = await limiter.reserve({ ...request, cost: 500 });
  assert.equal((await limiter.settle(reservation, 700)).settled, true);
  assert.equal((await limiter.refund({ ...request, cost: 9 })).allowed, true);
  clock.advanceMs(1_800_000);
  assert.equal((await check("admin")).remaining, 9, "as one that was never seen");
});

test("a blocked key is denied, with the time where its block ends", async () => {
  const { limiter, check, clock } = createApi([
    { key: "abuser", blocked: true },
    { key: "late", blocked: true, until: "2026-01-01T00:00:01.5Z" },
  ]);
  const forGood = await check("abuser", 0);
  assert.deepEqual(
    [forGood.allowed, forGood.limitName, forGood.limit, forGood.remaining],
    [false, "blocked", 0, 0],
  );
  assert.equal(forGood.retryAfterMs, null, "no wait helps");
  clock.setUs(clock.now() + 1);
  const late = await check("late");
  assert.deepEqual([late.allowed, late.retryAfterMs, late.resetAfterMs], [false, 1_500, 1_500]);
  const reservation = await limiter.reserve({ policy: "api", key: "late", cost: 3 });
  assert.equal(reservation.allowed, false);
  assert.equal((await limiter.settle(reservation, 3)).settled, false);
  clock.advanceMs(1_500);
  assert.equal((await check("late")).remaining, 9, "nothing was counted meanwhile");
});

test("a blocked key is told of no wait where what holds after its block cannot admit the cost", async () => {
  const until = (second: number) => Date.UTC(2026, 0, 1, 0, 0, second);
  const { limiter, check, clock } = createApi([
    { key: "late", blocked: true, until: until(1) },
    { key: "twice", blocked: true, until: until(1) },
    { key: "tw*", blocked: true, until: until(3) },
    { key: "small", blocked: true, until: until(1) },
    { key: "sm*", limits: window(2), until: until(4) },
    { key: "free", blocked: true, until: until(1) },
    { key: "fr*", unlimited: true },
    { key: "soft", blocked: true, until: until(1) },
    { key: "so*", limits: [fixedWindow({ limit: 1, window: "1h", soft: true }), ...window(20)] },
    { key: "never", blocked: true, until: until(1) },
    { key: "ne*", blocked: true },
  ]);
  const table: [key: string, cost: number, retryAfterMs: number | null][] = [
    ["late", 0, 1_000],
    ["late", 10, 1_000],
    ["late", 11, null],
    ["twice", 10, 3_000],
    ["twice", 11, null],
    ["small", 2, 1_000],
    ["small", 3, 4_000],
    ["small", 11, null],
    ["free", 1_000_000, 1_000],
    ["soft", 20, 1_000],
    ["soft", 21, null],
    ["never", 0, null],
  ];
  for (const [key, cost, retryAfterMs] of table) {
    const name = `${key} ${cost}`;
    const resetAfterMs = key === "never" ? 1_000 : (await check(key, cost)).resetAfterMs;
    const request = { policy: "api", key, cost };
    const answers = [
      await check(key, cost),
      await limiter.peek(request),
      await limiter.checkEvery([request, { policy: "api", key: "other" }]),
      ...(cost === 0 ? [] : [await limiter.reserve(request)]),
    ];
    for (const answer of answers) {
      assert.deepEqual([answer.allowed, answer.retryAfterMs], [false, retryAfterMs], name);
      assert.equal(answer.resetAfterMs, resetAfterMs, "the block ends whatever is asked");
    }
  }
  const every = (...parts: [key: string, cost: number][]) => {
    return limiter.checkEvery(parts.map(([key, cost]) => ({ policy: "api", key, cost })));
  };
  assert.equal((await every(["late", 6], ["late", 5])).retryAfterMs, null, "they are one");
  const bound = await every(["late", 1], ["twice", 1]);
  assert.deepEqual([bound.key, bound.retryAfterMs], ["twice", 3_000], "the longest wait");
  const [late, small] = [await check("late", 10), await check("small", 3)];
  clock.advanceMs(late.retryAfterMs!);
  assert.equal((await check("late", 10)).allowed, true);
  clock.advanceMs(small.retryAfterMs! - late.retryAfterMs!);
  assert.equal((await check("small", 3)).allowed, true);
});

test("what is above limits that end is told to wait for those that could admit it", async () => {
  const until = (second: number) => Date.UTC(2026, 0, 1, 0, 0, second);
  const { limiter, check, clock } = createApi([
    { key: "low", limits: window(3), until: until(1) },
    { key: "twice", limits: window(1), until: until(1) },
    { key: "tw*", limits: window(3), until: until(4) },
    { key: "shut", limits: window(3), until: until(1) },
    { key: "sh*", blocked: true },
    { key: "free", limits: window(3), until: until(2) },
    { key: "fr*", unlimited: true },
    { key: "good", limits: window(3) },
  ]);
  const table: [key: string, cost: number, retryAfterMs: number | null][] = [
    ["low", 10, 1_000],
    ["low", 11, null],
    ["twice", 3, 1_000],
    ["twice", 4, 4_000],
    ["shut", 4, null],
    ["free", 1_000_000, 2_000],
    ["good", 4, null],
  ];
  for (const [key, cost, retryAfterMs] of table) {
    const request = { policy: "api", key, cost };
    const answers = [
      await check(key, cost),
      await limiter.check({ ...request, id: `r${cost}` }),
      await limiter.peek(request),
      (await limiter.checkAll([request]))[0]!,
      await limiter.reserve(request),
      await limiter.checkEvery([request, { policy: "api", key: "other" }]),
    ];
    for (const [at, answer] of answers.entries()) {
      const told = [answer.allowed, answer.retryAfterMs];
      assert.deepEqual(told, [false, retryAfterMs], `${key} ${cost}, ${at}`);
    }
  }
  const every = async (...parts: [key: string, cost: number][]) => {
    const requests = parts.map(([key, cost]) => ({ policy: "api", key, cost }));
    return (await limiter.checkEvery(requests)).retryAfterMs;
  };
  assert.equal(await every(["low", 4], ["twice", 4]), 4_000, "until all of them could be");
  assert.equal(await every(["low", 4], ["good", 4]), null);
  assert.equal(await every(["low", 4], ["other", 11]), null);
  await check("low", 3);
  assert.equal((await check("low", 1)).retryAfterMs, 3_600_000, "within them as ever");
  clock.advanceMs(1_000);
  assert.equal((await check("twice", 3)).allowed, true);
});

test("a permit of a blocked key is told of no wait where there will never be so many", async () => {
  const until = Date.UTC(2026, 0, 1, 0, 0, 1);
  const one = [concurrency({ limit: 1, lease: "10s" })];
  const overrides = [
    { key: "late", blocked: true, until },
    { key: "few", limits: one, until },
  ];
  const limits = [concurrency({ limit: 2, lease: "10s" })];
  const { limiter } = createTestLimiter({ job: { limits, overrides } });
  const waitFor = async (key: string, cost: number) => {
    return (await limiter.acquire({ policy: "job", key, cost })).retryAfterMs;
  };
  for (const key of ["late", "few"]) {
    assert.deepEqual([await waitFor(key, 2), await waitFor(key, 3)], [1_000, null], key);
  }
});

test("a blocked key of a shadow is admitted and said to be blocked", async () => {
  const { check } = createApi([{ key: "abuser", blocked: true }], { shadow: true });
  const decision = await check("abuser");
  assert.deepEqual(
    [decision.allowed, decision.shadow, decision.limitName],
    [true, true, "blocked"],
  );
});

test("requests of no policy that there is go to the default one, its overrides included", async () => {
  const policies = {
    api: { limits: window(10), overrides: [{ key: "vip", limits: window(20) }] },
    web: { limits: window(5) },
  };
  const { limiter } = createTestLimiter(policies, { defaultPolicy: "api" });
  assert.equal((await limiter.check({ key: "a" })).remaining, 9);
  assert.equal((await limiter.check({ policy: "nowhere", key: "a" })).remaining, 8);
  assert.equal((await limiter.check({ policy: "api", key: "a" })).remaining, 7, "the same count");
  assert.equal((await limiter.check({ policy: "web", key: "a" })).remaining, 4);
  assert.equal((await limiter.check({ key: "vip" })).remaining, 19);
  assert.equal((await limiter.peek({ key: "a" })).policy, "api", "the answer says which");
  await limiter.reset({ key: "a" });
  assert.equal((await limiter.peek({ key: "a" })).remaining, 10);
  for (const policy of [null, 5, {}] as never[]) {
    await assert.rejects(limiter.check({ policy, key: "a" }), {
      code: "INVALID_REQUEST",
      field: "policy",
    });
  }
  assert.throws(() => createTestLimiter(policies, { defaultPolicy: "apu" }), {
    code: "INVALID_OPTION",
    field: "defaultPolicy",
    message: /must be the name of a policy \("api", "web"\), got "apu"/,
  });
});

test("overrides decide by limits of any algorithm and number", async () => {
  const { check, clock } = createApi([
    { key: "log", limits: [slidingLog({ limit: 2, window: "1s" })] },
    {
      key: "two",
      limits: [
        tokenBucket({ capacity: 3, refill: "1/s" }),
        slidingWindow({ limit: 2, window: "1m", name: "m" }),
      ],
    },
  ]);
  for (const key of ["log", "two", "log", "two", "plain"]) {
    assert.equal((await check(key)).allowed, true, key);
  }
  assert.equal((await check("log")).allowed, false);
  assert.equal((await check("two")).limitName, "m");
  assert.equal((await check("plain")).remaining, 8);
  clock.advanceMs(1_000);
  assert.equal((await check("log")).allowed, true);
});

test("a policy of permits has overrides with permits only, and others have none with them", async () => {
  const held = concurrency({ limit: 2, lease: "10s" });
  const table: [limits: unknown, override: unknown, message: RegExp][] = [
    [[held], window(5), /overrides\[0\]\.limits must be limits with a concurrency\(\) among them/],
    [window(5), [held], /overrides\[0\]\.limits must be limits without concurrency\(\)/],
  ];
  for (const [limits, override, message] of table) {
    const overrides = [{ key: "a", limits: override as never }];
    assert.throws(() => createTestLimiter({ job: { limits: limits as never, overrides } }), {
      code: "INVALID_OPTION",
      field: "policies.job.overrides[0].limits",
      message,
    });
  }
  const overrides = [{ key: "big", limits: [concurrency({ limit: 4, lease: "5s" })] }];
  const { limiter } = createTestLimiter({ job: { limits: [held], overrides } });
  const acquire = (key: string) => limiter.acquire({ policy: "job", key, cost: 2 });
  assert.deepEqual([(await acquire("a")).leaseMs, (await acquire("big")).leaseMs], [10_000, 5_000]);
  assert.deepEqual([(await acquire("a")).allowed, (await acquire("big")).allowed], [false, true]);
});

test("describe tells what holds for a key", () => {
  const overrides = [
    { key: "vip", limits: [fixedWindow({ limit: 99, window: "1m", name: "gold" })] },
    { key: "free", unlimited: true },
    { key: "bad", blocked: true },
  ];
  const { limiter } = createTestLimiter({ api: { limits: window(10), overrides } });
  const limitsOf = (key?: string) => {
    return limiter.describe("api", key).limits.map(({ name, limit, windowMs }) => {
      return [name, limit, windowMs];
    });
  };
  assert.deepEqual(limitsOf(), [["api", 10, 3_600_000]]);
  assert.deepEqual(limitsOf("somebody"), [["api", 10, 3_600_000]]);
  assert.deepEqual(limitsOf("vip"), [["gold", 99, 60_000]]);
  assert.deepEqual(limitsOf("free"), []);
  assert.deepEqual(limitsOf("bad"), []);
});

test("wrong overrides are refused by name", () => {
  const limits = window(1);
  const good = { key: "a", limits };
  const table: [overrides: unknown, field: string][] = [
    ["x", "policies.api.overrides"],
    [[{ key: "a" }], "policies.api.overrides[0]"],
    [[good, { key: "b", limits, blocked: true }], "policies.api.overrides[1]"],
    [[{ key: "a", unlimited: false }], "policies.api.overrides[0]"],
    [[{ key: "a", unlimited: 1 }], "policies.api.overrides[0].unlimited"],
    [[{ key: "", blocked: true }], "policies.api.overrides[0].key"],
    [[{ key: "a*b*", blocked: true }], "policies.api.overrides[0].key"],
    [[good, good], "policies.api.overrides[1].key"],
    [[{ ...good, limits: [] }], "policies.api.overrides[0].limits"],
    [[{ ...good, until: "2026-01-01" }], "policies.api.overrides[0].until"],
    [[{ ...good, until: "2026-01-01T00:00:00" }], "policies.api.overrides[0].until"],
    [[{ ...good, until: "2026-02-30T00:00:00Z" }], "policies.api.overrides[0].until"],
    [[{ ...good, until: -1 }], "policies.api.overrides[0].until"],
    [[{ ...good, expires: 5 }], "expires"],
  ];
  for (const [overrides, field] of table) {
    assert.throws(
      () => createTestLimiter({ api: { limits, overrides: overrides as never } }),
      { code: "INVALID_OPTION", field },
      JSON.stringify(overrides),
    );
  }
});

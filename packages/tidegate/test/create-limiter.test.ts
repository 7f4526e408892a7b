// The limiter in memory: what it takes, what it refuses, what it tells.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLimiter, type Decision, fixedWindow, memoryStore, tokenBucket } from "tidegate";
import { show } from "../src/policy/options.ts";
import { createManualClock } from "./support/manual-clock.ts";
import { settled } from "./support/manual-timer.ts";

function createTestLimiter() {
  const clock = createManualClock();
  const told: Decision[] = [];
  const limiter = createLimiter({
    clock,
    telemetry: { decided: (decision) => told.push(decision) },
    policies: {
      api: { limits: [tokenBucket({ capacity: 100, refill: "10/s" })] },
      login: { limits: [fixedWindow({ limit: 2, window: "1m" })] },
    },
  });
  return { clock, told, limiter };
}

test("answers with the fields of a decision", async () => {
  const { limiter } = createTestLimiter();
  assert.deepEqual(await limiter.check({ policy: "api", key: "user:42" }), {
    allowed: true,
    policy: "api",
    key: "user:42",
    limitName: "api",
    limit: 100,
    remaining: 99,
    retryAfterMs: 0,
    resetAfterMs: 100,
    delayMs: 0,
    soft: false,
    nearLimit: false,
    shadow: false,
    source: "local",
  });
});

test("a denial is a value, and is as complete", async () => {
  const { limiter, clock } = createTestLimiter();
  await limiter.check({ policy: "login", key: "a", cost: 2 });
  clock.advanceMs(20_000);
  assert.deepEqual(await limiter.check({ policy: "login", key: "a" }), {
    allowed: false,
    policy: "login",
    key: "a",
    limitName: "login",
    limit: 2,
    remaining: 0,
    retryAfterMs: 40_000,
    resetAfterMs: 40_000,
    delayMs: 0,
    soft: false,
    nearLimit: true,
    shadow: false,
    source: "local",
  });
});

test("policies and keys are apart", async () => {
  const { limiter } = createTestLimiter();
  const keys = [
    "a",
    "A",
    "a ",
    "a:b",
    "__proto__",
    "constructor",
    "\0",
    "\n",
    "\ud800",
    "\ud801",
    "ü",
    "u\u0308",
  ];
  for (const key of keys) {
    assert.equal((await limiter.check({ policy: "login", key })).remaining, 1, JSON.stringify(key));
    assert.equal((await limiter.check({ policy: "api", key })).remaining, 99, JSON.stringify(key));
  }
});

test("refuses requests that are wrong, as rejections that name the field", async () => {
  const key = "key must be a string of 1 to 1024 characters, got ";
  const cost = "cost must be a whole number from 0 to 1000000000, got ";
  const table: [request: object, field: string, code: string, message: string][] = [
    [{ policy: "api", key: "" }, "key", "INVALID_REQUEST", `${key}""`],
    [{ policy: "api", key: undefined }, "key", "INVALID_REQUEST", `${key}undefined`],
    [{ policy: "api", key: 42 }, "key", "INVALID_REQUEST", `${key}42`],
    [{ policy: "api", key: "x".repeat(1_025) }, "key", "INVALID_REQUEST", `${key}1025 characters`],
    [{ policy: "api", key: "x".repeat(1e6) }, "key", "INVALID_REQUEST", `${key}1000000 characters`],
    [{ policy: "api", key: "a", cost: -1 }, "cost", "INVALID_REQUEST", `${cost}-1`],
    [{ policy: "api", key: "a", cost: 1.5 }, "cost", "INVALID_REQUEST", `${cost}1.5`],
    [{ policy: "api", key: "a", cost: Number.NaN }, "cost", "INVALID_REQUEST", `${cost}NaN`],
    [{ policy: "api", key: "a", cost: "1" }, "cost", "INVALID_REQUEST", `${cost}"1"`],
    [{ policy: "api", key: "a", cost: 1e9 + 1 }, "cost", "INVALID_REQUEST", `${cost}1000000001`],
    [
      { policy: "apo", key: "a" },
      "policy",
      "UNKNOWN_POLICY",
      'unknown policy "apo" of this limiter; did you mean "api"?',
    ],
    [
      { policy: "toString", key: "a" },
      "policy",
      "UNKNOWN_POLICY",
      'unknown policy "toString" of this limiter; known are api, login',
    ],
    [
      { key: "a" },
      "policy",
      "INVALID_REQUEST",
      "policy must be named, since the limiter has no defaultPolicy",
    ],
  ];
  for (const [request, field, code, message] of table) {
    const { limiter } = createTestLimiter();
    const expected = { name: "TidegateError", code, field, message };
    await assert.rejects(limiter.check(request as never), expected);
    await assert.rejects(limiter.peek(request as never), expected);
    const inBatch = {
      ...expected,
      field: `requests[1].${field}`,
      message: `requests[1]: ${message}`,
    };
    await assert.rejects(
      limiter.checkAll([{ policy: "api", key: "a" }, request as never]),
      inBatch,
    );
  }
  const { limiter } = createTestLimiter();
  const request = { policy: "api", key: "a" };
  await assert.rejects(limiter.checkAll([request, { policy: "api", key: "" }]));
  assert.equal((await limiter.peek(request)).remaining, 100, "nothing was taken");
  await assert.rejects(limiter.checkAll({} as never), { field: "requests" });
  for (const wrong of [undefined, null, 5, "api"] as never[]) {
    const message = `request must be an object with policy and key, got ${show(wrong)}`;
    const expected = { code: "INVALID_REQUEST", field: "request", message };
    await assert.rejects(limiter.check(wrong), expected);
    await assert.rejects(limiter.peek(wrong), expected);
    await assert.rejects(limiter.reset(wrong), expected);
    const inBatch = { ...expected, field: "requests[0]", message: `requests[0]: ${message}` };
    await assert.rejects(limiter.checkAll([wrong]), inBatch);
  }
});

test("a long name of no policy is refused without being compared to any", async () => {
  const { limiter } = createTestLimiter();
  const request = { policy: "x".repeat(10_000_000), key: "a" };
  await assert.rejects(limiter.check(request), (error: Error) => {
    assert.match(
      error.message,
      /^unknown policy "x+\.\.\." of this limiter; known are api, login$/,
    );
    return true;
  });
});

test("the longest key is a key", async () => {
  const { limiter } = createTestLimiter();
  assert.equal((await limiter.check({ policy: "api", key: "x".repeat(1_024) })).allowed, true);
});

test("checkAll decides each on its own, in order", async () => {
  const { limiter, told } = createTestLimiter();
  const request = { policy: "login", key: "a" };
  const decisions = await limiter.checkAll([request, { ...request, cost: 2 }, request, request]);
  assert.deepEqual(
    decisions.map(({ allowed }) => allowed),
    [true, false, true, false],
  );
  assert.deepEqual(await limiter.checkAll([]), []);
  assert.deepEqual(told, decisions);
});

test("peek and reset", async () => {
  const { limiter, told } = createTestLimiter();
  const request = { policy: "login", key: "a", cost: 2 };
  assert.equal((await limiter.peek(request)).allowed, true);
  assert.equal((await limiter.check(request)).allowed, true);
  assert.equal((await limiter.peek(request)).allowed, false);
  await limiter.reset(request);
  assert.equal((await limiter.check(request)).allowed, true);
  assert.equal(told.length, 2, "peeks are not told");
  await assert.rejects(limiter.reset({ policy: "login", key: "" }), { field: "key" });
  await assert.rejects(limiter.reset({ policy: "x", key: "a" }), { code: "UNKNOWN_POLICY" });
});

test("describes its policies", () => {
  const { limiter } = createTestLimiter();
  assert.deepEqual(limiter.describe("api"), {
    name: "api",
    limits: [{ name: "api", algorithm: "token-bucket", limit: 100, windowMs: 10_000, soft: false }],
    shadow: false,
  });
  assert.throws(() => limiter.describe("x"), { code: "UNKNOWN_POLICY" });
});

test("limits of a policy are named after it, or as told", async () => {
  const limiter = createLimiter({
    policies: {
      api: {
        limits: [
          tokenBucket({ capacity: 5, refill: "1/s" }),
          fixedWindow({ limit: 3, window: "1h", name: "hourly" }),
        ],
      },
    },
  });
  assert.deepEqual(
    limiter.describe("api").limits.map(({ name }) => name),
    ["api-1", "hourly"],
  );
  assert.equal((await limiter.check({ policy: "api", key: "a" })).limitName, "hourly");
});

test("an aborted signal rejects with its reason, and takes nothing", async () => {
  const { limiter } = createTestLimiter();
  const reason = new Error("gone");
  const options = { signal: AbortSignal.abort(reason) };
  const request = { policy: "api", key: "a" };
  await assert.rejects(limiter.check(request, options), reason);
  await assert.rejects(limiter.checkAll([request], options), reason);
  await assert.rejects(limiter.peek(request, options), reason);
  assert.equal((await limiter.peek(request)).remaining, 100);
});

test("after close every call rejects with LIMITER_CLOSED, and close may be called again", async () => {
  const { limiter } = createTestLimiter();
  const request = { policy: "api", key: "a" };
  await limiter.close();
  await limiter.close();
  const closed = { code: "LIMITER_CLOSED" };
  await assert.rejects(limiter.check(request), closed);
  await assert.rejects(limiter.checkAll([request]), closed);
  await assert.rejects(limiter.peek(request), closed);
  await assert.rejects(limiter.reset(request), closed);
  await assert.rejects(limiter.ping(), closed);
});

test("limiters that share a memory store share its counts", async () => {
  const store = memoryStore();
  const policies = { login: { limits: [fixedWindow({ limit: 2, window: "1d" })] } };
  const nodes = [createLimiter({ store, policies }), createLimiter({ store, policies })];
  const decisions = await Promise.all(
    [0, 1, 0, 1].map((node) => nodes[node]!.check({ policy: "login", key: "a" })),
  );
  assert.deepEqual(
    decisions.map(({ allowed }) => allowed),
    [true, true, false, false],
  );
  await nodes[0]!.close();
  assert.equal((await nodes[1]!.peek({ policy: "login", key: "a" })).allowed, false);
});

test("where a policy is refused, nothing of those before it goes on", async () => {
  const limits = [tokenBucket({ capacity: 1, refill: "1/s" })];
  let closed = 0;
  const transport = {
    address: "a",
    open: () => undefined,
    send: () => undefined,
    members: () => [],
    close: () => {
      closed += 1;
    },
  };
  const policies = { api: { limits }, wrong: { limits: [] } };
  const create = () => createLimiter({ policies, coordination: "gossip", gossip: { transport } });
  assert.throws(create, { code: "INVALID_OPTION", field: "policies.wrong.limits" });
  await settled();
  assert.equal(closed, 1, "it left, and gossips no more");
});

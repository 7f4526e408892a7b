// What every call refuses: wrong arguments, by name; anything, where it was aborted before or the limiter is closed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { type CallOptions, concurrency, fixedWindow, type Limiter } from "tidegate";
import { createTestLimiter } from "../support/test-limiter.ts";

const a = { policy: "api", key: "a" };
const job = { policy: "job", key: "j" };
const hour = (limit: number) => [fixedWindow({ limit, window: "1h" })];
const policies = {
  api: { limits: hour(10) },
  job: { limits: [concurrency({ limit: 1, lease: "10s" })] },
};

/** Every call of a limiter, with an argument of which nothing is wrong. */
function callsOf(limiter: Limiter, options?: CallOptions): Record<string, () => Promise<unknown>> {
  const held = { ...job, id: "1" };
  return {
    check: () => limiter.check(a, options),
    "check with an id": () => limiter.check({ ...a, id: "1" }, options),
    checkAll: () => limiter.checkAll([a], options),
    checkEvery: () => limiter.checkEvery([a], options),
    peek: () => limiter.peek(a, options),
    schedule: () => limiter.schedule(a, options),
    reserve: () => limiter.reserve(a, options),
    settle: () => limiter.settle({ ...a, id: "1" }, 1, options),
    refund: () => limiter.refund(a, options),
    acquire: () => limiter.acquire(job, options),
    release: () => limiter.release(held, options),
    extend: () => limiter.extend(held, options),
    withPermit: () => limiter.withPermit(job, async () => 1, options),
  };
}

test("a closed limiter refuses every call", async () => {
  const { limiter } = createTestLimiter(policies);
  // What was asked for last is remembered, and must be refused all the same.
  await limiter.check(a);
  await limiter.close();
  const calls = {
    ...callsOf(limiter),
    reset: () => limiter.reset(a),
    ping: () => limiter.ping(),
    setPolicy: async () => limiter.setPolicy("api", policies.api),
  };
  for (const [name, call] of Object.entries(calls)) {
    await assert.rejects(call(), { name: "TidegateError", code: "LIMITER_CLOSED" }, name);
  }
  assert.equal(limiter.describe("api").name, "api", "what it was can still be read");
});

test("every call that is aborted before it begins rejects with the reason, and does nothing", async () => {
  const { limiter, told } = createTestLimiter(policies);
  const reason = new Error("gone");
  for (const [name, call] of Object.entries(
    callsOf(limiter, { signal: AbortSignal.abort(reason) }),
  )) {
    await assert.rejects(call(), reason, name);
  }
  assert.deepEqual([told.length, (await limiter.peek(a)).remaining], [0, 10]);
  assert.equal((await limiter.peek(job)).remaining, 1);
});

test("every call refuses a key that is none, and takes any other for what it is", async () => {
  const { limiter } = createTestLimiter(policies);
  const table: [key: unknown, got: string][] = [
    ["", '""'],
    [undefined, "undefined"],
    [null, "null"],
    [42, "42"],
    ["x".repeat(1_025), "1025 characters"],
    ["x".repeat(1_000_000), "1000000 characters"],
  ];
  for (const [key, got] of table) {
    const request = { policy: "api", key } as typeof a;
    const held = { policy: "job", key, id: "1" } as typeof job & { id: string };
    const message = `key must be a string of 1 to 1024 characters, got ${got}`;
    const refused = { code: "INVALID_REQUEST", field: "key", message };
    const inList = { ...refused, field: "requests[0].key", message: `requests[0]: ${message}` };
    await assert.rejects(limiter.check(request), refused);
    await assert.rejects(limiter.checkAll([request]), inList);
    await assert.rejects(limiter.checkEvery([request]), inList);
    await assert.rejects(limiter.peek(request), refused);
    await assert.rejects(limiter.schedule(request), refused);
    await assert.rejects(limiter.reserve(request), refused);
    await assert.rejects(limiter.settle({ ...request, id: "1" }, 1), refused);
    await assert.rejects(limiter.refund(request), refused);
    await assert.rejects(limiter.acquire(held), refused);
    await assert.rejects(limiter.release(held), refused);
    await assert.rejects(limiter.extend(held), refused);
    await assert.rejects(limiter.reset(request), refused);
  }
  for (const key of ["\0", "\n", "\r\n", "a\0b", "x".repeat(1_024), "\ud800", "__proto__", " "]) {
    const request = { policy: "api", key, cost: 2 };
    const reservation = await limiter.reserve({ ...request, cost: 5 });
    await limiter.settle(reservation, 3);
    await limiter.checkEvery([request]);
    await limiter.refund({ ...request, cost: 1 });
    assert.equal((await limiter.peek({ ...request, cost: 0 })).remaining, 6, JSON.stringify(key));
    const permit = await limiter.acquire({ policy: "job", key });
    assert.deepEqual([permit.allowed, await limiter.release(permit)], [true, true]);
    await limiter.reset(request);
    assert.equal((await limiter.peek({ ...request, cost: 0 })).remaining, 10);
  }
});

test("what is taken, given back or settled is a whole number of units", async () => {
  const { limiter } = createTestLimiter(policies);
  const reservation = await limiter.reserve({ ...a, cost: 5 });
  for (const actual of [-1, 1.5, Number.NaN, 1e9 + 1, "3", null, undefined] as never[]) {
    await assert.rejects(limiter.settle(reservation, actual), {
      code: "INVALID_REQUEST",
      field: "actual",
      message: /^actual must be a whole number of units, as a cost is, got /,
    });
  }
  for (const cost of [-1, 1.5, Number.NaN, 1e9 + 1, "3", null] as never[]) {
    const refused = { code: "INVALID_REQUEST", field: "cost" };
    await assert.rejects(limiter.check({ ...a, cost }), refused);
    await assert.rejects(limiter.check({ ...a, cost, id: "1" }), refused);
    await assert.rejects(limiter.peek({ ...a, cost }), refused);
    await assert.rejects(limiter.schedule({ ...a, cost }), refused);
    await assert.rejects(limiter.reserve({ ...a, cost }), refused);
    await assert.rejects(limiter.refund({ ...a, cost }), refused);
    await assert.rejects(limiter.acquire({ ...job, cost }), refused);
  }
  assert.equal((await limiter.settle(reservation, 0)).remaining, 10);
});

// What each method asks of the limiter, and how it answers, over a limiter that decides nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { status } from "@grpc/grpc-js";
import { TidegateError } from "tidegate";
import { type Asked, startDoors } from "../door-support.ts";
import { decisionWith } from "../service-support.ts";

/** The fake limiter's decision, as it is on the wire: what holds its default is not written. */
const DECISION = {
  allowed: true,
  policy: "api",
  key: "user:42",
  limit_name: "api",
  limit: 100,
  remaining: 99,
  retry_after_ms: 0,
  reset_after_ms: 100,
  source: "local",
};
const A = { policy: "api", key: "user:42" };

const CALLS: readonly (readonly [
  method: string,
  request: object,
  asked: readonly [Asked, ...unknown[]],
  answer: object,
])[] = [
  ["CheckLimit", { ...A, id: "i" }, ["check", { ...A, id: "i" }], DECISION],
  ["CheckLimit", { key: "a" }, ["check", { key: "a" }], DECISION],
  ["GetStatus", { key: "a", cost: 0 }, ["peek", { key: "a", cost: 0 }], DECISION],
  [
    "CheckLimits",
    { requests: [A, { key: "b", id: "i" }] },
    ["checkAll", [A, { key: "b", id: "i" }]],
    { decisions: [DECISION, DECISION] },
  ],
  [
    "CheckEvery",
    { requests: [A, { policy: "org", key: "o", cost: 2 }] },
    ["checkEvery", [A, { policy: "org", key: "o", cost: 2 }], {}],
    { decision: DECISION },
  ],
  [
    "CheckEvery",
    { requests: [A], id: "all" },
    ["checkEvery", [A], { id: "all" }],
    { decision: DECISION },
  ],
  ["CheckEvery", {}, ["checkEvery", [], {}], { decision: DECISION }],
  [
    "Reserve",
    { ...A, cost: 5, ttl_ms: 30_000, id: "mine" },
    ["reserve", { ...A, cost: 5, ttl: 30_000, id: "mine" }],
    { decision: DECISION, id: "r-1", cost: 5, ttl_ms: 30_000 },
  ],
  [
    "Reserve",
    { key: "a" },
    ["reserve", { key: "a" }],
    { decision: DECISION, id: "r-1", cost: 5, ttl_ms: 30_000 },
  ],
  [
    "Settle",
    { ...A, id: "r-1", actual: 3 },
    ["settle", { ...A, id: "r-1" }, 3],
    { decision: DECISION, settled: true },
  ],
  [
    "Settle",
    { key: "a", id: "r-1", actual: 0 },
    ["settle", { key: "a", id: "r-1" }, 0],
    { decision: DECISION, settled: true },
  ],
  [
    "Refund",
    { ...A, cost: 2, id: "i" },
    ["refund", { ...A, cost: 2, id: "i" }],
    { decision: DECISION },
  ],
  [
    "Acquire",
    { ...A, cost: 1, id: "p-1" },
    ["acquire", { ...A, cost: 1, id: "p-1" }],
    { decision: DECISION, id: "p-1", cost: 1, lease_ms: 10_000 },
  ],
  ["Release", { ...A, id: "p-1" }, ["release", { ...A, id: "p-1" }], { released: true }],
  ["Release", { key: "a" }, ["release", { key: "a", id: "" }], { released: true }],
  ["Extend", { ...A, id: "p-1" }, ["extend", { ...A, id: "p-1" }], { extended: true }],
];

for (const [method, request, asked, answer] of CALLS) {
  test(`${method} ${JSON.stringify(request)} asks for ${asked[0]}`, async (context) => {
    const { grpc, limiter } = await startDoors(context);
    assert.deepEqual(await grpc.call(method, request), answer);
    assert.deepEqual(limiter.calls, [asked]);
  });
}

test("a denial is a normal response, and then no reservation and no permit has a name", async (context) => {
  const { grpc, limiter } = await startDoors(context);
  const denied = decisionWith({ allowed: false, remaining: 0, retryAfterMs: null });
  limiter.answers.set("reserve", { ...denied, id: "asked-under", cost: 5, ttlMs: 30_000 });
  limiter.answers.set("acquire", { ...denied, id: "asked-under", cost: 1, leaseMs: 10_000 });
  const decision = {
    policy: "api",
    key: "user:42",
    limit_name: "api",
    limit: 100,
    reset_after_ms: 100,
    source: "local",
  };
  assert.deepEqual(await grpc.call("Reserve", { ...A, id: "asked-under" }), { decision });
  assert.deepEqual(await grpc.call("Acquire", A), { decision });
});

test("what is not held any more is a normal response", async (context) => {
  const { grpc, limiter } = await startDoors(context);
  limiter.answers.set("settle", { ...decisionWith(), settled: false });
  limiter.answers.set("release", false);
  limiter.answers.set("extend", false);
  const held = { ...A, id: "gone" };
  assert.deepEqual(await grpc.call("Settle", { ...held, actual: 1 }), { decision: DECISION });
  assert.deepEqual(await grpc.call("Release", held), {});
  assert.deepEqual(await grpc.call("Extend", held), {});
});

test("delay, soft, near limit and shadow are in every decision", async (context) => {
  const { grpc, limiter } = await startDoors(context);
  const flags = { delayMs: 250, soft: true, nearLimit: true, shadow: true };
  const wire = { ...DECISION, delay_ms: 250, soft: true, near_limit: true, shadow: true };
  const decision = decisionWith(flags);
  for (const method of ["check", "peek", "checkEvery", "refund"] as const) {
    limiter.answers.set(method, decision);
  }
  limiter.answers.set("checkAll", [decision]);
  assert.deepEqual(await grpc.call("CheckLimit", A), wire);
  assert.deepEqual(await grpc.call("GetStatus", A), wire);
  assert.deepEqual(await grpc.call("CheckLimits", { requests: [A] }), { decisions: [wire] });
  assert.deepEqual(await grpc.call("CheckEvery", { requests: [A] }), { decision: wire });
  assert.deepEqual(await grpc.call("Refund", A), { decision: wire });
});

const METHODS: readonly (readonly [string, Asked, object])[] = [
  ["CheckEvery", "checkEvery", { requests: [A] }],
  ["Reserve", "reserve", A],
  ["Settle", "settle", { ...A, id: "i", actual: 1 }],
  ["Refund", "refund", A],
  ["Acquire", "acquire", A],
  ["Release", "release", { ...A, id: "i" }],
  ["Extend", "extend", { ...A, id: "i" }],
];

test("what goes wrong has the same statuses over every method", async (context) => {
  const { grpc, limiter, unexpected } = await startDoors(context);
  const errors: readonly (readonly [Error, status, string])[] = [
    [
      new TidegateError("INVALID_REQUEST", 'id must be a string, got ""', { field: "id" }),
      status.INVALID_ARGUMENT,
      'id must be a string, got ""',
    ],
    [
      new TidegateError("INVALID_REQUEST", "ttl must be a duration, got -1", { field: "ttl" }),
      status.INVALID_ARGUMENT,
      "ttl_ms must be a duration, got -1",
    ],
    [
      new TidegateError("UNKNOWN_POLICY", 'unknown policy "x"', { field: "policy" }),
      status.NOT_FOUND,
      'unknown policy "x"',
    ],
    [
      new TidegateError("STORE_UNAVAILABLE", "secret refused"),
      status.UNAVAILABLE,
      "the store could not decide; try again",
    ],
    [
      new TidegateError("LIMITER_CLOSED", "closed"),
      status.UNAVAILABLE,
      "the service is stopping; try another node",
    ],
    [new Error("secret"), status.INTERNAL, "internal error"],
  ];
  for (const [method, asked, request] of METHODS) {
    for (const [error, code, details] of errors) {
      limiter.answers.set(asked, error);
      await assert.rejects(grpc.call(method, request), { code, details }, `${method}: ${error}`);
    }
  }
  assert.equal(unexpected.length, METHODS.length * 2);
});

test("what is wrong with the bytes is said, and the limiter not asked", async (context) => {
  const { grpc, limiter } = await startDoors(context);
  const more = Array.from({ length: 65 }, () => A);
  const code = status.INVALID_ARGUMENT;
  const cases: readonly (readonly [string, object, string])[] = [
    ["CheckEvery", { requests: more }, "requests must be at most 64, got more"],
    ["Settle", { ...A, id: "i" }, "actual must be the units that were really used, got nothing"],
  ];
  for (const [method, request, details] of cases) {
    await assert.rejects(grpc.call(method, request), { code, details });
  }
  for (const [method] of METHODS) {
    const details = "the message is cut off";
    await assert.rejects(grpc.callBytes(method, Buffer.from([0x0a, 9, 1])), { code, details });
  }
  assert.deepEqual(limiter.calls, []);
});

test("every method is timed under its name", async (context) => {
  const { grpc, telemetry } = await startDoors(context);
  for (const [method, , request] of METHODS) await grpc.call(method, request);
  const timed = telemetry.calls.filter(({ transport }) => transport === "grpc");
  assert.deepEqual(
    timed.map(({ method, durations }) => [method, durations.cumulative().at(-1)]),
    [
      ["CheckLimit", 0],
      ["GetStatus", 0],
      ["CheckLimits", 0],
      ...METHODS.map(([method]) => [method, 1]),
    ],
  );
});

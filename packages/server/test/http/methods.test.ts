// What each route asks of the limiter, and how it answers, over a limiter that decides nothing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { TidegateError } from "tidegate";
import { type Asked, startDoors } from "../door-support.ts";
import { decisionWith } from "../service-support.ts";

const A = { policy: "api", key: "user:42" };
const FIELDS =
  '"allowed":true,"policy":"api","key":"user:42","limitName":"api","limit":100,"remaining":99,' +
  '"retryAfterMs":0,"resetAfterMs":100,"delayMs":0,"soft":false,"nearLimit":false,"shadow":false,"source":"local"';

const CALLS: readonly (readonly [
  path: string,
  body: object,
  asked: readonly [Asked, ...unknown[]],
  text: string,
])[] = [
  ["check", { ...A, id: "i", cost: 0 }, ["check", { ...A, id: "i", cost: 0 }], `{${FIELDS}}`],
  ["check", { key: "a" }, ["check", { key: "a" }], `{${FIELDS}}`],
  [
    "check-all",
    { requests: [{ key: "a", id: "i" }, A] },
    ["checkAll", [{ key: "a", id: "i" }, A]],
    `{"decisions":[{${FIELDS}},{${FIELDS}}]}`,
  ],
  [
    "check-every",
    { requests: [A, { key: "b", cost: 2 }] },
    ["checkEvery", [A, { key: "b", cost: 2 }], {}],
    `{${FIELDS}}`,
  ],
  ["check-every", { requests: [A], id: "all" }, ["checkEvery", [A], { id: "all" }], `{${FIELDS}}`],
  ["check-every", { requests: [] }, ["checkEvery", [], {}], `{${FIELDS}}`],
  [
    "reserve",
    { ...A, cost: 5, ttl: "30s", id: "mine" },
    ["reserve", { ...A, cost: 5, ttl: "30s", id: "mine" }],
    `{${FIELDS},"id":"r-1","cost":5,"ttlMs":30000}`,
  ],
  [
    "reserve",
    { key: "a" },
    ["reserve", { key: "a" }],
    `{${FIELDS},"id":"r-1","cost":5,"ttlMs":30000}`,
  ],
  [
    "settle",
    { ...A, id: "r-1", actual: 3 },
    ["settle", { ...A, id: "r-1" }, 3],
    `{${FIELDS},"settled":true}`,
  ],
  [
    "settle",
    { key: "a", id: "r-1", actual: 0 },
    ["settle", { key: "a", id: "r-1" }, 0],
    `{${FIELDS},"settled":true}`,
  ],
  ["refund", { ...A, cost: 2, id: "i" }, ["refund", { ...A, cost: 2, id: "i" }], `{${FIELDS}}`],
  [
    "acquire",
    { key: "a", id: "p-1" },
    ["acquire", { key: "a", id: "p-1" }],
    `{${FIELDS},"id":"p-1","cost":1,"leaseMs":10000}`,
  ],
  ["release", { ...A, id: "p-1" }, ["release", { ...A, id: "p-1" }], '{"released":true}'],
  ["extend", { key: "a", id: "p-1" }, ["extend", { key: "a", id: "p-1" }], '{"extended":true}'],
];

const DECISIONS = ["check", "check-every", "reserve", "settle", "refund", "acquire"];

for (const [path, body, asked, text] of CALLS) {
  test(`POST /v1/${path} ${JSON.stringify(body)} asks for ${asked[0]}`, async (context) => {
    const { http, limiter } = await startDoors(context);
    const answer = await http("POST", `/v1/${path}`, body);
    assert.deepEqual([answer.status, answer.text], [200, text]);
    assert.deepEqual(limiter.calls, [asked]);
    const expected = DECISIONS.includes(path) ? '"api";q=100;w=10' : undefined;
    assert.equal(answer.headers["ratelimit-policy"], expected);
    assert.equal("ratelimit" in answer.headers, DECISIONS.includes(path));
  });
}

test("GET /v1/status asks for the default policy where none is named", async (context) => {
  const { http, limiter } = await startDoors(context);
  const answer = await http("GET", "/v1/status?key=a&cost=2");
  assert.equal(answer.text, `{${FIELDS}}`);
  assert.deepEqual(limiter.calls, [["peek", { key: "a", cost: 2 }]]);
});

test("a denial is a 200 with Retry-After, and then no reservation and no permit has a name", async (context) => {
  const { http, limiter } = await startDoors(context);
  const denied = decisionWith({ allowed: false, remaining: 0, retryAfterMs: 2_000 });
  limiter.answers.set("reserve", { ...denied, id: "asked-under", cost: 5, ttlMs: 30_000 });
  limiter.answers.set("acquire", { ...denied, id: "asked-under", cost: 1, leaseMs: 10_000 });
  limiter.answers.set("checkEvery", denied);
  const bodies = { reserve: A, acquire: A, "check-every": { requests: [A] } };
  for (const [path, body] of Object.entries(bodies)) {
    const answer = await http("POST", `/v1/${path}`, body);
    assert.equal(answer.status, 200);
    assert.deepEqual(answer.json, denied, path);
    assert.equal(answer.headers["retry-after"], "2", path);
  }
});

test("what is not held any more is a 200", async (context) => {
  const { http, limiter } = await startDoors(context);
  limiter.answers.set("settle", { ...decisionWith(), settled: false });
  limiter.answers.set("release", false);
  limiter.answers.set("extend", false);
  const held = { ...A, id: "gone" };
  const post = async (path: string, body: object) => (await http("POST", path, body)).text;
  assert.equal(await post("/v1/settle", { ...held, actual: 1 }), `{${FIELDS},"settled":false}`);
  assert.equal(await post("/v1/release", held), '{"released":false}');
  assert.equal(await post("/v1/extend", held), '{"extended":false}');
});

test("delay, soft, near limit and shadow come before the source, and ids back as they are", async (context) => {
  const { http, limiter } = await startDoors(context);
  const flags = { delayMs: 250, soft: true, nearLimit: true, shadow: true };
  const id = 'a"b\\c\u0000é😀';
  const reservation = { ...decisionWith(flags), id, cost: 1, ttlMs: 1 };
  limiter.answers.set("reserve", reservation);
  const answer = await http("POST", "/v1/reserve", { ...A, id });
  assert.deepEqual(answer.json, reservation);
  assert.match(
    answer.text,
    /"resetAfterMs":100,"delayMs":250,"soft":true,"nearLimit":true,"shadow":true,"source":"local","id":/,
  );
  assert.deepEqual(limiter.calls, [["reserve", { ...A, id }]]);
});

const many = (count: number) => Array.from({ length: count }, () => A);

const WRONG: readonly (readonly [string, unknown, string | undefined, RegExp])[] = [
  ["check", { policy: null, key: "a" }, "policy", /a policy's name, got null/],
  ["check", { ...A, id: 5 }, "id", /a string, got 5/],
  ["check", { ...A, ttl: "1s" }, "ttl", /unknown field "ttl"; known are policy, key, cost, id$/],
  ["check-all", { requests: [A], id: "i" }, "id", /unknown field/],
  ["check-every", A, "policy", /unknown field "policy"; known are requests, id/],
  ["check-every", {}, "requests", /a list of at most 64 requests, got nothing/],
  ["check-every", { requests: many(65) }, "requests", /at most 64, got 65/],
  ["check-every", { requests: [A, 1] }, "requests[1]", /an object with policy, key, .* got 1/],
  ["check-every", { requests: [A], id: {} }, "id", /a string, got an object/],
  ["reserve", { ...A, ttl: 30 }, "ttl", /a duration such as "30s", got 30/],
  ["reserve", { ...A, cost: "5" }, "cost", /a whole number, got "5"/],
  ["reserve", { ...A, actual: 5 }, "actual", /unknown field/],
  ["settle", { ...A, actual: 1 }, "id", /a string, got nothing/],
  ["settle", { ...A, id: "i" }, "actual", /a whole number, got nothing/],
  ["settle", { ...A, id: "i", actual: null }, "actual", /a whole number, got null/],
  ["settle", { ...A, id: "i", actual: 1, cost: 1 }, "cost", /unknown field/],
  ["settle", { id: "i", actual: 1 }, "key", /a string, got nothing/],
  ["refund", { ...A, actual: 1 }, "actual", /unknown field/],
  ["acquire", { ...A, lease: "1s" }, "lease", /unknown field/],
  ["release", A, "id", /a string, got nothing/],
  ["release", { ...A, id: "i", cost: 1 }, "cost", /unknown field/],
  ["extend", { ...A, id: null }, "id", /a string, got null/],
  ["extend", [], undefined, /must be an object with policy, key, id, got a list/],
];

test("what is wrong is told as a problem that names the field, and the limiter not asked", async (context) => {
  const { http, limiter } = await startDoors(context);
  for (const [path, body, field, detail] of WRONG) {
    const answer = await http("POST", `/v1/${path}`, body);
    const problem = answer.json as { field?: string; detail: string };
    const what = `${path} ${JSON.stringify(body).slice(0, 80)}: ${answer.text}`;
    assert.equal(answer.status, 400, what);
    assert.equal(problem.field, field, what);
    assert.match(problem.detail, detail, what);
  }
  assert.deepEqual(limiter.calls, []);
});

const METHODS: readonly (readonly [string, Asked, object])[] = [
  ["check-every", "checkEvery", { requests: [A] }],
  ["reserve", "reserve", A],
  ["settle", "settle", { ...A, id: "i", actual: 1 }],
  ["refund", "refund", A],
  ["acquire", "acquire", A],
  ["release", "release", { ...A, id: "i" }],
  ["extend", "extend", { ...A, id: "i" }],
];

test("what goes wrong has the same problems on every route", async (context) => {
  const { http, limiter, unexpected } = await startDoors(context);
  const request = (message: string) => new TidegateError("INVALID_REQUEST", message);
  const errors: readonly (readonly [Error, number, string])[] = [
    [request("ttl must be a duration, got -1"), 400, "invalid-request"],
    [new TidegateError("UNKNOWN_POLICY", 'unknown policy "x"'), 404, "unknown-policy"],
    [new TidegateError("STORE_UNAVAILABLE", "secret"), 503, "store-unavailable"],
    [new TidegateError("LIMITER_CLOSED", "closed"), 503, "stopping"],
    [new Error("secret"), 500, "internal-error"],
  ];
  for (const [path, asked, body] of METHODS) {
    for (const [error, status, name] of errors) {
      limiter.answers.set(asked, error);
      const answer = await http("POST", `/v1/${path}`, body);
      assert.equal(answer.status, status, `${path}: ${error}`);
      const { type } = answer.json as { type: string };
      assert.equal(type, `urn:problem-type:tidegate:${name}`);
      assert.ok(!answer.text.includes("secret"));
    }
  }
  assert.equal(unexpected.length, METHODS.length * 2);
});

test("every route is timed under its name, and takes POST alone", async (context) => {
  const { http, telemetry } = await startDoors(context);
  for (const [path, , body] of METHODS) {
    await http("POST", `/v1/${path}`, body);
    const wrong = await http("GET", `/v1/${path}`);
    assert.deepEqual([wrong.status, wrong.headers.allow], [405, "POST"]);
  }
  const timed = telemetry.calls.filter(({ transport }) => transport === "http");
  const counts = new Map(
    timed.map(({ method, durations }) => [method, durations.cumulative().at(-1)]),
  );
  assert.deepEqual(
    counts,
    new Map([
      ["check", 0],
      ["check-all", 0],
      ["status", 0],
      ...METHODS.map(([method]) => [method, 1] as const),
    ]),
  );
});

import assert from "node:assert/strict";
import { connect } from "node:net";
import { test } from "node:test";
import { fixedWindow, TidegateError } from "tidegate";
import {
  createManualStore,
  PATIENT_POLICIES,
  startTestService,
  until,
} from "../service-support.ts";

interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly field?: string;
}

const YEAR_MS = 365 * 86_400_000;

test("POST /v1/check answers the decision, exactly, with the rate-limit headers", async (context) => {
  const { http } = await startTestService(context);
  const answer = await http("POST", "/v1/check", { policy: "api", key: "user:42", cost: 60 });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers["content-type"], "application/json; charset=utf-8");
  assert.equal(
    answer.text,
    '{"allowed":true,"policy":"api","key":"user:42","limitName":"api","limit":100,"remaining":40,' +
      `"retryAfterMs":0,"resetAfterMs":${60 * YEAR_MS},"delayMs":0,"soft":false,"nearLimit":false,` +
      '"shadow":false,"source":"local"}',
  );
  assert.equal(answer.headers["ratelimit-policy"], `"api";q=100;w=${(100 * YEAR_MS) / 1_000}`);
  assert.match(String(answer.headers.ratelimit), /^"api";r=40;t=\d+$/);
  assert.equal(answer.headers["retry-after"], undefined);
});

test("a denial is a 200 too, with Retry-After; where no wait helps, without it", async (context) => {
  const policies = { few: { limits: [fixedWindow({ limit: 1, window: "36500d" })] } };
  const { http } = await startTestService(context, { policies });
  await http("POST", "/v1/check", { policy: "few", key: "a" });
  const denied = await http("POST", "/v1/check", { policy: "few", key: "a" });
  const decision = denied.json as { allowed: boolean; retryAfterMs: number; remaining: number };
  assert.equal(denied.status, 200);
  assert.equal(decision.allowed, false);
  assert.equal(decision.remaining, 0);
  assert.equal(denied.headers["retry-after"], String(Math.ceil(decision.retryAfterMs / 1_000)));
  const never = await http("POST", "/v1/check", { policy: "few", key: "a", cost: 2 });
  assert.equal((never.json as { retryAfterMs: unknown }).retryAfterMs, null);
  assert.equal(never.headers["retry-after"], undefined);
});

test("keys come back as they were sent, whatever they hold", async (context) => {
  const { http } = await startTestService(context);
  const keys = ['a"b\\c', "line\nbreak\u0000", "é€😀", "\ud800", "</script>", "__proto__"];
  for (const key of keys) {
    const answer = await http("POST", "/v1/check", { policy: "api", key });
    assert.equal((answer.json as { key: string }).key, key);
  }
});

test("POST /v1/check-all decides each on its own; one wrong request refuses all", async (context) => {
  const { http } = await startTestService(context);
  const one = { policy: "login", key: "a" };
  const wrong = await http("POST", "/v1/check-all", { requests: [one, { ...one, cost: -1 }] });
  assert.equal(wrong.status, 400);
  assert.equal((wrong.json as Problem).field, "requests[1].cost");
  const answer = await http("POST", "/v1/check-all", { requests: [one, one, one] });
  const { decisions } = answer.json as { decisions: { allowed: boolean; remaining: number }[] };
  assert.deepEqual(
    decisions.map(({ allowed, remaining }) => [allowed, remaining]),
    [
      [true, 1],
      [true, 0],
      [false, 0],
    ],
  );
  const none = await http("POST", "/v1/check-all", { requests: [] });
  assert.equal(none.text, '{"decisions":[]}');
});

test("GET /v1/status takes nothing, with a cost of 1 unless told", async (context) => {
  const { http } = await startTestService(context);
  await http("POST", "/v1/check", { policy: "login", key: "a b", cost: 2 });
  for (const [query, allowed] of [
    ["policy=login&key=a%20b", false],
    ["policy=login&key=a%20b&cost=0", true],
    ["policy=login&key=other&cost=2", true],
    ["policy=login&key=other&cost=2", true],
  ] as const) {
    const answer = await http("GET", `/v1/status?${query}`);
    assert.equal(answer.status, 200, answer.text);
    assert.equal((answer.json as { allowed: boolean }).allowed, allowed, query);
    assert.ok("ratelimit" in answer.headers);
  }
  const head = await http("HEAD", "/v1/status?policy=login&key=a");
  assert.equal(head.status, 200);
  assert.equal(head.text, "");
});

const at = (length: number) => `{"policy":"api","key":"a"${" ".repeat(length - 26)}}`;
const many = Array.from({ length: 1_001 }, () => ({ policy: "a", key: "b" }));

const WRONG: readonly (readonly [
  method: string,
  path: string,
  body: unknown,
  status: number,
  name: string,
  field: string | undefined,
  detail: RegExp,
])[] = [
  ["POST", "/v1/check", "", 400, "invalid-request", undefined, /empty/],
  ["POST", "/v1/check", "{", 400, "invalid-request", undefined, /not JSON/],
  ["POST", "/v1/check", "null", 400, "invalid-request", undefined, /an object .* got null/],
  ["POST", "/v1/check", [], 400, "invalid-request", undefined, /an object .* got a list/],
  ["POST", "/v1/check", '"a"', 400, "invalid-request", undefined, /an object .* got "a"/],
  ["POST", "/v1/check", "[".repeat(60_000), 400, "invalid-request", undefined, /not JSON/],
  ["POST", "/v1/check", {}, 400, "invalid-request", "key", /a string, got nothing/],
  ["POST", "/v1/check", { key: "a" }, 400, "invalid-request", "policy", /must be named/],
  ["POST", "/v1/check", { policy: "api" }, 400, "invalid-request", "key", /a string, got nothing/],
  ["POST", "/v1/check", { policy: 1, key: "a" }, 400, "invalid-request", "policy", /name, got 1$/],
  ["POST", "/v1/check", { policy: "api", key: {} }, 400, "invalid-request", "key", /got an object/],
  ["POST", "/v1/check", { policy: "api", key: "" }, 400, "invalid-request", "key", /got ""/],
  [
    "POST",
    "/v1/check",
    { policy: "api", key: "k".repeat(1_025) },
    400,
    "invalid-request",
    "key",
    /1025/,
  ],
  [
    "POST",
    "/v1/check",
    { policy: "api", key: "a", cost: "1" },
    400,
    "invalid-request",
    "cost",
    /got "1"/,
  ],
  [
    "POST",
    "/v1/check",
    { policy: "api", key: "a", cost: null },
    400,
    "invalid-request",
    "cost",
    /got null/,
  ],
  [
    "POST",
    "/v1/check",
    { policy: "api", key: "a", cost: 1.5 },
    400,
    "invalid-request",
    "cost",
    /got 1.5/,
  ],
  [
    "POST",
    "/v1/check",
    { policy: "api", key: "a", cost: -1 },
    400,
    "invalid-request",
    "cost",
    /got -1/,
  ],
  [
    "POST",
    "/v1/check",
    { policy: "api", key: "a", cots: 1 },
    400,
    "invalid-request",
    "cots",
    /unknown/,
  ],
  [
    "POST",
    "/v1/check",
    '{"policy":"api","key":"a","__proto__":{"cost":1}}',
    400,
    "invalid-request",
    "__proto__",
    /unknown/,
  ],
  [
    "POST",
    "/v1/check",
    '{"policy":"api","key":"a","constructor":1}',
    400,
    "invalid-request",
    "constructor",
    /unknown/,
  ],
  [
    "POST",
    "/v1/check",
    Buffer.from([0x22, 0xc3, 0x28, 0x22]),
    400,
    "invalid-request",
    undefined,
    /UTF-8/,
  ],
  [
    "POST",
    "/v1/check",
    { policy: "apj", key: "a" },
    404,
    "unknown-policy",
    "policy",
    /did you mean "api"/,
  ],
  [
    "POST",
    "/v1/check",
    { policy: "__proto__", key: "a" },
    404,
    "unknown-policy",
    "policy",
    /unknown/,
  ],
  ["POST", "/v1/check", at(65_537), 413, "body-too-large", undefined, /65536/],
  ["POST", "/v1/check-all", { requests: {} }, 400, "invalid-request", "requests", /a list/],
  ["POST", "/v1/check-all", {}, 400, "invalid-request", "requests", /a list .* got nothing/],
  [
    "POST",
    "/v1/check-all",
    { requests: many },
    400,
    "invalid-request",
    "requests",
    /1000, got 1001/,
  ],
  [
    "POST",
    "/v1/check-all",
    { requests: [1] },
    400,
    "invalid-request",
    "requests[0]",
    /an object .* got 1/,
  ],
  [
    "POST",
    "/v1/check-all",
    { requests: [{ policy: "api", key: 5 }] },
    400,
    "invalid-request",
    "requests[0].key",
    /got 5/,
  ],
  [
    "POST",
    "/v1/check-all",
    { requests: [{ policy: "api", key: "a", x: 1 }] },
    400,
    "invalid-request",
    "requests[0].x",
    /unknown/,
  ],
  [
    "POST",
    "/v1/check-all",
    { requests: [{ policy: "x", key: "a" }] },
    404,
    "unknown-policy",
    "requests[0].policy",
    /unknown/,
  ],
  ["GET", "/v1/status?policy=api", undefined, 400, "invalid-request", "key", /got nothing/],
  ["GET", "/v1/status?policy=api&key=a&key=b", undefined, 400, "invalid-request", "key", /a list/],
  [
    "GET",
    "/v1/status?policy=api&key=a&cost=1.5",
    undefined,
    400,
    "invalid-request",
    "cost",
    /"1.5"/,
  ],
  ["GET", "/v1/status?policy=api&key=a&cost=", undefined, 400, "invalid-request", "cost", /got ""/],
  [
    "GET",
    "/v1/status?policy=api&key=a&user=1",
    undefined,
    400,
    "invalid-request",
    "user",
    /unknown/,
  ],
  ["GET", "/v1/status?policy=apj&key=a", undefined, 404, "unknown-policy", "policy", /unknown/],
  ["GET", "/nope", undefined, 404, "not-found", undefined, /openapi/],
  ["POST", "/nope", { a: 1 }, 404, "not-found", undefined, /openapi/],
  ["GET", "/%zz", undefined, 400, "invalid-request", undefined, /URL/],
];

test("what is wrong is told as a problem that names the field", async (context) => {
  const { http } = await startTestService(context);
  for (const [method, path, body, status, name, field, detail] of WRONG) {
    const answer = await http(method, path, body);
    const problem = answer.json as Problem;
    const what = `${method} ${path} ${JSON.stringify(body)?.slice(0, 80)}: ${answer.text}`;
    assert.equal(answer.status, status, what);
    assert.equal(answer.headers["content-type"], "application/problem+json", what);
    assert.equal(problem.type, `urn:problem-type:tidegate:${name}`, what);
    assert.equal(problem.status, status, what);
    assert.ok(problem.title.length > 0, what);
    assert.equal(problem.field, field, what);
    assert.match(problem.detail, detail, what);
  }
  assert.equal(({} as { cost?: unknown }).cost, undefined);
  const most = await http("POST", "/v1/check", at(65_536));
  assert.equal(most.status, 200);
});

test("a body of another type is a 415", async (context) => {
  const { http } = await startTestService(context);
  for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/jsonx"]) {
    const headers = { "content-type": type };
    const answer = await http("POST", "/v1/check", '{"policy":"api","key":"a"}', { headers });
    assert.equal(answer.status, 415, type);
    assert.equal((answer.json as Problem).type, "urn:problem-type:tidegate:unsupported-media-type");
  }
  const headers = { "content-type": "application/json; charset=utf-8" };
  const right = await http("POST", "/v1/check", '{"policy":"api","key":"a"}', { headers });
  assert.equal(right.status, 200);
});

test("a method that a path does not take is a 405 that says which it takes", async (context) => {
  const { http } = await startTestService(context);
  for (const [method, path, allow] of [
    ["GET", "/v1/check", "POST"],
    ["DELETE", "/v1/check-all", "POST"],
    ["POST", "/v1/status?policy=api&key=a", "GET, HEAD"],
    ["PUT", "/healthz", "GET, HEAD"],
    ["OPTIONS", "/readyz", "GET, HEAD"],
    ["PATCH", "/openapi.json", "GET, HEAD"],
  ] as const) {
    const answer = await http(method, path);
    assert.equal(answer.status, 405, `${method} ${path}`);
    assert.equal(answer.headers.allow, allow);
    assert.equal((answer.json as Problem).type, "urn:problem-type:tidegate:method-not-allowed");
  }
});

test("what is not HTTP is answered with a problem, and closed", async (context) => {
  const { service } = await startTestService(context);
  const send = (text: string) => {
    return new Promise<string>((resolve, reject) => {
      const socket = connect(service.addresses.http.port, "127.0.0.1", () => socket.write(text));
      let answer = "";
      socket.on("data", (chunk) => {
        answer += chunk;
      });
      socket.on("error", reject);
      socket.on("close", () => resolve(answer));
    });
  };
  const garbage = await send("GARBAGE\r\n\r\n");
  assert.match(garbage, /^HTTP\/1.1 400 [\s\S]*application\/problem\+json[\s\S]*invalid-request/);
  const large = await send(`GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`);
  assert.match(large, /^HTTP\/1.1 431 [\s\S]*header-too-large/);
});

test("a store that gives no answer is no error, anything else a 500 that does not say why", async (context) => {
  const store = createManualStore();
  const { http, log } = await startTestService(context, { policies: PATIENT_POLICIES }, { store });
  const failWith = async (error: unknown) => {
    const call = http("POST", "/v1/check", { policy: "api", key: "a" });
    await until(() => store.waiting.length > 0);
    store.waiting.shift()!.fail(error);
    return call;
  };
  const unavailable = await failWith(new TidegateError("STORE_UNAVAILABLE", "secret refused"));
  assert.equal(unavailable.status, 200);
  const { allowed, source } = unavailable.json as Record<string, unknown>;
  assert.deepEqual([allowed, source], [true, "fail-open"]);
  const closed = await failWith(new TidegateError("LIMITER_CLOSED", "closed"));
  assert.equal(closed.status, 503);
  assert.equal((closed.json as Problem).type, "urn:problem-type:tidegate:stopping");
  const internal = await failWith(new Error("secret"));
  assert.equal(internal.status, 500);
  assert.ok(!`${unavailable.text}${internal.text}`.includes("secret"));
  assert.equal(log.lines.filter(({ level }) => level === "error").length, 1);
});

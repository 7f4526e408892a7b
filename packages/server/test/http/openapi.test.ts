import assert from "node:assert/strict";
import { test } from "node:test";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import { openApi } from "../../src/http/openapi.ts";
import { METHODS_BY_PATH } from "../../src/http/routes.ts";
import { startDoors } from "../door-support.ts";
import { gossipWith } from "../peers/support.ts";
import {
  createManualTimers,
  decisionWith,
  type HttpAnswer,
  startTestService,
} from "../service-support.ts";

const ajv = new Ajv2020({ strict: false, allErrors: true });
ajv.addSchema(openApi, "document");

function validator(pointer: string): ValidateFunction {
  return ajv.compile({ $ref: `document#${pointer}` });
}

function assertValid(validate: ValidateFunction, value: unknown, what: string): void {
  assert.ok(validate(value), `${what}: ${JSON.stringify(validate.errors)}`);
}

interface Content {
  readonly schema: { readonly $ref?: string };
  readonly example?: unknown;
  readonly examples?: Record<string, { value: unknown }>;
}
type Response = { readonly $ref?: string; readonly content?: Record<string, Content> };
type Operation = { readonly responses: Record<string, Response>; readonly requestBody?: Response };

const operations = Object.entries(openApi.paths).flatMap(([path, methods]) => {
  return Object.entries(methods as Record<string, Operation>).map(([method, operation]) => {
    return { path, method, operation };
  });
});

test("every route is in the document, and every path of the document is a route", () => {
  const documented = new Map<string, string>();
  for (const { path, method } of operations) {
    documented.set(path, method === "get" ? "GET, HEAD" : method.toUpperCase());
  }
  assert.deepEqual(documented, new Map(METHODS_BY_PATH));
});

test("every reference leads somewhere, and every example fits its schema", () => {
  const references = JSON.stringify(openApi).matchAll(/"\$ref":"#([^"]+)"/g);
  for (const [, pointer] of references) assert.ok(resolve(pointer!), pointer);
  let examples = 0;
  const check = (content: Record<string, Content> = {}) => {
    for (const { schema, example, examples: named = {} } of Object.values(content)) {
      const values = Object.values(named).map(({ value }) => value);
      if (example !== undefined) values.push(example);
      for (const value of values) {
        examples += 1;
        assertValid(validator(schema.$ref!.slice(1)), value, JSON.stringify(value));
      }
    }
  };
  for (const { operation } of operations) {
    check(operation.requestBody?.content);
    for (const response of Object.values(operation.responses)) check(response.content);
  }
  for (const response of Object.values(openApi.components.responses)) check(response.content);
  assert.ok(examples > 30);
});

test("real answers are in the document, and fit its schemas", async (context) => {
  const timers = createManualTimers();
  const { http } = await startTestService(context, {}, { timers });
  const json = { policy: "login", key: "a" };
  const calls: readonly (readonly [string, string, unknown?])[] = [
    ["POST", "/v1/check", { ...json, cost: 2 }],
    ["POST", "/v1/check", json],
    ["POST", "/v1/check", { ...json, cost: 3 }],
    ["POST", "/v1/check", { ...json, cost: -1 }],
    ["POST", "/v1/check", { ...json, policy: "nope" }],
    ["POST", "/v1/check", " ".repeat(70_000)],
    ["POST", "/v1/check-all", { requests: [json, json] }],
    ["POST", "/v1/check-all", { requests: [json, {}] }],
    ["GET", "/v1/status?policy=login&key=a"],
    ["GET", "/v1/status?policy=login"],
    ["GET", "/openapi.json"],
    ["GET", "/healthz"],
    ["GET", "/readyz"],
  ];
  const seen = new Set<number>();
  for (const [method, path, body] of calls) {
    const answer = await http(method, path, body);
    seen.add(answer.status);
    assertDocumented(method, path, answer);
  }
  assert.deepEqual([...seen].sort(), [200, 400, 404, 413]);
});

test("the readiness of a service that gossips fits its schema", async (context) => {
  const timers = createManualTimers();
  const { gossip } = gossipWith({ members: ["127.0.0.1:1"] });
  const { http } = await startTestService(context, { gossip, coordination: "gossip" }, { timers });
  assertDocumented("GET", "/readyz", await http("GET", "/readyz"));
});

test("what is held is answered as the document says, denied or not", async (context) => {
  const { http, limiter } = await startDoors(context);
  const held = { key: "user:42", id: "i" };
  const calls: readonly (readonly [string, object])[] = [
    ["/v1/check", { ...held, cost: 2 }],
    ["/v1/check-every", { requests: [{ key: "user:42", cost: 2 }], id: "i" }],
    ["/v1/reserve", { ...held, ttl: "30s" }],
    ["/v1/settle", { ...held, actual: 0 }],
    ["/v1/refund", held],
    ["/v1/acquire", held],
    ["/v1/release", held],
    ["/v1/extend", held],
  ];
  const answerAll = async () => {
    for (const [path, body] of calls) {
      const answer = await http("POST", path, body);
      assert.equal(answer.status, 200, path);
      assertDocumented("POST", path, answer);
      const schema = operations.find((operation) => operation.path === path)!.operation.requestBody!
        .content!["application/json"]!.schema;
      assertValid(validator(schema.$ref!.slice(1)), body, path);
    }
  };
  await answerAll();
  const denied = decisionWith({ allowed: false, retryAfterMs: null });
  for (const method of ["check", "checkEvery", "refund"] as const) {
    limiter.answers.set(method, denied);
  }
  limiter.answers.set("reserve", { ...denied, id: "i", cost: 1, ttlMs: 1 });
  limiter.answers.set("acquire", { ...denied, id: "i", cost: 1, leaseMs: 1 });
  limiter.answers.set("settle", { ...decisionWith(), settled: false });
  limiter.answers.set("release", false);
  limiter.answers.set("extend", false);
  await answerAll();
  for (const [path] of calls) {
    assertDocumented("POST", path, await http("POST", path, { wrong: 1 }));
  }
});

test("the document that is served is this one", async (context) => {
  const { http } = await startTestService(context);
  const answer = await http("GET", "/openapi.json");
  assert.equal(answer.headers["content-type"], "application/json; charset=utf-8");
  assert.deepEqual(answer.json, JSON.parse(JSON.stringify(openApi)));
});

function assertDocumented(method: string, path: string, answer: HttpAnswer): void {
  const what = `${method} ${path} ${answer.status}`;
  const documented = operations.find((operation) => {
    return operation.path === path.split("?")[0] && operation.method === method.toLowerCase();
  });
  let response: Response | undefined = documented?.operation.responses[answer.status];
  if (response?.$ref !== undefined) response = resolve(response.$ref.slice(1)) as Response;
  const type = String(answer.headers["content-type"]).split(";")[0]!;
  const content = response?.content?.[type];
  assert.ok(content, what);
  if (content.schema.$ref !== undefined) {
    assertValid(validator(content.schema.$ref.slice(1)), answer.json, what);
  }
}

function resolve(pointer: string): unknown {
  return pointer
    .split("/")
    .slice(1)
    .reduce<unknown>((value, name) => (value as Record<string, unknown>)?.[name], openApi);
}

// The middleware contract: faults and misuses are handed on or reported, never shown as denials, and let nothing pass.

import assert from "node:assert/strict";
import { it } from "node:test";
import { type Store, TidegateError, tokenBucket } from "tidegate";
import { byUser, createSetup, fail, type GuardOptions, get, type Serve } from "./contract-setup.ts";

const AWAY = new TidegateError("STORE_UNAVAILABLE", "the store is away");

/** A shared store that rejects everything. */
function failingStore(fault: Error): Store {
  return {
    shared: true,
    decide: () => Promise.reject(fault),
    reset: () => Promise.reject(fault),
    ping: () => Promise.reject(fault),
    run: () => Promise.reject(fault),
    split: (parts) => [parts],
    attach() {},
    detach() {},
  };
}

export function describeFaults(serve: Serve): void {
  const failing: [string, Partial<GuardOptions>, Record<string, unknown>][] = [
    ["undefined", { key: () => undefined }, { code: "INVALID_REQUEST", field: "key" }],
    ["an empty text", { key: async () => "" }, { code: "INVALID_REQUEST", field: "key" }],
    [
      "too long a text",
      { key: () => "k".repeat(2_000) },
      { code: "INVALID_REQUEST", field: "key" },
    ],
  ];
  for (const [answer, options, expected] of failing) {
    it(`hands on an error where the key function answers ${answer}`, async () => {
      const { limiter } = createSetup();
      const server = await serve({ guards: [{ limiter, policy: "api", ...options }] });
      const response = await get(server);
      assert.equal(response.status, 500);
      const { code, field } = (await response.json()) as Record<string, unknown>;
      assert.deepEqual({ code, field }, expected);
      assert.equal(server.handled(), 0);
    });
  }

  it("says in that error what to return instead", async () => {
    const { limiter } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "api", key: () => undefined }] });
    const { message } = (await (await get(server)).json()) as { message: string };
    assert.match(message, /key function answered undefined; return a key for every request/);
    assert.match(message, /clientAddress|skip/);
  });

  const throwing: [string, Partial<GuardOptions>][] = [
    ["a key function that throws", { key: fail }],
    ["a key function that rejects", { key: async () => fail() }],
    ["a policy function that throws", { policy: fail }],
    ["a cost function that throws", { cost: fail }],
    ["a skip function that throws", { skip: fail }],
    ["a skip function that rejects", { skip: async () => fail() }],
  ];
  it("hands on an error where the cost function forgets to return", async () => {
    const { limiter } = createSetup();
    const cost = () => undefined as never;
    const server = await serve({ guards: [{ limiter, policy: "api", key: byUser, cost }] });
    const { message } = (await (await get(server)).json()) as { message: string };
    assert.equal(message, "cost must be a whole number from 0 to 1000000000, got undefined");
    assert.equal(server.handled(), 0);
  });

  for (const [what, options] of throwing) {
    it(`hands on the error of ${what}`, async () => {
      const { limiter } = createSetup();
      const server = await serve({ guards: [{ limiter, policy: "api", key: byUser, ...options }] });
      const response = await get(server);
      assert.equal(response.status, 500);
      assert.equal(((await response.json()) as { message: string }).message, "broken on purpose");
      assert.equal(server.handled(), 0);
    });
  }

  for (const reason of [undefined, null, "route", "router", 0]) {
    it(`does not let a request pass where a key function rejects with ${String(reason)}`, async () => {
      const { limiter } = createSetup();
      const key = () => Promise.reject<string>(reason);
      const server = await serve({ guards: [{ limiter, policy: "api", key }] });
      const response = await get(server);
      assert.equal(response.status, 500);
      assert.match(((await response.json()) as { message: string }).message, /not an error/);
      assert.equal(server.handled(), 0);
    });
  }

  it("hands on the error of an onDenied that throws", async () => {
    const { limiter } = createSetup();
    const guard = { limiter, policy: "api", key: byUser, cost: 4 };
    const server = await serve({ guards: [{ ...guard, onDenied: "throw" }] });
    const response = await get(server);
    assert.equal(response.status, 500);
    assert.equal(((await response.json()) as { message: string }).message, "broken on purpose");
  });

  it("hands on a wrong cost and an unknown policy", async () => {
    const { limiter } = createSetup();
    const wrongCost = await serve({
      guards: [{ limiter, policy: "api", key: byUser, cost: () => 1.5 }],
    });
    const unknown = await serve({ guards: [{ limiter, policy: () => "apy", key: byUser }] });
    const first = (await (await get(wrongCost)).json()) as Record<string, unknown>;
    assert.deepEqual([first.code, first.field], ["INVALID_REQUEST", "cost"]);
    const second = (await (await get(unknown)).json()) as Record<string, unknown>;
    assert.deepEqual([second.code, second.field], ["UNKNOWN_POLICY", "policy"]);
    assert.match(String(second.message), /did you mean "api"/);
  });

  it("hands on a fault that is no failure of the store, never as a denial", async () => {
    const { limiter } = createSetup(failingStore(new Error("a bug")));
    const server = await serve({ guards: [{ limiter, policy: "api", key: byUser }] });
    const response = await get(server);
    assert.equal(response.status, 500);
    assert.equal(response.headers.get("ratelimit"), null);
    assert.equal(response.headers.get("retry-after"), null);
    assert.equal(((await response.json()) as { message: string }).message, "a bug");
    assert.equal(server.handled(), 0);
  });

  it("lets pass what the store gives no answer for, where the policy says allow", async () => {
    const { limiter } = createSetup(failingStore(AWAY));
    const server = await serve({ guards: [{ limiter, policy: "api", key: byUser }] });
    for (let times = 0; times < 10; times += 1) {
      const response = await get(server);
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("ratelimit"), '"api";r=3');
      assert.equal(((await response.json()) as { source: string }).source, "fail-open");
    }
  });

  it("answers with 503 what the store gives no answer for, where the policy says deny", async () => {
    const limits = [tokenBucket({ capacity: 3, refill: "1/10s" })];
    const policies = { strict: { limits, onStoreFailure: "deny" as const } };
    const { limiter } = createSetup(failingStore(AWAY), policies);
    const guard = { limiter, policy: "strict", key: byUser };
    const server = await serve({ guards: [guard] });
    const response = await get(server);
    assert.equal(response.status, 503);
    assert.equal(response.headers.get("retry-after"), "1");
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.deepEqual(await response.json(), {
      type: "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity",
      title: "Request cannot be satisfied due to temporary server capacity constraints",
      status: 503,
      detail:
        "Requests cannot be counted at present, and so none is admitted; try again in 1 second.",
    });
    const dear = await serve({ guards: [{ ...guard, cost: 4 }] });
    const never = await get(dear);
    assert.equal(never.status, 429, "no store would admit it");
    assert.equal(never.headers.get("retry-after"), null);
    const own = await serve({ guards: [{ ...guard, onDenied: "answer" }] });
    assert.equal((await get(own)).status, 418);
    assert.equal(server.handled() + dear.handled() + own.handled(), 0);
  });

  it("reports once that one request is counted twice under one key", async () => {
    const { limiter } = createSetup();
    const warnings: { code: string; message: string }[] = [];
    const onWarning = (warning: { code: string; message: string }) => warnings.push(warning);
    const guard = { limiter, policy: "api", key: byUser, onWarning };
    const server = await serve({ guards: [guard, guard] });
    const response = await get(server);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("ratelimit-policy"), '"api";q=3;w=30');
    assert.equal(response.headers.get("ratelimit"), '"api";r=1;t=10');
    await get(server);
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ["TIDEGATE_COUNTED_TWICE"],
    );
    assert.match(warnings[0]!.message, /"api".*mounted twice.*remove one/s);
  });

  it("does not take different keys, policies or looks for counting twice", async () => {
    const { limiter } = createSetup();
    const warnings: string[] = [];
    const onWarning = ({ code }: { code: string }) => warnings.push(code);
    const guard = { limiter, policy: "api", key: byUser, onWarning };
    const other = createSetup().limiter;
    const server = await serve({
      guards: [
        guard,
        { ...guard, key: () => "someone else" },
        { ...guard, policy: "both" },
        { ...guard, cost: 0 },
        { ...guard, limiter: other },
      ],
    });
    assert.equal((await get(server)).status, 200);
    assert.deepEqual(warnings, []);
  });
}

// The middleware contract: what is answered, allowed and denied.

import assert from "node:assert/strict";
import { it } from "node:test";
import { parseList } from "structured-headers";
import type { Decision } from "tidegate";
import { byUser, createSetup, get, type Serve } from "./contract-setup.ts";

export function describeAnswers(serve: Serve): void {
  it("lets requests through with headers and the decision, until the limit", async () => {
    const { limiter } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "api", key: byUser }] });
    for (const remaining of [2, 1, 0]) {
      const response = await get(server, { "x-user": "ada" });
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("ratelimit-policy"), '"api";q=3;w=30');
      assert.equal(response.headers.get("ratelimit"), `"api";r=${remaining};t=10`);
      assert.equal(response.headers.get("retry-after"), null);
      const decision = (await response.json()) as Decision;
      assert.equal(decision.remaining, remaining);
      assert.equal(decision.key, "ada");
      assert.equal(decision.policy, "api");
    }
    const denied = await get(server, { "x-user": "ada" });
    assert.equal(denied.status, 429);
    assert.equal((await get(server, { "x-user": "bob" })).status, 200);
    assert.equal(server.handled(), 4);
  });

  it("answers a denial with 429, headers, and a problem document", async () => {
    const { clock, limiter } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "api", key: byUser, cost: 3 }] });
    await get(server);
    clock.advanceMs(1_500);
    const response = await get(server);
    assert.equal(response.status, 429);
    assert.equal(response.headers.get("content-type"), "application/problem+json");
    assert.equal(response.headers.get("cache-control"), "no-store");
    assert.equal(response.headers.get("ratelimit-policy"), '"api";q=3;w=30');
    assert.equal(response.headers.get("ratelimit"), '"api";r=0;t=9');
    assert.equal(response.headers.get("retry-after"), "29");
    const body = await response.text();
    assert.equal(response.headers.get("content-length"), String(Buffer.byteLength(body)));
    assert.deepEqual(JSON.parse(body), {
      type: "https://iana.org/assignments/http-problem-types#quota-exceeded",
      title: "Request cannot be satisfied as assigned quota has been exceeded",
      status: 429,
      detail:
        'The limit "api" of 3 has 0 left, which is less than the request costs; try again in 29 seconds.',
      "violated-policies": ["api"],
    });
  });

  it("admits again at Retry-After, and not a second before", async () => {
    const { clock, limiter } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "login", key: byUser }] });
    clock.advanceMs(12_345);
    await get(server);
    await get(server);
    const seconds = Number((await get(server)).headers.get("retry-after"));
    assert.equal(seconds, 48);
    clock.advanceMs((seconds - 1) * 1_000);
    assert.equal((await get(server)).status, 429);
    clock.advanceMs(1_000);
    assert.equal((await get(server)).status, 200);
  });

  it("names the limit that bound of a policy of several", async () => {
    const { limiter } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "both", key: byUser }] });
    await get(server);
    await get(server);
    const response = await get(server);
    assert.equal(response.status, 429);
    assert.equal(response.headers.get("ratelimit-policy"), '"burst";q=5;w=5, "daily";q=2;w=86400');
    assert.match(response.headers.get("ratelimit")!, /^"daily";r=0;t=\d+$/);
    const problem = (await response.json()) as Record<string, unknown>;
    assert.deepEqual(problem["violated-policies"], ["daily"]);
  });

  it("promises no retry where the cost is above the limit", async () => {
    const { limiter } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "api", key: byUser, cost: 4 }] });
    const response = await get(server);
    assert.equal(response.status, 429);
    assert.equal(response.headers.get("retry-after"), null);
    assert.equal(response.headers.get("ratelimit"), '"api";r=3');
    assert.match(((await response.json()) as { detail: string }).detail, /waiting does not help/);
  });

  it("counts HEAD and OPTIONS too, and answers them without a body", async () => {
    const { limiter } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "login", key: byUser }] });
    for (const [method, remaining] of [
      ["HEAD", 1],
      ["OPTIONS", 0],
    ]) {
      const response = await fetch(server.url, { method: String(method) });
      assert.equal(response.status, 200);
      assert.match(response.headers.get("ratelimit")!, new RegExp(`^"login";r=${remaining};`));
    }
    const head = await fetch(server.url, { method: "HEAD" });
    assert.equal(head.status, 429);
    assert.equal(head.headers.get("content-type"), "application/problem+json");
    assert.equal(await head.text(), "");
    assert.equal((await fetch(server.url, { method: "OPTIONS" })).status, 429);
  });

  it("admits exactly the limit of many requests at once", async () => {
    const { limiter } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "api", key: byUser }] });
    const responses = await Promise.all(Array.from({ length: 25 }, () => get(server)));
    const allowed = responses.filter((response) => response.status === 200);
    assert.equal(allowed.length, 3);
    assert.equal(responses.filter((response) => response.status === 429).length, 22);
    assert.equal(server.handled(), 3);
  });

  it("tells of every policy where two are stacked, and stops at the first that denies", async () => {
    const { limiter } = createSetup();
    const warnings: string[] = [];
    const onWarning = ({ code }: { code: string }) => warnings.push(code);
    const server = await serve({
      guards: [
        { limiter, policy: "login", key: byUser, onWarning },
        { limiter, policy: "api", key: byUser, onWarning },
      ],
    });
    const response = await get(server);
    assert.equal(response.status, 200);
    const policies = parseList(response.headers.get("ratelimit-policy")!);
    assert.deepEqual(
      policies.map(([name]) => name),
      ["login", "api"],
    );
    const limits = parseList(response.headers.get("ratelimit")!);
    assert.deepEqual(
      limits.map(([name, parameters]) => [name, parameters.get("r")]),
      [
        ["login", 1],
        ["api", 2],
      ],
    );
    await get(server);
    const denied = await get(server);
    assert.equal(denied.status, 429);
    assert.match(denied.headers.get("ratelimit")!, /^"login";r=0;t=60$/);
    const api = await limiter.peek({ policy: "api", key: "nobody" });
    assert.equal(api.remaining, 1, "the second policy was not asked");
    assert.deepEqual(warnings, []);
  });
}

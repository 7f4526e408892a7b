// The middleware contract: each option does what it says.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Decision } from "tidegate";
import { byUser, createSetup, get, type Serve } from "./contract-setup.ts";

export function describeOptions(serve: Serve): void {
  it("takes policy, key and cost from the request, the key also later", async () => {
    const { limiter } = createSetup();
    const server = await serve({
      guards: [
        {
          limiter,
          policy: (request) => (request.path === "/login" ? "login" : "api"),
          key: async (request) => Promise.resolve(`user:${request.header("x-user")}`),
          cost: (request) => Number(request.header("x-cost") ?? "1"),
        },
      ],
    });
    const login = (await (await get(server, { "x-user": "ada" }, "/login")).json()) as Decision;
    assert.deepEqual([login.policy, login.key, login.remaining], ["login", "user:ada", 1]);
    const api = (await (await get(server, { "x-user": "ada", "x-cost": "2" })).json()) as Decision;
    assert.deepEqual([api.policy, api.key, api.remaining], ["api", "user:ada", 1]);
    const look = (await (await get(server, { "x-user": "ada", "x-cost": "0" })).json()) as Decision;
    assert.deepEqual([look.allowed, look.remaining], [true, 1]);
  });

  it("does not count what is skipped, and sends no headers for it", async () => {
    const { limiter } = createSetup();
    const server = await serve({
      guards: [
        {
          limiter,
          policy: "login",
          key: byUser,
          skip: async (request) => request.path === "/health",
        },
      ],
    });
    for (let count = 0; count < 5; count += 1) {
      const response = await get(server, {}, "/health");
      assert.equal(response.status, 200);
      assert.equal(response.headers.get("ratelimit"), null);
      assert.equal(response.headers.get("ratelimit-policy"), null);
      assert.equal(await response.json(), null);
    }
    assert.match((await get(server)).headers.get("ratelimit")!, /^"login";r=1;/);
  });

  it("leaves a denial to onDenied, with the headers set", async () => {
    const { limiter } = createSetup();
    const server = await serve({
      guards: [{ limiter, policy: "login", key: byUser, cost: 2, onDenied: "answer" }],
    });
    assert.equal((await get(server)).status, 200);
    const response = await get(server);
    assert.equal(response.status, 418);
    assert.equal(response.headers.get("retry-after"), "60");
    assert.equal(await response.text(), "login");
    assert.equal(server.handled(), 1);
  });

  it("lets onDenied pass a request on", async () => {
    const { limiter } = createSetup();
    const server = await serve({
      guards: [{ limiter, policy: "login", key: byUser, cost: 3, onDenied: "pass" }],
    });
    const response = await get(server);
    assert.equal(response.status, 200);
    assert.equal(((await response.json()) as Decision).allowed, false);
  });

  it("sends no headers where they are turned off", async () => {
    const { limiter } = createSetup();
    const server = await serve({
      guards: [{ limiter, policy: "login", key: byUser, cost: 2, headers: false }],
    });
    for (const status of [200, 429]) {
      const response = await get(server);
      assert.equal(response.status, status);
      for (const name of ["ratelimit", "ratelimit-policy", "retry-after"]) {
        assert.equal(response.headers.get(name), null);
      }
    }
  });

  it("sends the version that is asked for", async () => {
    const { limiter } = createSetup();
    const server = await serve({
      guards: [{ limiter, policy: "login", key: byUser, headers: "draft-11" }],
    });
    assert.equal((await get(server)).headers.get("ratelimit"), '"login";r=1;t=60');
  });
}

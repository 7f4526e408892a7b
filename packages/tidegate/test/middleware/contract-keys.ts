// The middleware contract: keys with limits of their own, and decisions that flag rather than deny.

import assert from "node:assert/strict";
import { it } from "node:test";
import {
  concurrency,
  type Decision,
  fixedWindow,
  leakyBucket,
  type OverrideOptions,
  type PolicyOptions,
  tokenBucket,
} from "tidegate";
import { byUser, createSetup, get, type Serve } from "./contract-setup.ts";

const FIELDS = ["ratelimit-policy", "ratelimit", "retry-after"];

export function describeKeys(serve: Serve): void {
  async function serveOne(policy: PolicyOptions) {
    const setup = createSetup(undefined, { one: policy });
    const guard = { limiter: setup.limiter, policy: "one", key: byUser };
    const server = await serve({ guards: [guard] });
    const ask = async (user: string) => {
      const response = await get(server, { "x-user": user });
      const fields = FIELDS.map((name) => response.headers.get(name));
      return { status: response.status, fields, body: await response.json() };
    };
    return { ...setup, server, ask };
  }

  const kinds: [string, PolicyOptions["limits"][number], string][] = [
    ["a bucket", tokenBucket({ capacity: 1, refill: "1/s" }), '"one";q=1;w=1'],
    ["a queue", leakyBucket({ rate: "1/s", queue: 0 }), '"one";q=1;w=1'],
    [
      "a concurrency limit",
      concurrency({ limit: 1, lease: "1s" }),
      '"one";q=1;qu="concurrent-requests"',
    ],
  ];
  for (const [what, limit, told] of kinds) {
    const own: OverrideOptions =
      limit.algorithm === "concurrency"
        ? { key: "vip:*", limits: [concurrency({ limit: 9, lease: "1s", name: "vip" })] }
        : { key: "vip:*", limits: [fixedWindow({ limit: 9, window: "1h", name: "vip" })] };
    const toldOwn =
      limit.algorithm === "concurrency" ? '"vip";q=9;qu="concurrent-requests"' : '"vip";q=9;w=3600';

    it(`tells what holds for the key, where the policy has ${what}`, async () => {
      const { ask, server } = await serveOne({
        limits: [limit],
        overrides: [own, { key: "root", unlimited: true }, { key: "mallory", blocked: true }],
      });
      assert.equal((await ask("ada")).fields[0], told);
      const vip = await ask("vip:1");
      assert.deepEqual([vip.status, vip.fields[0]], [200, toldOwn]);
      assert.match(String(vip.fields[1]), /^"vip";r=8/);
      for (let times = 0; times < 3; times += 1) {
        const root = await ask("root");
        assert.deepEqual([root.status, root.fields], [200, [null, null, null]]);
        assert.equal((root.body as Decision).limitName, "unlimited");
      }
      const handled = server.handled();
      const mallory = await ask("mallory");
      assert.equal(mallory.status, 429);
      assert.deepEqual(mallory.fields, ['"blocked";q=0', '"blocked";r=0', null]);
      const problem = mallory.body as Record<string, unknown>;
      assert.equal(problem.detail, "Requests of this caller are blocked; waiting does not help.");
      assert.deepEqual(problem["violated-policies"], ["blocked"]);
      assert.equal(server.handled(), handled);
    });
  }

  it("says when a block ends, and admits then", async () => {
    const { ask, clock } = await serveOne({
      limits: [fixedWindow({ limit: 9, window: "1h" })],
      overrides: [{ key: "eve", blocked: true, until: "2026-01-01T00:01:29.500Z" }],
    });
    const blocked = await ask("eve");
    assert.deepEqual(blocked.fields, ['"blocked";q=0', '"blocked";r=0;t=90', "90"]);
    assert.equal(
      (blocked.body as { detail: string }).detail,
      "Requests of this caller are blocked; try again in 90 seconds.",
    );
    clock.advanceMs(90_000);
    const free = await ask("eve");
    assert.deepEqual([free.status, free.fields[0]], [200, '"one";q=9;w=3600']);
  });

  it("lets go on what is beyond a soft limit or near one, and shows it to the handler", async () => {
    const { ask } = await serveOne({
      limits: [fixedWindow({ limit: 2, window: "1h", soft: true })],
    });
    const seen: unknown[] = [];
    for (let times = 0; times < 3; times += 1) {
      const { status, fields, body } = await ask("ada");
      const { soft, nearLimit } = body as Decision;
      seen.push([status, soft, nearLimit, ...fields]);
    }
    const policy = '"one";q=2;w=3600;tidegate-soft';
    assert.deepEqual(seen, [
      [200, false, false, policy, '"one";r=1;t=3600', null],
      [200, false, true, policy, '"one";r=0;t=3600', null],
      [200, true, true, policy, '"one";r=0;t=3600', null],
    ]);
  });

  for (const [what, limit] of kinds) {
    it(`holds nobody back with a shadow policy of ${what}, tells nothing, and shows it to the handler`, async () => {
      const setup = createSetup(undefined, { one: { limits: [limit], shadow: true } });
      const guard = { limiter: setup.limiter, policy: "one", key: byUser, cost: 2 };
      const server = await serve({ guards: [{ ...guard, onDenied: "throw" }] });
      for (let times = 0; times < 3; times += 1) {
        const response = await get(server);
        assert.equal(response.status, 200);
        for (const name of FIELDS) assert.equal(response.headers.get(name), null);
        const { allowed, shadow, delayMs } = (await response.json()) as Decision;
        assert.deepEqual([allowed, shadow, delayMs], [true, true, 0]);
      }
    });
  }

  it("leaves the fields of other policies where one tells nothing", async () => {
    const { limiter } = createSetup(undefined, {
      trial: { limits: [fixedWindow({ limit: 1, window: "1h" })], shadow: true },
    });
    const server = await serve({
      guards: [
        { limiter, policy: "login", key: byUser },
        { limiter, policy: "trial", key: byUser },
      ],
    });
    const response = await get(server);
    assert.equal(response.headers.get("ratelimit-policy"), '"login";q=2;w=60');
    assert.equal(response.headers.get("ratelimit"), '"login";r=1;t=60');
  });
}

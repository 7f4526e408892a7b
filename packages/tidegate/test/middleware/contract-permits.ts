// The middleware contract: policies with a concurrency limit. A permit is held exactly as long as the response takes,
// however that ends.

import assert from "node:assert/strict";
import { it } from "node:test";
import { concurrency, fixedWindow, type Limiter } from "tidegate";
import {
  byUser,
  createGate,
  createSetup,
  fail,
  get,
  pipeline,
  type Serve,
} from "./contract-setup.ts";

export function describePermits(serve: Serve): void {
  async function serveExports({ answer = (): number | Promise<number> => 200 } = {}) {
    const setup = createSetup();
    const { limiter } = setup;
    const guards = [{ limiter, policy: "exports", key: byUser }];
    return { ...setup, server: await serve({ guards, answer }) };
  }

  it("admits as many at once as there are permits, and the next when one is done", async () => {
    const gate = createGate();
    const { server, limiter, store } = await serveExports(gate);
    const first = get(server);
    await store.untilAsked("take", 1);
    const second = get(server);
    await gate.untilBegun(2);
    assert.equal(await heldBy(limiter), 2);
    const denied = await get(server);
    assert.equal(denied.status, 429);
    assert.equal(denied.headers.get("ratelimit-policy"), '"exports";q=2;qu="concurrent-requests"');
    assert.equal(denied.headers.get("ratelimit"), '"exports";r=0');
    assert.equal(denied.headers.get("retry-after"), "30", "at latest when the first lease ends");
    const problem = (await denied.json()) as Record<string, unknown>;
    assert.deepEqual(problem["violated-policies"], ["exports"]);
    gate.open(0);
    const response = await first;
    assert.equal(response.status, 200);
    assert.equal(response.headers.get("ratelimit"), '"exports";r=1');
    await response.text();
    await store.untilAsked("release", 1);
    const third = get(server);
    await gate.untilBegun(3);
    gate.open(1);
    gate.open(2);
    assert.deepEqual([(await second).status, (await third).status], [200, 200]);
    await store.untilAsked("release", 3);
    assert.equal(await heldBy(limiter), 0);
  });

  it("gives the permit back once when the client goes away", async () => {
    const gate = createGate();
    const { server, limiter, store } = await serveExports(gate);
    const abort = new AbortController();
    const leaving = get(server, {}, "/", abort.signal);
    await gate.untilBegun(1);
    assert.equal(await heldBy(limiter), 1);
    abort.abort();
    await assert.rejects(leaving, { name: "AbortError" });
    await store.untilAsked("release", 1);
    assert.equal(await heldBy(limiter), 0);
    // The handler that answers nobody, afterwards.
    gate.open(0);
    const staying = get(server);
    await gate.untilBegun(2);
    gate.open(1);
    await (await staying).text();
    await store.untilAsked("release", 2);
    assert.equal(store.count("release"), 2);
  });

  it("gives the permits back of all requests of a connection that closes", async () => {
    const gate = createGate();
    const { server, limiter, store } = await serveExports(gate);
    const connection = await pipeline(server, 3);
    await store.untilAsked("take", 3);
    await gate.untilBegun(2);
    connection.destroy();
    await store.untilAsked("release", 2);
    assert.equal(await heldBy(limiter), 0);
  });

  it("keeps the permit while a long response runs, for many leases", async () => {
    const gate = createGate();
    const { server, limiter, store, timer } = await serveExports(gate);
    const long = get(server);
    await gate.untilBegun(1);
    await timer.advanceMs(300_000);
    assert.equal(await heldBy(limiter), 1);
    assert.equal(store.count("extend"), 30, "three times a lease");
    gate.open(0);
    await (await long).text();
    await store.untilAsked("release", 1);
    await timer.untilWaiting(0);
    assert.equal(await heldBy(limiter), 0);
  });

  it("gives the permit back where the handler fails", async () => {
    const { server, limiter, store } = await serveExports({ answer: fail });
    const response = await get(server);
    assert.equal(response.status, 500);
    assert.equal(((await response.json()) as { message: string }).message, "broken on purpose");
    await store.untilAsked("release", 1);
    assert.equal(await heldBy(limiter), 0);
  });

  it("gives the permit back where a later middleware denies", async () => {
    const { limiter, store } = createSetup();
    const server = await serve({
      guards: [
        { limiter, policy: "exports", key: byUser },
        { limiter, policy: "api", key: byUser, cost: 4 },
      ],
    });
    assert.equal((await get(server)).status, 429);
    await store.untilAsked("release", 1);
    assert.equal(await heldBy(limiter), 0);
  });

  it("lets a request go on whose permit is lost, and others in meanwhile", async () => {
    const gate = createGate();
    const { server, limiter, store, timer } = await serveExports(gate);
    const long = get(server);
    await gate.untilBegun(1);
    await limiter.reset({ policy: "exports", key: "nobody" });
    await timer.advanceMs(30_000);
    assert.equal(await heldBy(limiter), 0);
    await timer.untilWaiting(0);
    gate.open(0);
    assert.equal((await long).status, 200);
    await store.untilAsked("release", 1);
  });

  it("neither runs the handler nor keeps the permit for a client that left before it was had", async () => {
    const { server, limiter, store } = await serveExports();
    const goOn = store.hold("take");
    const abort = new AbortController();
    const leaving = get(server, {}, "/", abort.signal);
    await store.untilAsked("take", 1);
    abort.abort();
    await assert.rejects(leaving, { name: "AbortError" });
    await server.untilClosed(1);
    goOn();
    await store.untilAsked("release", 1);
    assert.equal(await heldBy(limiter), 0);
    assert.equal((await get(server)).status, 200);
    assert.equal(server.handled(), 1);
  });

  it("takes as many as a request costs, and only looks at a cost of 0", async () => {
    const gate = createGate();
    const { limiter, store } = createSetup();
    const guard = { limiter, policy: "exports", key: byUser };
    const server = await serve({ guards: [{ ...guard, cost: 2 }], answer: gate.answer });
    const looking = await serve({ guards: [{ ...guard, cost: 0 }] });
    const both = get(server);
    await gate.untilBegun(1);
    const look = await get(looking);
    assert.deepEqual([look.status, look.headers.get("ratelimit")], [200, '"exports";r=0']);
    assert.equal(store.count("take"), 1);
    gate.open(0);
    await (await both).text();
    await store.untilAsked("release", 1);
    assert.equal(store.count("release"), 1);
  });

  it("charges the other limits of the policy, which deny too", async () => {
    const { limiter, store } = createSetup(undefined, {
      reports: {
        limits: [
          concurrency({ limit: 2, lease: "30s", name: "running" }),
          fixedWindow({ limit: 1, window: "1m", name: "minute" }),
        ],
      },
    });
    const server = await serve({ guards: [{ limiter, policy: "reports", key: byUser }] });
    await (await get(server)).text();
    await store.untilAsked("release", 1);
    const denied = await get(server);
    assert.equal(denied.status, 429);
    assert.equal(
      denied.headers.get("ratelimit-policy"),
      '"running";q=2;qu="concurrent-requests", "minute";q=1;w=60',
    );
    assert.equal(denied.headers.get("ratelimit"), '"minute";r=0;t=60');
    assert.equal(denied.headers.get("retry-after"), "60");
  });
}

async function heldBy(limiter: Limiter): Promise<number> {
  const { limit, remaining } = await limiter.peek({ policy: "exports", key: "nobody", cost: 0 });
  return limit - remaining;
}

// The middleware contract: policies with a queue. What is admitted waits for its turn, and no longer than its client.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Decision } from "tidegate";
import { byUser, createSetup, get, pipeline, type Serve } from "./contract-setup.ts";

export function describeQueues(serve: Serve): void {
  it("lets requests go in their turn, and denies at once what the queue cannot hold", async () => {
    const { limiter, timer } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "mail", key: byUser }] });
    const first = await get(server);
    assert.deepEqual([first.status, ((await first.json()) as Decision).delayMs], [200, 0]);
    assert.equal(first.headers.get("ratelimit-policy"), '"mail";q=3;w=3');
    assert.equal(first.headers.get("ratelimit"), '"mail";r=2;t=1');
    const second = get(server);
    await timer.untilWaiting(1);
    const third = get(server);
    await timer.untilWaiting(2);
    const denied = await get(server);
    assert.equal(denied.status, 429);
    assert.equal(denied.headers.get("retry-after"), "1");
    assert.equal(denied.headers.get("ratelimit"), '"mail";r=0;t=1');
    await timer.advanceMs(999);
    assert.equal(server.handled(), 1);
    await timer.advanceMs(1);
    const told = await second;
    assert.deepEqual([told.status, ((await told.json()) as Decision).delayMs], [200, 1_000]);
    assert.equal(server.handled(), 2);
    await timer.advanceMs(999);
    assert.equal(server.handled(), 2);
    await timer.advanceMs(1);
    assert.equal(((await (await third).json()) as Decision).delayMs, 2_000);
    assert.equal(server.handled(), 3);
  });

  it("keeps nobody waiting for others' turns", async () => {
    const { limiter } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "mail", key: byUser }] });
    for (const user of ["ada", "bob", "eve"]) {
      assert.equal((await get(server, { "x-user": user })).status, 200);
    }
  });

  it("stops waiting when the client goes away, and hands on nothing; the place stays taken", async () => {
    const { limiter, timer } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "mail", key: byUser }] });
    await get(server);
    const abort = new AbortController();
    const leaving = get(server, {}, "/", abort.signal);
    await timer.untilWaiting(1);
    const staying = get(server);
    await timer.untilWaiting(2);
    abort.abort();
    await assert.rejects(leaving, { name: "AbortError" });
    await timer.untilWaiting(1);
    assert.equal((await get(server)).status, 429);
    await timer.advanceMs(1_999);
    assert.equal(server.handled(), 1);
    await timer.advanceMs(1);
    assert.equal((await staying).status, 200);
    assert.equal(server.handled(), 2);
  });

  it("stops waiting for all requests of a connection that closes", async () => {
    const { limiter, timer } = createSetup();
    const server = await serve({ guards: [{ limiter, policy: "mail", key: byUser }] });
    await get(server);
    const connection = await pipeline(server, 2);
    await timer.untilWaiting(2);
    connection.destroy();
    await timer.untilWaiting(0);
    await timer.advanceMs(5_000);
    assert.equal(server.handled(), 1);
  });

  it("lets what costs nothing through at once", async () => {
    const { limiter } = createSetup();
    const guard = { limiter, policy: "mail", key: byUser };
    const server = await serve({ guards: [{ ...guard, cost: 3 }] });
    const looking = await serve({ guards: [{ ...guard, cost: 0 }] });
    assert.equal((await get(server)).headers.get("ratelimit"), '"mail";r=0;t=1');
    assert.equal((await get(looking)).headers.get("ratelimit"), '"mail";r=0;t=1');
    assert.equal((await get(looking, { "x-user": "ada" })).headers.get("ratelimit"), '"mail";r=3');
  });
}

// Traps of what is held while the store is away: calls that hang with it, and holders that were cut off and come back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, createLimiter, fixedWindow } from "tidegate";
import { redisStore } from "tidegate/redis";
import { eventually } from "../support/eventually.ts";
import { startRedis, withoutRedis } from "../support/redis-server.ts";
import { ALGORITHMS, inEveryWorld } from "./worlds.ts";

const request = { policy: "api", key: "k" };
const job = { policy: "job", key: "k" };

test("trap 14: while Redis hangs every call that holds something ends by itself, and is repeated once it goes on", {
  skip: withoutRedis,
  timeout: 60_000,
}, async () => {
  const server = await startRedis();
  const limiter = createLimiter({
    store: redisStore({ url: server.url }),
    policies: {
      api: { limits: [fixedWindow({ limit: 100, window: "36500d" })], idTtl: "1h" },
      job: { limits: [concurrency({ limit: 5, lease: "1h" })] },
    },
  });
  try {
    const reservation = await limiter.reserve({ ...request, cost: 10, ttl: "1h" });
    const [kept, given] = await Promise.all([limiter.acquire(job), limiter.acquire(job)]);
    let worked = 0;
    const calls = {
      reserve: () => limiter.reserve({ ...request, cost: 3, id: "r", ttl: "1h" }),
      settle: () => limiter.settle(reservation, 4),
      refund: () => limiter.refund({ ...request, cost: 0, id: "b" }),
      acquire: () => limiter.acquire({ ...job, id: "p" }),
      extend: () => limiter.extend(kept),
      release: () => limiter.release(given),
      withPermit: () => limiter.withPermit({ ...job, id: "w" }, async () => (worked += 1)),
    };
    process.kill(server.pid, "SIGSTOP");
    // Twice: on the connection that hangs, and where there is none any more. Redis goes on after all have ended only.
    for (let time = 0; time < 2; time += 1) {
      for (const [name, result] of Object.entries(await endingsOf(calls))) {
        assert.deepEqual(result, { code: "STORE_UNAVAILABLE", transient: true }, name);
      }
    }
    assert.equal(worked, 0, "without a permit nothing is run");
    process.kill(server.pid, "SIGCONT");
    for (const call of Object.values(calls)) await eventually<unknown>(call);
    // What hung may be carried out as late as now, which under the same ids changes nothing.
    await eventually(async () => {
      assert.match(await server.client.info("clients"), /connected_clients:2\r/);
    });
    assert.equal((await limiter.peek({ ...request, cost: 0 })).remaining, 93, "4 and 3 were taken");
    assert.equal((await limiter.settle(reservation, 0)).settled, true);
    assert.equal(
      (await limiter.peek({ ...request, cost: 0 })).remaining,
      93,
      "it was settled once",
    );
    assert.equal(worked, 1);
    assert.deepEqual([await limiter.extend(kept), await limiter.release(given)], [true, false]);
  } finally {
    await limiter.close();
    await server.stop();
  }
});

/** Makes all calls at once, and tells how each ended. */
async function endingsOf(calls: Readonly<Record<string, () => Promise<unknown>>>) {
  const endings = Object.entries(calls).map(async ([name, call]) => {
    const ending = await call().then(
      () => "it was answered",
      ({ code, transient }) => ({ code, transient }),
    );
    return [name, ending] as const;
  });
  return Object.fromEntries(await Promise.all(endings));
}

inEveryWorld("holding", (world) => {
  for (const { name, limitOf, overMs } of ALGORITHMS) {
    test(`trap 17: what a holder that was cut off settles is a debt with a floor: ${name}`, async () => {
      let lost = false;
      const limiter = world.openLossy({ api: { limits: [limitOf(10)] } }, () => lost);
      const reservations = await Promise.all(
        Array.from({ length: 10 }, () => limiter.reserve({ ...request, ttl: "1d" })),
      );
      assert.ok(reservations.every(({ allowed }) => allowed));
      await world.pass(overMs / 4);
      // Cut off, it settles again and again; all of it arrives, and none of the answers.
      lost = true;
      for (let time = 0; time < 3; time += 1) {
        for (const reservation of reservations) {
          await assert.rejects(limiter.settle(reservation, 1_000_000), { transient: true });
        }
      }
      lost = false;
      for (const reservation of reservations) {
        assert.equal((await limiter.settle(reservation, 1_000_000)).settled, true);
      }
      const denied = await limiter.check(request);
      assert.equal(denied.allowed, false, "what was used counts");
      assert.ok(denied.retryAfterMs! <= 2 * overMs, `${denied.retryAfterMs} ms`);
      await world.pass(2 * overMs);
      assert.equal((await limiter.check({ ...request, cost: 10 })).allowed, true, "no lock-out");
    });

    test(`trap 17: a reservation that a partition outlived is charged no more when it heals: ${name}`, async () => {
      const limiter = world.open({ api: { limits: [limitOf(10)] } });
      const reservation = await limiter.reserve({ ...request, cost: 10, ttl: "1m" });
      await world.pass(10 * 86_400_000);
      assert.equal((await limiter.settle(reservation, 1_000_000)).settled, false);
      assert.equal((await limiter.settle(reservation, 0)).settled, false);
      const { allowed, remaining } = await limiter.check({ ...request, cost: 4 });
      assert.deepEqual([allowed, remaining], [true, 6], "as if it had never been away");
    });
  }

  test("trap 17: a permit that a partition outlived keeps nobody out, nor does its holder when it heals", async () => {
    let lost = false;
    const policies = { job: { limits: [concurrency({ limit: 2, lease: "1m" })] } };
    const limiter = world.openLossy(policies, () => lost);
    const [first, second] = await Promise.all([limiter.acquire(job), limiter.acquire(job)]);
    // Half cut off: what the holder of the first asks arrives, and it is told nothing.
    lost = true;
    for (let time = 0; time < 100; time += 1) {
      await assert.rejects(limiter.extend(first), { transient: true });
      await assert.rejects(limiter.acquire({ ...job, id: `${time}` }), { transient: true });
    }
    lost = false;
    await world.pass(30_000);
    assert.equal(await limiter.extend(first), true);
    await world.pass(30_000);
    const other = await limiter.acquire(job);
    assert.equal(other.allowed, true, "the lease of the second is over");
    const denied = await limiter.acquire(job);
    assert.deepEqual(
      [denied.allowed, denied.retryAfterMs],
      [false, 30_000],
      "one lease, from then",
    );
    await world.pass(30_000);
    assert.equal((await limiter.acquire(job)).allowed, true);
    for (const permit of [first, second]) {
      assert.equal(await limiter.extend(permit), false);
      assert.equal(await limiter.release(permit), false);
    }
    assert.equal((await limiter.acquire(job)).allowed, false, "both are held by others");
  });
});

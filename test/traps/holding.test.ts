// Traps of what is held while the store is away: calls that hang with it, and holders that were cut off and come back.

import assert from "node:assert/strict";
import { test } from "node:test";
import { concurrency, createLimiter, fixedWindow } from "tidegate";
import { redisStore } from "tidegate/redis";
import { bareStore } from "../../packages/tidegate/test/support/bare-store.ts";
import { eventually } from "../support/eventually.ts";
import { patient } from "../support/patient.ts";
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
    store: bareStore(redisStore({ url: server.url })),
    policies: patient({
      api: { limits: [fixedWindow({ limit: 100, window: "36500d" })], idTtl: "1h" },
      job: { limits: [concurrency({ limit: 5, lease: "1h" })] },
    }),
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

inEveryWorld("holding over a stepped clock", (world) => {
  for (const [name, ...rows] of [
    ["token-bucket", [7, 7], [4, 4], [8, 8], [10, 10]],
    ["fixed-window", [8, 8], [8, 8], [8, 8], [10, 10]],
    ["sliding-window", [8, 8], [8, 8], [8, 8], [9, 9]],
    // All entries are as of the clock's new time then, and which of them a reservation's were is not known.
    ["sliding-log", [8, 8], [4, 8], [8, 8], [10, 10]],
    ["leaky-bucket", [3, 3], [0, 0], [4, 4], [10, 10]],
    ["calendar-window", [8, 8], [8, 8], [8, 8], [8, 8]],
  ] as const) {
    test(`trap 15: a clock that steps between taking and giving back lifts nobody above full: ${name}`, async () => {
      const { limitOf } = ALGORITHMS.find((one) => one.name === name)!;
      for (const [index, stepMs] of [-5_000, -3_600_000, 5_000, 61_000].entries()) {
        const lefts: number[] = [];
        for (const isSettled of [true, false]) {
          const limiter = world.open({ api: { limits: [limitOf(10)] } });
          await world.pass(30_000);
          const reservation = await limiter.reserve({ ...request, cost: 6, ttl: "10m" });
          await world.pass(stepMs);
          const { remaining } = isSettled
            ? await limiter.settle(reservation, 2)
            : await limiter.refund({ ...request, cost: 4 });
          lefts.push(remaining);
          assert.equal((await limiter.check({ ...request, cost: remaining + 1 })).allowed, false);
          await world.pass(-stepMs - 30_000);
        }
        assert.deepEqual(lefts, rows[index], `${stepMs} ms`);
      }
    });
  }

  test("trap 15: a reservation and an id end with their time by the clock, wherever that has been set", async () => {
    const limiter = world.open({ api: { limits: [fixedWindow({ limit: 10, window: "1d" })] } });
    const left = async () => (await limiter.peek({ ...request, cost: 0 })).remaining;
    const named = { ...request, cost: 1, id: "r" };
    const early = await limiter.reserve({ ...request, cost: 2, ttl: "1m" });
    await limiter.check(named);
    await world.pass(-3_600_000);
    await limiter.check(named);
    assert.equal(await left(), 7, "one step back later it is the same request still");
    await world.pass(3_600_000 + 59_999);
    assert.equal((await limiter.settle(early, 1)).settled, true, "in its last millisecond");
    await limiter.check(named);
    assert.equal(await left(), 8);
    const late = await limiter.reserve({ ...request, cost: 2, ttl: "1m" });
    await world.pass(60_000);
    assert.equal((await limiter.settle(late, 0)).settled, false, "stepped over its end");
    await limiter.check(named);
    assert.equal(await left(), 5, "and another request by now");
  });

  test("trap 15: a permit is released and extended after a step, unless that passed its lease", async () => {
    for (const [stepMs, isHeld] of [
      [-1, true],
      [-3_600_000, true],
      [59_999, true],
      [60_000, false],
    ] as const) {
      const limiter = world.open({ job: { limits: [concurrency({ limit: 2, lease: "1m" })] } });
      const [first, second] = await Promise.all([limiter.acquire(job), limiter.acquire(job)]);
      await world.pass(stepMs);
      assert.equal(await limiter.extend(first), isHeld, `${stepMs} ms`);
      assert.equal(await limiter.release(second), isHeld, `${stepMs} ms`);
      await world.pass(59_999);
      assert.equal((await limiter.peek(job)).remaining, isHeld ? 1 : 2, "one lease from then");
      await world.pass(1);
      assert.equal((await limiter.peek(job)).remaining, 2);
      await world.pass(-stepMs - 60_000);
    }
  });
});

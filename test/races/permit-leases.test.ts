// What becomes of permits whose process works longer than a lease, or is killed: eight processes, a few at work.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { FLEET_SIZE, type Fleet, startFleet } from "../support/fleet.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";
import { nowMs } from "../support/units-in-redis.ts";
import { LEASE_MS, LIMITS } from "./policies.ts";

const guarded = { policy: "guarded", key: "work" };

describe("leases of 8 processes", { skip: withoutRedis }, () => {
  let redis: RedisServer;
  let fleet: Fleet;
  before(async () => {
    redis = await startRedis();
    fleet = await startFleet(redis.url);
  });
  after(async () => {
    await fleet.stop();
    await redis.stop();
  });

  /** Asks again and again until it is admitted, and returns when by Redis' clock it had been. */
  async function untilAdmitted(ask: () => Promise<boolean>): Promise<number> {
    return eventually(async () => {
      if (!(await ask())) throw new Error("nothing was admitted");
      return nowMs(redis.client);
    }, 3 * LEASE_MS);
  }

  test("trap 10: permits whose holders were killed come back when their leases end, and not before", async () => {
    const asked = { policy: "leased", key: "killed", cost: LIMITS.leased / 4 };
    const places = [0, 1, 2, 3];
    const beforeMs = await nowMs(redis.client);
    const permits = await Promise.all(places.map((place) => fleet.call(place, "acquire", asked)));
    const afterMs = await nowMs(redis.client);
    assert.ok(permits.every(({ allowed }) => allowed));
    await Promise.all(places.map((place) => fleet.kill(place)));
    const all = { ...asked, cost: LIMITS.leased };
    const denials: { readonly askedMs: number; readonly retryAfterMs: number | null }[] = [];
    const admittedMs = await untilAdmitted(async () => {
      const askedMs = await nowMs(redis.client);
      const { allowed, retryAfterMs } = await fleet.call(4, "acquire", all);
      if (!allowed) denials.push({ askedMs, retryAfterMs });
      return allowed;
    });
    assert.ok(admittedMs >= beforeMs + LEASE_MS, "none is admitted before the leases end");
    assert.ok(denials.length > 0);
    for (const { askedMs, retryAfterMs } of denials) {
      assert.ok(askedMs < afterMs + LEASE_MS, "none is denied once the leases have ended");
      assert.ok(retryAfterMs !== null && retryAfterMs <= LEASE_MS, `told to wait ${retryAfterMs}`);
    }
    const [permit] = permits;
    assert.equal(await fleet.call(5, "release", { ...asked, id: permit!.id }), false, "it is over");
  });

  test("trap 10: work that takes longer than its lease keeps its permit, until its process is killed", async () => {
    const workers = [0, 1, 2];
    assert.equal(workers.length, LIMITS.guarded);
    const works = workers.map((place) => fleet.call(place, "beginWork", guarded, `work-${place}`));
    const killed = assert.rejects(works[0]!, /killed/);
    await eventually(async () => {
      for (const place of workers) {
        assert.ok(await fleet.call(place, "isWorking", `work-${place}`));
      }
    });
    const begunMs = await nowMs(redis.client);
    const admittedOf = async () => {
      const others = Array.from({ length: FLEET_SIZE - 3 }, (_, index) => index + 3);
      const asks = others.map((place) => fleet.call(place, "acquire", guarded));
      return (await Promise.all(asks)).filter(({ allowed }) => allowed).length;
    };
    let admitted = 0;
    await eventually(async () => {
      admitted += await admittedOf();
      assert.ok((await nowMs(redis.client)) > begunMs + 2.2 * LEASE_MS);
    });
    assert.equal(admitted, 0, "more than two leases long nobody else was admitted");
    await fleet.kill(0);
    const killedMs = await nowMs(redis.client);
    const admittedMs = await untilAdmitted(async () => {
      admitted = await admittedOf();
      return admitted > 0;
    });
    assert.equal(admitted, 1, "the permit of the one that was killed, and no other");
    assert.ok(admittedMs < killedMs + 2 * LEASE_MS);
    await killed;
    for (const place of [1, 2]) {
      await fleet.call(place, "endWork", `work-${place}`);
      const result = await works[place]!;
      assert.equal(result.allowed && result.value, "done");
    }
    const { remaining } = await fleet.call(3, "peek", guarded);
    assert.equal(remaining, LIMITS.guarded - 1, "permits are given back when the work is done");
  });
});

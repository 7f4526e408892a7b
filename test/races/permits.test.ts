// Eight processes acquire, extend and release permits of the same keys, all at once, and some are killed meanwhile.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { askFor, checkAccounts, readAccount } from "../support/account.ts";
import { eventually } from "../support/eventually.ts";
import { FLEET_SIZE, type Fleet, insist, startFleet } from "../support/fleet.ts";
import { Holds } from "../support/holds.ts";
import { Ledger } from "../support/ledger.ts";
import { race, runRounds } from "../support/race.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";
import { unitsInRedis } from "../support/units-in-redis.ts";
import { LEASE_MS, LIMITS } from "./policies.ts";

/** Adds up what permits hold whose lease is not over, in Redis, by what it holds for them. */
const HELD_NOW = `
  local time = redis.call('TIME')
  local units = 0
  for _, permit in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. time[1] * 1000000 + time[2], '+inf')) do
    units = units + tonumber(string.match(permit, '^%d+'))
  end
  return units`;
const KEYS = ["a", "b", "c", "d"];

describe("acquire and release, in 8 processes at once", { skip: withoutRedis }, () => {
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

  test("trap 10: never more permits are held than there are, and those of killed processes come back", async () => {
    const limit = LIMITS.leased;
    await runRounds([redis], 5_000, async (round) => {
      const holds = new Map(KEYS.map((key) => [key, new Holds(limit, LEASE_MS)]));
      let held = 0;
      const unanswered = await race(fleet, round, async (random, place) => {
        const asked = { policy: "leased", key: random.pick(KEYS), cost: random.between(1, 3) };
        const { key, cost } = asked;
        const askedMs = performance.now();
        const permit = await fleet.call(place, "acquire", asked);
        if (!permit.allowed) return;
        const hold = holds.get(key)!.begin(cost, askedMs);
        held += 1;
        for (let step = random.below(4); step > 0; step -= 1) {
          if (random.below(3) === 0) {
            const extendedMs = performance.now();
            hold.extended(
              await fleet.call(place, "extend", { ...asked, id: permit.id }),
              extendedMs,
            );
          }
          const name = `tidegate:v1:{leased:${key}}:1`;
          const units = Number(await redis.client.eval(HELD_NOW, 1, name));
          assert.ok(units <= limit, `Redis holds ${units} of ${limit} units of ${key}`);
        }
        hold.ending();
        const elsewhere = random.below(4) === 0 ? random.below(FLEET_SIZE) : place;
        hold.ended(await fleet.call(elsewhere, "release", { ...asked, id: permit.id }));
      });
      assert.ok(
        unanswered > 0 && held > round.calls / 20,
        `${held} held, ${unanswered} unanswered`,
      );
      for (const key of KEYS) {
        const { resetAfterMs } = await fleet.call(0, "peek", { policy: "leased", key });
        assert.ok(resetAfterMs <= LEASE_MS, `all of ${key} comes back within ${resetAfterMs} ms`);
      }
      await eventually(async () => {
        for (const key of KEYS) {
          const { remaining } = await fleet.call(0, "peek", { policy: "leased", key });
          assert.equal(remaining, limit);
          assert.equal(await unitsInRedis(redis.client, "leased", key), 0);
        }
      }, 2 * LEASE_MS);
    });
  });

  test("trap 4: what is acquired and released again elsewhere, after a kill, counts once", async () => {
    await runRounds([redis], 5_000, async (round) => {
      const ledger = new Ledger(() => LIMITS.held);
      const left: { readonly policy: string; readonly key: string; readonly id: string }[] = [];
      let count = 0;
      const unanswered = await race(fleet, round, async (random, place) => {
        count += 1;
        const key = `${round.seed}-${random.pick(KEYS)}`;
        const cost = random.between(1, 3);
        const asked = { policy: "held", key, cost, id: `${round.seed}-${count}` };
        const permit = await askFor(ledger, [asked], () => {
          return insist(place, (at) => fleet.call(at, "acquire", asked));
        });
        if (!permit.allowed) return;
        if (random.below(4) === 0) await readAccount(ledger, redis.client, asked);
        if (random.below(100) === 0) {
          left.push(asked);
          return;
        }
        const done = ledger.give(asked);
        await insist(place, (at) => fleet.call(at, "release", asked));
        done();
      });
      assert.ok(unanswered > 0 && left.length > 0, `${unanswered} unanswered, ${left.length} left`);
      const { exact } = await checkAccounts(ledger, fleet, redis.client);
      assert.equal(exact, KEYS.length, "all sums are known to the unit");
      for (const permit of left) {
        assert.equal(await fleet.call(1, "release", permit), true);
        assert.equal(await fleet.call(2, "release", permit), false, "released before");
      }
      for (const { key } of ledger.accounts) {
        assert.equal(await unitsInRedis(redis.client, "held", key), 0);
      }
    });
  });
});

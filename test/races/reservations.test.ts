// Eight processes reserve estimates of the same keys and settle them, all at once, and some are killed meanwhile.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { askFor, checkAccounts, readAccount } from "../support/account.ts";
import { eventually } from "../support/eventually.ts";
import { FLEET_SIZE, type Fleet, startFleet } from "../support/fleet.ts";
import { Ledger } from "../support/ledger.ts";
import { type Round, race, runRounds } from "../support/race.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { checkEntries, nowMs, unitsInRedis } from "../support/units-in-redis.ts";
import { LIMITS, type PolicyName } from "./policies.ts";

/** What estimates a round makes. */
interface Kind {
  readonly name: string;
  readonly most: number;
  /** How many keys of each policy at a time. */
  readonly keysOf: Partial<Record<PolicyName, number>>;
}

const FEW_KEYS: Kind = {
  name: "many units of few keys",
  most: 8,
  keysOf: { estimate: 1, "estimate-log": 1, "estimate-bucket": 1 },
};
const FLOORED = ["estimate", "estimate-log", "estimate-bucket"] as const;
const KINDS = [
  FEW_KEYS,
  { name: "few units of many keys", most: 1, keysOf: { "estimate-few": 100 } },
];

describe("reserve and settle, in 8 processes at once", { skip: withoutRedis }, () => {
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

  /** Runs a round over one of `keysOf` of each policy at a time, with estimates up to `most`. */
  async function raceReservations(round: Round, { most, keysOf }: Kind) {
    const ledger = new Ledger((policy) => LIMITS[policy as PolicyName]);
    const estimated = Object.keys(keysOf) as PolicyName[];
    const unsettled = new Map<string, number>();
    const room = estimated.reduce((sum, policy) => sum + LIMITS[policy] * keysOf[policy]!, 0);
    let asked = 0;
    let count = 0;
    const unanswered = await race(fleet, round, async (random, place) => {
      count += 1;
      const policy = random.pick(estimated);
      const cost = random.between(1, most);
      asked += cost;
      // Of each key, half of what is asked for has room.
      const key = `${round.seed}-${Math.floor(asked / (2 * room))}-${random.below(keysOf[policy]!)}`;
      const held = { policy, key, id: `${round.seed}-${count}` };
      const entry = { ...held, cost };
      const { allowed } = await askFor(ledger, [entry], () => fleet.call(place, "reserve", entry));
      if (!allowed) return;
      const name = `${policy}:${key}`;
      const open = (unsettled.get(name) ?? 0) + cost;
      unsettled.set(name, open);
      assert.ok(open <= LIMITS[policy], `${open} units of ${name} are reserved and not settled`);
      // Work takes its time, and of some of it nothing is heard again.
      for (let wait = random.below(4); wait > 0; wait -= 1) {
        await readAccount(ledger, redis.client, held);
      }
      if (random.below(10) === 0) return;
      unsettled.set(name, unsettled.get(name)! - cost);
      const actual = random.between(0, 2 * cost);
      const done = ledger.settle(entry, actual);
      assert.ok((await fleet.call(somewhere(random, place), "settle", held, actual)).settled);
      done();
      if (random.below(3) > 0) return;
      const again = await fleet.call(somewhere(random, place), "settle", held, random.below(20));
      assert.ok(again.settled, "settling again answers the same, and does nothing");
    });
    return { ledger, unanswered };
  }

  for (const kind of KINDS) {
    test(`trap 2: estimates never exceed a limit, and what is used adds up: ${kind.name}`, async () => {
      await runRounds([redis], 5_000, async (round) => {
        const { ledger } = await raceReservations({ ...round, kills: 0 }, kind);
        const { exact, units } = await checkAccounts(ledger, fleet, redis.client);
        assert.equal(exact, ledger.accounts.length, "all sums are known to the unit");
        assert.ok(units > round.calls / 10, `${units} units`);
      });
    });
  }

  test("trap 2: processes killed between reserve and settle leave what they reserved, and no more", async () => {
    await runRounds([redis], 5_000, async (round) => {
      const { ledger, unanswered } = await raceReservations(round, FEW_KEYS);
      await checkAccounts(ledger, fleet, redis.client);
      assert.ok(unanswered > 0, "those that were killed were in the middle of something");
    });
  });

  test("trap 4: of several processes that settle one reservation at once, one is counted", async () => {
    await runRounds([redis], 3_000, async (round) => {
      const contests: { readonly key: string; readonly possible: readonly number[] }[] = [];
      await race(fleet, round, async (random, place) => {
        const key = `${round.seed}-${contests.length}`;
        const possible: number[] = [];
        contests.push({ key, possible });
        const estimate = random.between(1, 50);
        const reserve = { policy: "contest", key, id: "r", cost: estimate };
        assert.ok((await fleet.call(place, "reserve", reserve)).allowed);
        const from = random.below(FLEET_SIZE);
        const actuals = Array.from({ length: random.between(2, 4) }, (_, index) => {
          return 25 * index + random.below(25);
        });
        const settlements = await Promise.allSettled(
          actuals.map((actual, index) => {
            return fleet.call((from + index) % FLEET_SIZE, "settle", reserve, actual);
          }),
        );
        const answered = settlements.flatMap((one) => (one.status === "fulfilled" ? [one] : []));
        assert.ok(answered.every(({ value }) => value.settled));
        possible.push(...actuals, ...(answered.length === 0 ? [estimate] : []));
      });
      for (const { key, possible } of contests) {
        if (possible.length === 0) continue;
        const units = await unitsInRedis(redis.client, "contest", key);
        assert.ok(
          possible.includes(units),
          `${units} are in use, and not ${possible.join(" or ")}`,
        );
      }
    });
  });

  for (const policy of FLOORED) {
    test(`debts of all processes at once end at the floor, once the limit below nothing: ${policy}`, async () => {
      const limit = LIMITS[policy];
      const asks = Array.from({ length: Math.floor(limit / 5) }, (_, index) => {
        return { policy, key: "floor", id: `r${index}`, cost: 5 };
      });
      const each = async (method: "reserve" | "settle") => {
        const answers = asks.map((ask, index) => {
          return method === "reserve"
            ? fleet.call(index % FLEET_SIZE, method, ask)
            : fleet.call((index + 1) % FLEET_SIZE, method, ask, 10 + (index % 11));
        });
        return Promise.all<{ allowed: boolean }>(answers);
      };
      assert.ok((await each("reserve")).every(({ allowed }) => allowed));
      await each("settle");
      assert.equal(await unitsInRedis(redis.client, policy, "floor"), 2 * limit);
      await checkEntries(redis.client, policy, "floor");
      const { allowed, remaining } = await fleet.call(0, "reserve", { policy, key: "floor" });
      assert.deepEqual({ allowed, remaining }, { allowed: false, remaining: 0 });
      const later = await fleet.call(1, "settle", asks[0]!, 0);
      assert.ok(later.settled, "settled before, and so not again");
      assert.equal(await unitsInRedis(redis.client, policy, "floor"), 2 * limit);
    });
  }

  test("trap 10: what a killed process reserved counts in full, and is settled by nobody after its time", async () => {
    const ttlMs = 500;
    const key = "abandoned";
    const places = Array.from({ length: FLEET_SIZE }, (_, place) => place);
    const reservations = await Promise.all(
      places.map((place) => {
        return fleet.call(place, "reserve", { policy: "contest", key, cost: 10, ttl: ttlMs });
      }),
    );
    const answeredMs = await nowMs(redis.client);
    await Promise.all([fleet.kill(0), fleet.kill(4)]);
    await eventually(async () => {
      assert.ok((await nowMs(redis.client)) >= answeredMs + ttlMs);
    });
    for (const { id } of reservations) {
      const { settled } = await fleet.call(1, "settle", { policy: "contest", key, id }, 0);
      assert.equal(settled, false);
    }
    assert.equal(await unitsInRedis(redis.client, "contest", key), 10 * FLEET_SIZE);
    const { remaining } = await fleet.call(0, "peek", { policy: "contest", key });
    assert.equal(remaining, LIMITS.contest - 10 * FLEET_SIZE);
  });
});

/** The worker that reserved, or another one. */
function somewhere(random: SeededRandom, place: number): number {
  return random.below(2) === 0 ? place : random.below(FLEET_SIZE);
}

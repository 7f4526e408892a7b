// Eight processes ask one Redis for several policies and keys as one, all at once, and some are killed meanwhile.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { askFor, checkAccounts, readAccount } from "../support/account.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { type Entry, Ledger } from "../support/ledger.ts";
import { type Round, race, runRounds } from "../support/race.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { LIMITS, type PolicyName } from "./policies.ts";

/** After so many groups others are asked for, so that there is always one that has room, and one that has none. */
const GROUPS_EACH = 1_000;

describe("checkEvery, in 8 processes at once", { skip: withoutRedis }, () => {
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

  /** Runs a round, and returns its ledger with how many groups were admitted, denied, and left unanswered. */
  async function raceGroups(round: Round) {
    const ledger = new Ledger((policy) => LIMITS[policy as PolicyName]);
    let groups = 0;
    let admitted = 0;
    let denied = 0;
    const unanswered = await race(fleet, round, async (random, place) => {
      groups += 1;
      const entries = groupOf(random, `${round.seed}-${Math.floor(groups / GROUPS_EACH)}`);
      const { allowed } = await askFor(ledger, entries, () => {
        return fleet.call(place, "checkEvery", entries);
      });
      if (allowed) admitted += 1;
      else denied += 1;
      if (random.below(20) === 0) await readAccount(ledger, redis.client, random.pick(entries));
    });
    return { ledger, admitted, denied, unanswered };
  }

  test("traps 2, 3: check and add are one step, and a denied group takes nothing anywhere", async () => {
    await runRounds([redis], 6_000, async (round) => {
      const { ledger, admitted, denied } = await raceGroups({ ...round, kills: 0 });
      const { units, exact } = await checkAccounts(ledger, fleet, redis.client);
      assert.equal(exact, ledger.accounts.length, "all sums are known to the unit");
      assert.ok(admitted > round.calls / 10 && denied > round.calls / 10, `${admitted}, ${denied}`);
      assert.ok(units > admitted, `${units} units in ${admitted} groups`);
    });
  });

  test("traps 2, 12: processes killed in the middle leave no limit exceeded and no key without an end", async () => {
    await runRounds([redis], 6_000, async (round) => {
      const { ledger, unanswered } = await raceGroups(round);
      await checkAccounts(ledger, fleet, redis.client);
      for (const { policy, key, limit, low } of ledger.accounts) {
        assert.ok(low <= limit, `${low} of ${policy}:${key} were admitted`);
      }
      assert.ok(unanswered > 0, "those that were killed were in the middle of something");
      const names = await redis.client.keys("*");
      const expiries = await Promise.all(names.map((name) => redis.client.pttl(name)));
      assert.deepEqual(
        names.filter((_name, index) => expiries[index]! < 0),
        [],
      );
    });
  });
});

/** A user, an organisation and an endpoint, in any order, and now and then without one of them. */
function groupOf(random: SeededRandom, phase: string): Entry[] {
  const entry = (policy: PolicyName, keys: number): Entry => {
    return { policy, key: `${phase}-${random.below(keys)}`, cost: random.between(0, 4) };
  };
  const all = [entry("user", 6), entry("organisation", 2), entry("endpoint", 2)];
  const from = random.below(3);
  const turned = [...all.slice(from), ...all.slice(0, from)];
  return turned.slice(0, random.below(8) === 0 ? 2 : 3);
}

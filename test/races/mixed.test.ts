// Eight processes do at once what two scripts decide, on the same keys: plain checks, and what is more than that.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { askFor, checkAccounts, readAccount } from "../support/account.ts";
import { type Fleet, startFleet } from "../support/fleet.ts";
import { type Entry, Ledger } from "../support/ledger.ts";
import { type Round, race, runRounds } from "../support/race.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { LIMITS, type PolicyName } from "./policies.ts";

const PLAIN = ["user", "bucket", "endpoint", "counter", "pair"] as const;
/** After so many requests others are made, of keys that have room. */
const REQUESTS_EACH = 1_500;

describe("plain checks beside groups, ids and refunds, in 8 processes at once", {
  skip: withoutRedis,
}, () => {
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

  async function raceAll(round: Round) {
    const ledger = new Ledger((policy) => LIMITS[policy as PolicyName]);
    const seen = { allowed: 0, denied: 0 };
    let count = 0;
    /** Asks for one thing or another; answers what it took, where it took something. */
    const ask = async (random: SeededRandom, place: number): Promise<readonly Entry[]> => {
      count += 1;
      const phase = `${round.seed}-${Math.floor(count / REQUESTS_EACH)}`;
      const entries = entriesOf(random, phase);
      const single = entries.slice(0, 1);
      const id = `${round.seed}-${count}`;
      const kinds = [
        [single, () => fleet.call(place, "check", single[0]!)],
        [single, () => fleet.call(place, "check", single[0]!)],
        [single, () => fleet.call(place, "check", { ...single[0]!, id })],
        [entries, () => fleet.call(place, "checkEvery", entries)],
      ] as const;
      const [asked, call] = random.pick(kinds);
      const { allowed } = await askFor(ledger, asked, call);
      seen[allowed ? "allowed" : "denied"] += 1;
      return allowed ? asked : [];
    };
    const unanswered = await race(fleet, round, async (random, place) => {
      const taken = await ask(random, place);
      const [{ policy, key }] = entriesOf(random, `${round.seed}-0`) as [Entry];
      if (random.below(8) === 0) await readAccount(ledger, redis.client, { policy, key });
      if (taken.length === 0 || random.below(3) > 0) return;
      const entry = random.pick(taken);
      const done = ledger.give(entry);
      await fleet.call(place, "refund", entry);
      done();
    });
    assert.ok(
      seen.allowed > round.calls / 10 && seen.denied > round.calls / 20,
      JSON.stringify(seen),
    );
    return { ledger, unanswered };
  }

  test("trap 2: both scripts decide on one count, which is exact to the unit", async () => {
    await runRounds([redis], 10_000, async (round) => {
      const { ledger } = await raceAll({ ...round, kills: 0 });
      const { exact } = await checkAccounts(ledger, fleet, redis.client);
      assert.equal(exact, ledger.accounts.length, "all sums are known to the unit");
    });
  });

  test("trap 2: also where processes are killed in the middle no limit is exceeded", async () => {
    await runRounds([redis], 10_000, async (round) => {
      const { ledger, unanswered } = await raceAll(round);
      await checkAccounts(ledger, fleet, redis.client);
      assert.ok(unanswered > 0, "those that were killed were in the middle of something");
    });
  });
});

/** Some of different policies, each of two keys. */
function entriesOf(random: SeededRandom, phase: string): Entry[] {
  const from = random.below(PLAIN.length);
  return Array.from({ length: random.between(2, 4) }, (_, index) => {
    const policy = PLAIN[(from + index) % PLAIN.length]!;
    return { policy, key: `${phase}-${random.below(2)}`, cost: random.between(0, 3) };
  });
}

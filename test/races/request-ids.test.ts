// The same request sent by several of eight processes at once, as by a caller that asks elsewhere after a timeout, and
// some of them are killed meanwhile.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { askFor, checkAccounts } from "../support/account.ts";
import { FLEET_SIZE, type Fleet, insist, startFleet } from "../support/fleet.ts";
import { type Entry, Ledger } from "../support/ledger.ts";
import { race, runRounds } from "../support/race.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { unitsInRedis } from "../support/units-in-redis.ts";
import { LIMITS, type PolicyName } from "./policies.ts";

/** After so many requests others are made, of keys that have room. */
const REQUESTS_EACH = 700;

describe("request ids, in 8 processes at once", { skip: withoutRedis }, () => {
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

  /** Asks 2 to 5 processes at once, and others where they are killed; all have to answer alike. */
  async function askAlike<T>(random: SeededRandom, ask: (place: number) => Promise<T>): Promise<T> {
    const from = random.below(FLEET_SIZE);
    const asks = Array.from({ length: random.between(2, 5) }, (_, index) => {
      return insist((from + index) % FLEET_SIZE, ask);
    });
    const [first, ...others] = await Promise.all(asks);
    for (const other of others) assert.deepEqual(other, first);
    return first!;
  }

  test("trap 4: an id that several processes send at once is charged once, and answered alike", async () => {
    await runRounds([redis], 8_000, async (round) => {
      const ledger = new Ledger((policy) => LIMITS[policy as PolicyName]);
      const seen = { allowed: 0, denied: 0 };
      let count = 0;
      const unanswered = await race(fleet, round, async (random) => {
        count += 1;
        const id = `${round.seed}-${count}`;
        const key = `${round.seed}-${Math.floor(count / REQUESTS_EACH)}-${random.below(2)}`;
        const entries = (["user", "organisation", "endpoint"] as const).map((policy): Entry => {
          return { policy, key, cost: random.between(0, 4) };
        });
        const [entry] = entries as [Entry];
        const kind = random.pick(["check", "checkEvery", "reserve"] as const);
        const asked = kind === "checkEvery" ? entries : [entry];
        const { allowed } = await askFor(ledger, asked, () => {
          return askAlike(random, (place) => {
            return kind === "checkEvery"
              ? fleet.call(place, kind, entries, { id })
              : fleet.call(place, kind, { ...entry, id });
          });
        });
        seen[allowed ? "allowed" : "denied"] += 1;
        if (!allowed || random.below(3) > 0) return;
        const refund = { ...entry, id: `${id}-back` };
        const done = ledger.give(entry);
        await askAlike(random, (place) => fleet.call(place, "refund", refund));
        done();
      });
      const { exact } = await checkAccounts(ledger, fleet, redis.client);
      assert.equal(exact, ledger.accounts.length, "all sums are known to the unit");
      assert.ok(unanswered > 0, "those that were killed were in the middle of something");
      assert.ok(seen.allowed > 100 && seen.denied > 100, JSON.stringify(seen));
    });
  });

  test("trap 4: of different requests under one id at once, one is decided and the others are refused", async () => {
    await runRounds([redis], 1_500, async (round) => {
      let count = 0;
      await race(fleet, { ...round, kills: 0 }, async () => {
        count += 1;
        const asked = { policy: "contest", key: `${round.seed}-${count}`, id: "same" };
        const costs = Array.from({ length: FLEET_SIZE }, (_, index) => 1 + index);
        const answers = await Promise.allSettled(
          costs.map((cost, place) => fleet.call(place, "check", { ...asked, cost })),
        );
        const decided = costs.filter((_cost, place) => answers[place]!.status === "fulfilled");
        assert.equal(decided.length, 1);
        for (const answer of answers) {
          if (answer.status === "rejected") assert.match(String(answer.reason), /\bid\b.*"same"/);
        }
        assert.equal(await unitsInRedis(redis.client, asked.policy, asked.key), decided[0]);
      });
    });
  });
});

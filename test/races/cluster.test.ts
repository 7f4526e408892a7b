// Eight processes ask a Redis Cluster for several policies and keys as one, whose slots differ, and some are killed
// meanwhile: what one slot took is given back where another denies.

import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, describe, test } from "node:test";
import { Cluster } from "ioredis";
import { askFor, checkAccounts, readAccount } from "../support/account.ts";
import { FLEET_SIZE, type Fleet, insist, startFleet } from "../support/fleet.ts";
import { type Entry, Ledger } from "../support/ledger.ts";
import { type Round, race, runRounds } from "../support/race.ts";
import { type RedisCluster, startRedisCluster, withoutRedis } from "../support/redis-server.ts";
import type { SeededRandom } from "../support/seeded-random.ts";
import { LIMITS, type PolicyName } from "./policies.ts";

/** After so many groups others are asked for, of keys that have room. */
const GROUPS_EACH = 500;

describe("checkEvery over the slots of a Cluster, in 8 processes at once", {
  skip: withoutRedis,
}, () => {
  let cluster: RedisCluster;
  let client: Cluster;
  let fleet: Fleet;
  before(async () => {
    cluster = await startRedisCluster();
    client = new Cluster(cluster.nodes.map(({ port }) => ({ host: "127.0.0.1", port })));
    await once(client, "ready");
    fleet = await startFleet(cluster.url);
  });
  after(async () => {
    await fleet.stop();
    client.disconnect();
    await cluster.stop();
  });

  /** Asks two workers at once under one id, and others where they are killed, until both have the same answer. */
  async function askTwice(place: number, entries: readonly Entry[], id: string) {
    const [first, second] = await Promise.all(
      [place, (place + 3) % FLEET_SIZE].map((one) => {
        return insist(one, (at) => fleet.call(at, "checkEvery", entries, { id }));
      }),
    );
    assert.deepEqual(second, first);
    return first!;
  }

  /** Runs a round, each group asked for twice under an id until it is answered, or once and without. */
  async function raceGroups(round: Round, { repeated }: { readonly repeated: boolean }) {
    const ledger = new Ledger((policy) => LIMITS[policy as PolicyName]);
    const seen = { allowed: 0, denied: 0 };
    let count = 0;
    const unanswered = await race(fleet, round, async (random, place) => {
      count += 1;
      const id = `${round.seed}-${count}`;
      const entries = groupOf(random, `${round.seed}-${Math.floor(count / GROUPS_EACH)}`);
      const { allowed } = await askFor(ledger, entries, () => {
        return repeated ? askTwice(place, entries, id) : fleet.call(place, "checkEvery", entries);
      });
      seen[allowed ? "allowed" : "denied"] += 1;
      if (random.below(10) > 0) return;
      const { policy, key } = random.pick(entries);
      const units = await readAccount(ledger, client, { policy, key });
      assert.ok(units <= LIMITS[policy as PolicyName], `${units} of ${policy}:${key} in use`);
    });
    assert.ok(seen.allowed > 100 && seen.denied > 100, JSON.stringify(seen));
    return { ledger, unanswered };
  }

  test("traps 2, 3: no limit is exceeded at any time, and what is denied is given back to the unit", async () => {
    await runRounds(cluster.nodes, 4_000, async (round) => {
      const { ledger } = await raceGroups({ ...round, kills: 0 }, { repeated: false });
      const { exact } = await checkAccounts(ledger, fleet, client);
      assert.equal(exact, ledger.accounts.length, "all sums are known to the unit");
    });
  });

  test("trap 2: processes killed between taking and giving back leave no limit exceeded", async () => {
    await runRounds(cluster.nodes, 4_000, async (round) => {
      const { ledger, unanswered } = await raceGroups(round, { repeated: false });
      await checkAccounts(ledger, fleet, client);
      assert.ok(unanswered > 0, "those that were killed were in the middle of something");
    });
  });

  test("trap 4: a group repeated under its id, also after a kill, is charged once or given back whole", async () => {
    await runRounds(cluster.nodes, 4_000, async (round) => {
      const twice = { ...round, calls: 2 * round.calls };
      const { ledger, unanswered } = await raceGroups(twice, { repeated: true });
      const { exact } = await checkAccounts(ledger, fleet, client);
      assert.equal(exact, ledger.accounts.length, "all sums are known to the unit");
      assert.ok(unanswered > 0, "those that were killed were in the middle of something");
    });
  });
});

/** A user, an organisation and an endpoint, which lie in slots of their own. */
function groupOf(random: SeededRandom, phase: string): Entry[] {
  const entry = (policy: PolicyName, keys: number): Entry => {
    return { policy, key: `${phase}-${random.below(keys)}`, cost: random.between(0, 4) };
  };
  return [entry("user", 4), entry("organisation", 2), entry("endpoint", 1)];
}

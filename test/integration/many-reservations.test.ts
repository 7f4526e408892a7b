// Many reservations of one key, settled in any order: memory and Redis answer the same, and lose nothing on the way.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { memoryStore, type Store, tokenBucket, type Work } from "tidegate";
import { createPolicy } from "../../packages/tidegate/src/policy/policy.ts";
import { createManualClock } from "../../packages/tidegate/test/support/manual-clock.ts";
import { openManualRedis, setRedisClock } from "../support/manual-redis.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";

let server: RedisServer;

before(async () => {
  if (withoutRedis === false) server = await startRedis();
});
after(() => server?.stop());

const COUNT = 300;

test("of 300 reservations, more than are told apart, memory and Redis give back the same", {
  skip: withoutRedis,
}, async () => {
  const clock = createManualClock();
  const redis = openManualRedis(server, clock, "many");
  const memory = memoryStore({ clock });
  for (const [name, refill] of [
    ["whole", "100/s"],
    ["parts", "97/s"],
  ] as const) {
    const policy = createPolicy(name, { limits: [tokenBucket({ capacity: 1_000, refill })] });
    const part = (cost: number) => ({ policy, key: "k", cost });
    const both = async (work: Work) => {
      await setRedisClock(server, clock.now());
      const ask = async (store: Store) => {
        const { decision, ...rest } = await store.run(work);
        return { ...rest, decision: { ...decision, source: undefined } };
      };
      const [actual, expected] = await Promise.all([ask(redis), ask(memory)]);
      assert.deepEqual(actual, expected);
      return actual.decision;
    };
    const ids = Array.from({ length: COUNT }, (_, index) => `r${index}`);
    for (const id of ids) {
      const record = { id, ttlUs: 60_000_000 };
      await both({ kind: "take", parts: [part(3)], record, receiptUs: 60_000_000 });
    }
    for (let index = 0; index < COUNT; index += 1) {
      clock.setUs(clock.now() + (index % 3) * 333);
      const id = ids[(index * 101) % COUNT]!;
      await both({ kind: "settle", part: part(index % 3), id });
    }
    const { remaining } = await both({ kind: "settle", part: part(0), id: "none" });
    // One unit of each is in use on the average, less those that have returned in a tenth of a second.
    assert.ok(remaining >= 700 && remaining <= 710, `${remaining} remain`);
  }
});

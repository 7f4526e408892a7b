// A deploy from version 0.1.0 of the key format, and back: what it wrote is read, by both scripts, and it reads or
// ignores what is written now.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import {
  calendarWindow,
  concurrency,
  type Decision,
  fixedWindow,
  type Limit,
  leakyBucket,
  memoryStore,
  type Store,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { createPolicy, type Policy } from "../../packages/tidegate/src/policy/policy.ts";
import { redisKey } from "../../packages/tidegate/src/stores/redis/key.ts";
import { createManualClock } from "../../packages/tidegate/test/support/manual-clock.ts";
import { openManualRedis, setRedisClock } from "../support/manual-redis.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";
import { decideAs010, type Recorded, readRecorded } from "../support/version-0-1-0.ts";

const recorded = readRecorded();

function limitsOf({ limits }: Recorded): Limit[] {
  return limits.map((rule) => ("capacity" in rule ? tokenBucket(rule) : fixedWindow(rule)));
}

const nameOf = (policy: Policy, key: string) => redisKey("tidegate", policy.name, key);

describe("the key format of version 0.1.0", { skip: withoutRedis }, () => {
  const clock = createManualClock();
  let server: RedisServer;
  let store: Store;
  before(async () => {
    server = await startRedis();
    store = openManualRedis(server, clock, "tidegate");
  });
  after(() => server.stop());
  beforeEach(() => server.client.flushdb());

  async function setTime(us: number) {
    clock.setUs(us);
    await setRedisClock(server, us);
  }

  /** Asks both scripts: the one for checks, and the one that does everything else. */
  async function askBoth(policy: Policy, cost: number, consume: boolean): Promise<Decision[]> {
    const [plain, work] = ["plain", "work"].map((key) => ({ policy, key, cost }));
    const record = { id: `${clock.now()}-${cost}`, ttlUs: 1_000_000 };
    if (!consume) {
      const looks = await store.decide(policy, "plain", cost, false);
      const stands = await store.run({ kind: "release", part: work!, permit: "none" });
      return [looks, stands.decision];
    }
    const checked = await store.decide(policy, plain!.key, cost, true);
    const { decision } = await store.run({ kind: "take", parts: [work!], record });
    return [checked, decision];
  }

  async function setBoth(policy: Policy, value: Buffer) {
    for (const key of ["plain", "work"]) await server.client.set(nameOf(policy, key), value);
  }

  for (const one of recorded) {
    test(`a value of 0.1.0 is read as it was meant: ${one.name}`, async () => {
      const value = Buffer.from(one.hex, "hex");
      const policy = createPolicy("api", { limits: limitsOf(one) });
      await setTime(one.nowUs);
      await decideAs010(server, policy, nameOf(policy, "as010"), one.costs, one.nowUs);
      assert.deepEqual(
        await server.client.getBuffer(nameOf(policy, "as010")),
        value,
        "the recorded bytes are what the script of 0.1.0 writes",
      );
      const memory = memoryStore({ clock });
      for (const key of ["plain", "work"]) {
        for (const cost of one.costs.split(",")) memory.decide(policy, key, Number(cost), true);
      }
      await setBoth(policy, value);
      for (const gapUs of [0, 1, 50_000, 333_333, 1_000_000, 60_000_000, 86_400_000_000]) {
        await setTime(clock.now() + gapUs);
        for (const cost of [0, 1, 3, 1_000]) {
          const expected = memory.decide(policy, "plain", cost, true);
          for (const { source: _source, key: _key, ...actual } of await askBoth(
            policy,
            cost,
            true,
          )) {
            const { source: _memory, key: _plain, ...same } = expected;
            assert.deepEqual(actual, same, `${cost} after ${gapUs} us`);
          }
          memory.decide(policy, "work", cost, true);
        }
      }
    });

    test(`a value of 0.1.0 keeps what was consumed where limits change: ${one.name}`, async () => {
      const value = Buffer.from(one.hex, "hex");
      const before010 = createPolicy("api", { limits: limitsOf(one) });
      const later: Limit[][] = [
        [tokenBucket({ capacity: 2_000_000, refill: "1/s" })],
        [tokenBucket({ capacity: 200, refill: "7/3h" })],
        [fixedWindow({ limit: 2_000_000, window: "2d" })],
        [slidingWindow({ limit: 2_000_000, window: "1d" })],
        [slidingLog({ limit: 1_000_000, window: "1d" })],
        [calendarWindow({ limit: 2_000_000, per: "month", timeZone: "Europe/Berlin" })],
        [leakyBucket({ rate: "1/s", queue: 1_999_999 })],
        [slidingLog({ limit: 9, window: "1d" }), fixedWindow({ limit: 2_000_000, window: "1d" })],
        [tokenBucket({ capacity: 2_000_000, refill: "1/s", soft: true })],
      ];
      for (const limits of later) {
        const policy = createPolicy("api", { limits });
        await server.client.flushdb();
        await setTime(one.nowUs);
        const memory = memoryStore({ clock });
        for (const cost of one.costs.split(","))
          memory.decide(before010, "plain", Number(cost), true);
        await setBoth(policy, value);
        await setTime(one.nowUs + 1_234);
        const expected = memory.decide(policy, "plain", 0, false).remaining;
        const [plain, work] = await askBoth(policy, 0, false);
        assert.equal(plain!.remaining, expected, policy.rules);
        assert.equal(work!.remaining, expected, policy.rules);
      }
    });
  }

  test("nodes of both versions keep one limit", async () => {
    for (const limit of [
      tokenBucket({ capacity: 60, refill: "1/h" }),
      tokenBucket({ capacity: 60, refill: "7/h" }),
      fixedWindow({ limit: 60, window: "1d" }),
    ]) {
      const policy = createPolicy("api", { limits: [limit] });
      await server.client.flushdb();
      let admitted = 0;
      for (let turn = 0; turn < 100; turn += 1) {
        await setTime(1_790_000_000_000_000 + turn);
        const name = nameOf(policy, "k");
        if (turn % 3 === 0) {
          const [, first] = await decideAs010(server, policy, name, "1", clock.now());
          if (first! % 2 !== 0) admitted += 1;
        } else if (turn % 3 === 1) {
          if ((await store.decide(policy, "k", 1, true)).allowed) admitted += 1;
        } else {
          const parts = [{ policy, key: "k", cost: 1 }];
          if ((await store.run({ kind: "take", parts })).done) admitted += 1;
        }
      }
      assert.equal(admitted, 60, policy.rules);
    }
  });

  test("0.1.0 reads what is written now for the limits it has, debts included", async () => {
    for (const one of recorded) {
      const policy = createPolicy("api", { limits: limitsOf(one) });
      await server.client.flushdb();
      await setTime(one.nowUs);
      const part = { policy, key: "k", cost: 3 };
      const record = { id: "r", ttlUs: 1_000_000 };
      await store.run({ kind: "take", parts: [part], record, receiptUs: 1_000_000 });
      await store.run({ kind: "settle", part: { ...part, cost: 2_000_000 }, id: "r" });
      const denied = await decideAs010(server, policy, nameOf(policy, "k"), "1", one.nowUs);
      assert.ok(denied[1]! % 2 === 0, `${one.name}: in debt`);
      await store.reset(policy, "k");
      const admitted = await decideAs010(server, policy, nameOf(policy, "k"), "1", one.nowUs);
      assert.ok(admitted[1]! % 2 !== 0, `${one.name}: after a reset`);
    }
  });

  test("0.1.0 takes a key for unused whose value is of limits that it has not", async () => {
    const others: Limit[][] = [
      [slidingWindow({ limit: 5, window: "1h" })],
      [slidingLog({ limit: 5, window: "1h" })],
      [calendarWindow({ limit: 5, per: "day", timeZone: "America/Port-au-Prince" })],
      [calendarWindow({ limit: 5, per: "week" })],
      [fixedWindow({ limit: 5, window: "1h" }), slidingWindow({ limit: 5, window: "1h" })],
      [slidingLog({ limit: 5, window: "1h" }), tokenBucket({ capacity: 5, refill: "1/h" })],
      [calendarWindow({ limit: 5, per: "month" }), fixedWindow({ limit: 5, window: "1h" })],
    ];
    const old = [
      createPolicy("api", { limits: [fixedWindow({ limit: 5, window: "1h" })] }),
      createPolicy("api", { limits: [tokenBucket({ capacity: 5, refill: "1/h" })] }),
      createPolicy("api", {
        limits: [
          fixedWindow({ limit: 5, window: "1h" }),
          tokenBucket({ capacity: 5, refill: "3/h" }),
        ],
      }),
    ];
    await setTime(1_790_000_000_000_000);
    const values: Buffer[] = [];
    for (const limits of others) {
      const policy = createPolicy("api", { limits });
      await store.run({ kind: "take", parts: [{ policy, key: "k", cost: 4 }] });
      values.push((await server.client.getBuffer(nameOf(policy, "k")))!);
      await store.reset(policy, "k");
    }
    const held = createPolicy("api", { limits: [concurrency({ limit: 5, lease: "1h" })] });
    const parts = [{ policy: held, key: "k", cost: 4 }];
    await store.run({ kind: "take", parts, permit: "p" });
    values.push((await server.client.getBuffer(nameOf(held, "k")))!);
    for (const policy of old) {
      await server.client.del("unused");
      const unused = await decideAs010(server, policy, "unused", "1,?5", clock.now());
      for (const value of values) {
        await server.client.set("k", value);
        const reply = await decideAs010(server, policy, "k", "1,?5", clock.now());
        assert.deepEqual(reply, unused, `${policy.rules} over ${value.toString("latin1")}`);
      }
    }
  });
});

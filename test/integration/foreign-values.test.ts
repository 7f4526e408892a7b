// What stands under Tidegate's names in Redis and was not written by it, or by a version that is not there yet: it is
// ignored, by both scripts, never misread and never an error for whoever asks in the same turn.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import fc from "fast-check";
import {
  calendarWindow,
  concurrency,
  type Decision,
  fixedWindow,
  type Limit,
  type Store,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { createPolicy, type Policy } from "../../packages/tidegate/src/policy/policy.ts";
import { pastKey, recordKey, redisKey } from "../../packages/tidegate/src/stores/redis/key.ts";
import { createManualClock } from "../../packages/tidegate/test/support/manual-clock.ts";
import { openManualRedis, setRedisClock } from "../support/manual-redis.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";

const LIMITS: readonly (readonly Limit[])[] = [
  [tokenBucket({ capacity: 10, refill: "10/s" })],
  [tokenBucket({ capacity: 10, refill: "3/s" })],
  [fixedWindow({ limit: 10, window: "1h" })],
  [slidingWindow({ limit: 10, window: "1h" })],
  [calendarWindow({ limit: 10, per: "day", timeZone: "Europe/Berlin" })],
  [fixedWindow({ limit: 10, window: "1h" }), tokenBucket({ capacity: 10, refill: "10/s" })],
  [slidingLog({ limit: 10, window: "1h" })],
  [tokenBucket({ capacity: 10, refill: "10/s", soft: true })],
];

const doubles = (...numbers: number[]) => Buffer.from(new Float64Array(numbers).buffer);
const bytesOf = (head: string, ...numbers: number[]) => {
  return Buffer.concat([Buffer.from(head), doubles(...numbers)]);
};

const NOW_US = Date.UTC(2026, 5, 1, 12) * 1_000;
const SOON = NOW_US + 3_600_000_000;

/** More numbers than Lua takes at once. */
const MANY = new Array<number>(20_000).fill(1);

/** The gifts of a bucket, which stood where the number of nodes stands now before anything was released. */
const EARLIER_PASTS = [
  [0, 0],
  [0, 1, SOON, 5],
  [5, 2, SOON, 5, SOON, 6],
  [1, 2, SOON, 5, SOON, 6],
];

const FOREIGN: readonly Buffer[] = [
  ...["", "|", ";", ";;|", "0", "hello", '{"count":5}', "tb", "tb,100000,1", "tb,100000,1|"].map(
    (text) => {
      return Buffer.from(text);
    },
  ),
  // What a later version might write.
  bytesOf("zz,1|", SOON, 5),
  bytesOf("zz,1;tb,100000,1|", SOON, 5, SOON, 5),
  bytesOf("tb,100000,1;zz,1|", SOON, 5, SOON, 5),
  bytesOf("tb2,100000,1|", SOON, 5),
  bytesOf("tb,100000,1,7|", SOON, 5),
  bytesOf("tb,100000|", SOON, 5),
  bytesOf("tb,100000,1#|", SOON, 5),
  bytesOf("2:tb,100000,1|", SOON, 5),
  bytesOf("fwx,3600000000|", NOW_US, 5),
  bytesOf("fw3600000000|", NOW_US, 5),
  bytesOf("fw,3600000000,|", NOW_US, 5),
  bytesOf("cwx|", NOW_US, 5, SOON),
  bytesOf("cc,5|", 5, SOON, SOON, SOON),
  bytesOf("ccx|", 5, SOON, SOON, SOON),
  // Numbers that Lua would read as such, and none that is a rule's.
  ...["0", "-5", "0x10", "1e5", "nan", "inf", " 7", "", "9".repeat(40), "3600000000.5"].map(
    (window) => {
      return bytesOf(`fw,${window}|`, NOW_US, 5);
    },
  ),
  ...["0,0", "0,1", "1,0", "9".repeat(40), `1,${"9".repeat(40)}`, `${"9".repeat(40)},7`].map(
    (rule) => {
      return bytesOf(`tb,${rule}|`, SOON, 5);
    },
  ),
  // Rules that are ours, with numbers that no version wrote.
  ...[Number.NaN, Number.POSITIVE_INFINITY, 1e300, -5].flatMap((wrong) => [
    bytesOf("tb,100000,1|", wrong, 5),
    bytesOf("tb,1000000,3|", SOON, wrong),
    bytesOf("fw,3600000000|", NOW_US, wrong),
    bytesOf("sw,3600000000|", NOW_US, 5, wrong),
    bytesOf("sl,3600000000|", wrong, NOW_US, NOW_US),
    bytesOf("fw,3600000000;tb,100000,1|", NOW_US, 5, wrong, 5),
    bytesOf("tb,7,3|", wrong, wrong),
  ]),
  bytesOf("tb,100000,1|", ...MANY),
  bytesOf(`${"fw,1;".repeat(10_000)}|`, ...MANY),
];

describe("foreign values", { skip: withoutRedis }, () => {
  const clock = createManualClock(NOW_US);
  let server: RedisServer;
  let store: Store;
  before(async () => {
    server = await startRedis();
    store = openManualRedis(server, clock, "tidegate");
  });
  after(() => server.stop());
  beforeEach(async () => {
    await server.client.flushdb();
    await setRedisClock(server, NOW_US);
  });

  /** Borrows a cost, and says how the key stands after that. */
  async function borrow(policy: Policy, key: string, cost: number): Promise<Decision> {
    const ask = { node: key, want: cost, spare: 0, keepUs: 4_000_000, owed: 0, backs: [] };
    const part = { policy, key, cost };
    const { decision, lease } = await store.run({ kind: "lease", part, ask });
    assert.equal(lease!.units, cost);
    return decision;
  }

  /** Asks in one turn for a key that `prepare` has put something under and for one beside it, through each script. */
  async function expectUnused(
    policy: Policy,
    what: string,
    prepare: (name: string) => Promise<unknown>,
  ): Promise<void> {
    const name = redisKey("tidegate", policy.name, "k");
    const leases = policy.leasable ? (["leases"] as const) : [];
    for (const script of ["checks", "works", ...leases] as const) {
      await server.client.flushdb();
      await setRedisClock(server, NOW_US);
      await prepare(name);
      const ask = async (key: string, cost: number) => {
        if (script === "checks") return store.decide(policy, key, cost, true);
        if (script === "leases") return borrow(policy, key, cost);
        return (await store.run({ kind: "take", parts: [{ policy, key, cost }] })).decision;
      };
      const [foreign, beside] = await Promise.all([ask("k", 4), ask("other", 4)]);
      const said = `${script} of ${policy.rules} over ${what}`;
      assert.deepEqual({ ...foreign, key: "other" }, beside, said);
      assert.equal(foreign!.remaining, 6, said);
      assert.equal((await ask("k", 1)).remaining, 5, `${said}: counted from then on`);
      const expiry = await server.client.pttl(name);
      assert.ok(expiry > 0, `${said}: it expires`);
    }
  }

  for (const limits of LIMITS) {
    const policy = createPolicy("api", { limits });

    test(`are ignored by limits of ${policy.rules}${limits[0]!.soft ? ", soft" : ""}`, async () => {
      for (const value of FOREIGN) {
        await expectUnused(policy, JSON.stringify(value.toString("latin1")), (name) => {
          return server.client.set(name, value);
        });
      }
    });

    test(`of another type are ignored: ${policy.rules}${limits[0]!.soft ? ", soft" : ""}`, async () => {
      await expectUnused(policy, "a list", (name) => server.client.rpush(name, "x"));
      await expectUnused(policy, "a hash", (name) => server.client.hset(name, "x", "1"));
      await expectUnused(policy, "a sorted set", (name) => server.client.zadd(name, 1, "1:x"));
      await expectUnused(policy, "a string beside", (name) => server.client.set(`${name}:1`, "x"));
      await expectUnused(policy, "a set beside", (name) => server.client.sadd(`${name}:1`, "x"));
      await expectUnused(policy, "a log beside", (name) => {
        return server.client.rpush(`${name}:1`, doubles(NOW_US, 5));
      });
    });
  }

  test("of any bytes are ignored, and so is what was cut or went on", async () => {
    const policies = LIMITS.map((limits) => createPolicy("api", { limits }));
    const whole = bytesOf("fw,3600000000;tb,100000,1|", NOW_US, 5, SOON, 5);
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 60 }).map((list) => Buffer.from(list)),
      fc
        .tuple(fc.stringMatching(/^[a-z,;0-9]{1,20}\|$/), fc.uint8Array({ maxLength: 32 }))
        .map(([head, list]) => {
          return Buffer.concat([Buffer.from(head), list]);
        }),
      fc.nat(whole.length - 1).map((length) => whole.subarray(0, length)),
      fc.uint8Array({ minLength: 1, maxLength: 9 }).map((list) => Buffer.concat([whole, list])),
    );
    await fc.assert(
      fc.asyncProperty(bytes, fc.constantFrom(...policies), async (value, policy) => {
        await expectUnused(policy, JSON.stringify(value.toString("latin1")), (name) => {
          return server.client.set(name, value);
        });
      }),
      { numRuns: 300 },
    );
  });

  test("permits under foreign values are none", async () => {
    const policy = createPolicy("job", { limits: [concurrency({ limit: 2, lease: "1m" })] });
    const name = redisKey("tidegate", "job", "k");
    const acquire = (permit: string) => {
      return store.run({ kind: "take", parts: [{ policy, key: "k", cost: 1 }], permit });
    };
    for (const value of [
      ...FOREIGN,
      bytesOf("cc|", Number.NaN, SOON, SOON, 5),
      bytesOf("cc|", 2, SOON),
    ]) {
      await server.client.flushdb();
      await setRedisClock(server, NOW_US);
      await server.client.set(name, value);
      await server.client.zadd(`${name}:1`, SOON, "1:a", SOON, "1:b");
      assert.equal((await acquire("p")).decision.remaining, 1, value.toString("latin1"));
      assert.deepEqual(await server.client.zrange(`${name}:1`, "0", "-1"), ["1:p"]);
    }
  });

  test("records and pasts that are foreign, cut or of a later version are ignored", async () => {
    const policy = createPolicy("api", { limits: LIMITS[0]! });
    const name = redisKey("tidegate", "api", "k");
    const part = { policy, key: "k", cost: 3 };
    const record = { id: "r", ttlUs: 60_000_000 };
    const reserve = () => store.run({ kind: "take", parts: [part], record, receiptUs: 60_000_000 });
    await reserve();
    await store.run({ kind: "give", part, takenAt: Number.POSITIVE_INFINITY });
    const written = (await server.client.getBuffer(recordKey(name, "r")))!;
    const past = (await server.client.getBuffer(`${name}:past`))!;
    const values = [
      ...FOREIGN,
      bytesOf("R3 hash rules|"),
      bytesOf("R3 hash rules|", Number.NaN, 1, NOW_US, 1),
      bytesOf("R3 hash rules|", SOON, 7, NOW_US, 1),
      bytesOf("R3 hash rules|", SOON, 1, Number.NaN, 1),
      ...[1, 7, 20, 60].map((cut) => written.subarray(0, written.length - cut)),
      Buffer.concat([Buffer.from("Q"), written.subarray(1)]),
      ...[1, 8, 16].map((cut) => past.subarray(0, past.length - cut)),
      bytesOf("tb,100000,1|", SOON, NOW_US, Number.NaN),
      bytesOf("tb,100000,1|", SOON, NOW_US, 0.5),
      bytesOf("tb,100000,1|", SOON, NOW_US, 1e9, 0, 0, 0),
      bytesOf("tb,100000,1|", Number.NaN, NOW_US, 0),
      bytesOf("tb,100000,1|", SOON, Number.NaN, 0),
      // Whole, but for the gifts.
      bytesOf("tb,100000,1|", SOON, 0, 0, Number.NaN, 0),
      bytesOf("tb,100000,1|", SOON, 0, 0, 5, 1e9),
      bytesOf("tb,100000,1|", SOON, 0, 0, 5, Number.NaN),
      bytesOf("tb,100000,1|", SOON, 0, 0, ...MANY),
      bytesOf("R3 hash rules|", SOON, 1, NOW_US, ...MANY),
      ...EARLIER_PASTS.map((numbers) => bytesOf("tb,100000,1|", SOON, 0, ...numbers)),
    ];
    for (const value of values) {
      const said = JSON.stringify(value.toString("latin1"));
      await server.client.flushdb();
      await setRedisClock(server, NOW_US);
      await server.client.set(recordKey(name, "r"), value);
      await server.client.set(`${name}:past`, value);
      const { decision, done } = await reserve();
      assert.deepEqual([done, decision.remaining], [true, 7], said);
      const settled = await store.run({ kind: "settle", part: { ...part, cost: 1 }, id: "r" });
      assert.deepEqual([settled.done, settled.decision.remaining], [true, 9], said);
    }
    await server.client.flushdb();
    await setRedisClock(server, NOW_US);
    await server.client.rpush(recordKey(name, "r"), "x");
    await server.client.rpush(`${name}:past`, "x");
    assert.equal((await reserve()).done, true, "other types too");
  });

  test("pasts that are foreign, cut or of a later version count for nothing to leases", async () => {
    const limits = [LIMITS[0]!, LIMITS[2]!, LIMITS[3]!, LIMITS[5]!];
    for (const policy of limits.map((own) => createPolicy("api", { limits: own }))) {
      const name = pastKey(redisKey("tidegate", "api", "k"));
      const borrow = async (node: string) => {
        const ask = { node, want: 5, spare: 0, keepUs: 4_000_000, owed: 0, backs: [] };
        const part = { policy, key: "k", cost: 1 };
        const { lease } = await store.run({ kind: "lease", part, ask });
        return lease!.units;
      };
      const node = (at: number, units: number) => {
        return [Buffer.from("letters!"), doubles(at, units)].toReversed();
      };
      const past = (count: number, ...nodes: Buffer[]) => {
        return Buffer.concat([bytesOf(`${policy.rules}|`, SOON, 0, count), ...nodes]);
      };
      await server.client.flushdb();
      await setRedisClock(server, NOW_US);
      await borrow("a");
      const written = (await server.client.getBuffer(name))!;
      assert.equal(written.length, `${policy.rules}|`.length + 3 * 8 + 24);
      const values = [
        ...FOREIGN,
        past(Number.NaN, ...node(NOW_US, 5)),
        past(2, ...node(NOW_US, 5)),
        past(0.5, ...node(NOW_US, 5)),
        past(1, ...node(1, 5)),
        past(1, ...node(SOON, 5)),
        past(1, ...node(Number.NaN, 5)),
        past(1, ...node(NOW_US, Number.NaN)),
        past(1, ...node(NOW_US, -5)),
        past(1, ...node(NOW_US, 1e300)),
        past(0, doubles(...MANY)),
        ...EARLIER_PASTS.map(([first, ...rest]) => past(first!, doubles(...rest))),
        ...[1, 2, 10].map((cut) => written.subarray(0, written.length - cut)),
      ];
      for (const value of values) {
        await server.client.flushdb();
        await setRedisClock(server, NOW_US);
        await server.client.set(name, value, "PX", 3_600_000);
        const said = `${policy.rules} ${JSON.stringify(value.toString("latin1"))}`;
        assert.deepEqual([await borrow("c"), await borrow("d")], [5, 2], said);
        assert.ok((await server.client.pttl(name)) > 0);
      }
      await server.client.flushdb();
      await setRedisClock(server, NOW_US);
      await server.client.rpush(name, "x");
      assert.equal(await borrow("c"), 5, "other types too");
      assert.ok((await server.client.pttl(name)) > 0);
    }
  });

  test("an entry list that is gone, as where Redis evicts it, frees its units when their time is over", async () => {
    const policy = createPolicy("api", { limits: [slidingLog({ limit: 10, window: "1h" })] });
    const name = redisKey("tidegate", "api", "k");
    await store.decide(policy, "k", 4, true);
    await server.client.del(`${name}:1`);
    assert.equal((await store.decide(policy, "k", 3, true)).remaining, 3, "at the same instant");
    assert.equal((await store.decide(policy, "k", 4, true)).allowed, false);
    await store.run({
      kind: "give",
      part: { policy, key: "k", cost: 1 },
      takenAt: Number.POSITIVE_INFINITY,
    });
    await server.client.del(`${name}:1`);
    await setRedisClock(server, NOW_US + 3_600_000_000);
    assert.equal((await store.decide(policy, "k", 10, true)).remaining, 0);
  });

  test("a later version's answer under an id stays what it was, its numbers unread", async () => {
    const policy = createPolicy("api", { limits: LIMITS[0]! });
    const name = redisKey("tidegate", "api", "k");
    const part = { policy, key: "k", cost: 3 };
    const record = { id: "r", ttlUs: 60_000_000 };
    await store.run({ kind: "take", parts: [part], record });
    const written = (await server.client.getBuffer(recordKey(name, "r")))!;
    for (const value of [Buffer.concat([written, doubles(7)]), written.subarray(0, -8)]) {
      await server.client.set(recordKey(name, "r"), value);
      const { done, decision } = await store.run({ kind: "take", parts: [part], record });
      assert.deepEqual([done, decision.allowed, decision.remaining], [true, true, 7]);
      await store.run({ kind: "settle", part: { ...part, cost: 1 }, id: "r" });
      assert.equal(
        (await store.decide(policy, "k", 0, false)).remaining,
        7,
        "given back is nothing",
      );
      await server.client.del(redisKey("tidegate", "api", "k"));
      await store.decide(policy, "k", 3, true);
    }
  });
});

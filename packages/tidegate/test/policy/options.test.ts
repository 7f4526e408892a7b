// Wrong options throw where they are written, and the message says what was wrong and what would be right.

import assert from "node:assert/strict";
import { test } from "node:test";
import { createLimiter, fixedWindow, memoryStore, TidegateError, tokenBucket } from "tidegate";
import { redisStore } from "tidegate/redis";
import { LIMIT_FACTORIES } from "../../src/policy/limits.ts";

const api = { limits: [tokenBucket({ capacity: 10, refill: "1/s" })] };
const untyped = (value: unknown) => value as never;
const DURATION = 'a duration such as "500ms", "10s", "1m", "2h" or "1d"';
const NAME = '1 to 64 letters, digits, ".", "_" or "-", starting with a letter or digit';
const RATE = 'a rate such as "10/s", "100/15m" or "1/30d" (whole units)';

const table: [name: string, make: () => unknown, message: string][] = [
  [
    "capacity negative",
    () => tokenBucket({ capacity: -1, refill: "1/s" }),
    "capacity must be a positive integer, got -1",
  ],
  [
    "capacity 0",
    () => tokenBucket({ capacity: 0, refill: "1/s" }),
    "capacity must be a positive integer, got 0",
  ],
  [
    "capacity fraction",
    () => tokenBucket({ capacity: 0.5, refill: "1/s" }),
    "capacity must be a positive integer, got 0.5",
  ],
  [
    "capacity NaN",
    () => tokenBucket({ capacity: Number.NaN, refill: "1/s" }),
    "capacity must be a positive integer, got NaN",
  ],
  [
    "capacity text",
    () => tokenBucket({ capacity: untyped("10"), refill: "1/s" }),
    'capacity must be a positive integer, got "10"',
  ],
  [
    "capacity missing",
    () => tokenBucket(untyped({ refill: "1/s" })),
    "capacity must be a positive integer, got undefined",
  ],
  [
    "capacity too large",
    () => tokenBucket({ capacity: 1e10, refill: "1/s" }),
    "capacity must be at most 1000000000, got 10000000000",
  ],
  [
    "refill per nothing",
    () => tokenBucket({ capacity: 1, refill: "10" }),
    `refill must be ${RATE}, got "10"`,
  ],
  [
    "refill 0",
    () => tokenBucket({ capacity: 1, refill: "0/s" }),
    `refill must be ${RATE}, got "0/s"`,
  ],
  [
    "refill fraction",
    () => tokenBucket({ capacity: 1, refill: "0.5/s" }),
    `refill must be ${RATE}, got "0.5/s" (units are whole: write "1/2s")`,
  ],
  [
    "refill too slow",
    () => tokenBucket({ capacity: 1_000_000, refill: "1/1d" }),
    'refill must fill the capacity of 1000000 within 36500d, got "1/1d"',
  ],
  [
    "option unknown",
    () => tokenBucket(untyped({ capacity: 1, refill: "1/s", refil: 1 })),
    'unknown option "refil" of tokenBucket; did you mean "refill"?',
  ],
  [
    "options missing",
    () => tokenBucket(untyped(undefined)),
    "tokenBucket must be an object with capacity, refill, name, soft, got undefined",
  ],
  [
    "limit 0",
    () => fixedWindow({ limit: 0, window: "1m" }),
    "limit must be a positive integer, got 0",
  ],
  [
    "window 0",
    () => fixedWindow({ limit: 1, window: 0 }),
    `window must be ${DURATION}, from 1ms to 36500d in whole milliseconds, got 0`,
  ],
  [
    "window fraction",
    () => fixedWindow({ limit: 1, window: 0.5 }),
    `window must be ${DURATION}, from 1ms to 36500d in whole milliseconds, got 0.5`,
  ],
  [
    "window in months",
    () => fixedWindow({ limit: 1, window: "1month" }),
    `window must be ${DURATION}, got "1month" (read "1", but months and years have no fixed length; ` +
      "the algorithm calendar-window counts by the calendar)",
  ],
  [
    "name with a space",
    () => fixedWindow({ limit: 1, window: "1m", name: "per minute" }),
    `name must be ${NAME}, got "per minute"`,
  ],
  [
    "no policies",
    () => createLimiter({ policies: {} }),
    "policies must be an object with at least one policy, got {}",
  ],
  [
    "policy name",
    () => createLimiter({ policies: { "a:b": api } }),
    `the name of a policy must be ${NAME}, got "a:b"`,
  ],
  [
    "limits empty",
    () => createLimiter({ policies: { api: { limits: [] } } }),
    "policies.api.limits must be a list of 1 to 8 limits, got []",
  ],
  [
    "limit not made",
    () => createLimiter({ policies: { api: { limits: [untyped({ capacity: 1 })] } } }),
    `policies.api.limits[0] must be a limit made by ${LIMIT_FACTORIES}, got {"capacity":1}`,
  ],
  [
    "limit names twice",
    () =>
      createLimiter({
        policies: {
          api: {
            limits: [
              fixedWindow({ limit: 1, window: "1m", name: "x" }),
              fixedWindow({ limit: 2, window: "1h", name: "x" }),
            ],
          },
        },
      }),
    'policies.api.limits must have names that differ, got "x" twice',
  ],
  [
    "policy option unknown",
    () => createLimiter({ policies: { api: { ...api, onFailure: "deny" } as never } }),
    'unknown option "onFailure" of policies.api; known are limits, coordination, ' +
      "overrides, nearLimit, shadow, idTtl, deadline, onStoreFailure, syncInterval, leaseFraction, maxOvershoot, " +
      "partition, regions",
  ],
  [
    "limiter option unknown",
    () => createLimiter(untyped({ policies: { api }, stores: 1 })),
    'unknown option "stores" of createLimiter; did you mean "store"?',
  ],
  [
    "deadline of 0",
    () => createLimiter({ policies: { api: { ...api, deadline: 0 } } }),
    'policies.api.deadline must be a duration such as "500ms", "10s", "1m", "2h" or "1d", ' +
      "from 1ms to 36500d in whole milliseconds, got 0",
  ],
  [
    "deadline too long",
    () => createLimiter({ policies: { api: { ...api, deadline: "2s" } } }),
    'policies.api.deadline must be a duration of at most 1s, got "2s"',
  ],
  [
    "failure policy unknown",
    () => createLimiter({ policies: { api: { ...api, onStoreFailure: untyped("open") } } }),
    'policies.api.onStoreFailure must be "allow", "deny" or "local", got "open"',
  ],
  [
    "no nodes",
    () => createLimiter({ policies: { api }, expectedNodes: 0 }),
    "expectedNodes must be a positive integer, got 0",
  ],
  [
    "too many nodes",
    () => createLimiter({ policies: { api }, expectedNodes: 10_001 }),
    "expectedNodes must be at most 10000, got 10001",
  ],
  [
    "part of a node",
    () => createLimiter({ policies: { api }, expectedNodes: 1.5 }),
    "expectedNodes must be a positive integer, got 1.5",
  ],
  [
    "failure policy of what asks no store",
    () => {
      const own = { ...api, coordination: "local", onStoreFailure: "deny" } as const;
      return createLimiter({ policies: { api: own } });
    },
    'policies.api.onStoreFailure must be left out beside coordination "local", which asks no store, got "deny"',
  ],
  [
    "nodes that share nothing",
    () => createLimiter({ policies: { api }, expectedNodes: 3 }),
    "expectedNodes must be left out where no store is shared, since each node has the whole limit then, got 3",
  ],
  [
    "coordination unknown",
    () => createLimiter({ policies: { api }, coordination: untyped("gosip") }),
    'coordination must be "local", "central", "hybrid" or "gossip", got "gosip"',
  ],
  [
    "gossip without a transport",
    () => createLimiter({ policies: { api }, coordination: "gossip" }),
    'coordination "gossip" needs the option gossip: { transport }, by which nodes exchange what they admitted',
  ],
  [
    "gossip's option beside another coordination",
    () => createLimiter({ policies: { api: { ...api, partition: "share" } } }),
    'policies.api.partition must be left out, since it is for coordination "gossip" and this is "local", got "share"',
  ],
  [
    "coordination of a policy",
    () => createLimiter({ policies: { api: { ...api, coordination: untyped("x") } } }),
    'policies.api.coordination must be "local", "central", "hybrid" or "gossip", got "x"',
  ],
  [
    "central in memory",
    () => createLimiter({ policies: { api }, coordination: "central" }),
    'coordination "central" needs a store that nodes share, such as redisStore(), got one in memory; ' +
      'pass a redisStore(), or set coordination to "local"',
  ],
  [
    "store not made",
    () => createLimiter({ policies: { api }, store: untyped("redis://localhost") }),
    'store must be a store made by memoryStore() or redisStore(), got "redis://localhost"',
  ],
  [
    "random beside a store",
    () => createLimiter({ policies: { api }, store: memoryStore(), random: { next: () => 0 } }),
    "random must be given to the store where a store in memory is passed: memoryStore({ random })",
  ],
  ["maxKeys 0", () => memoryStore({ maxKeys: 0 }), "maxKeys must be a positive integer, got 0"],
  [
    "a limit with other numbers",
    () =>
      createLimiter({
        policies: { api: { limits: [{ ...fixedWindow({ limit: 1, window: "1m" }), limit: 9 }] } },
      }),
    `policies.api.limits[0] must be a limit made by ${LIMIT_FACTORIES}, got ` +
      '{"algorithm":"fixed-window","limit":9,"windowUs":60000000,"soft":false,"rule"...',
  ],
  [
    "a hole among limits",
    () => createLimiter({ policies: { api: { limits: new Array(1) } } }),
    `policies.api.limits[0] must be a limit made by ${LIMIT_FACTORIES}, got undefined`,
  ],
  [
    "policies as a list",
    () => createLimiter({ policies: [api] as never }),
    "policies must be an object with at least one policy, got " +
      '[{"limits":[{"algorithm":"token-bucket","limit":10,"windowUs":10000000,"perio...',
  ],
  [
    "clock that is none",
    () => memoryStore({ clock: untyped({}) }),
    "clock must be an object with now(), got {}",
  ],
  [
    "sweepSlots",
    () => memoryStore({ sweepSlots: Number.NaN }),
    "sweepSlots must be a whole number from 0 to 1000, got NaN",
  ],
  [
    "refill over nothing",
    () => tokenBucket({ capacity: 1, refill: "10/0s" }),
    'refill must be a rate over 1ms to 36500d in whole milliseconds, such as "10/s", "100/15m" or "1/30d", ' +
      'got "10/0s"',
  ],
  [
    "redis without both",
    () => redisStore({}),
    "redisStore must be given either url or client, got neither",
  ],
  [
    "redis prefix",
    () => redisStore({ url: "redis://127.0.0.1", prefix: "{a}" }),
    'prefix must be 1 to 64 letters, digits, ".", ":", "_" or "-", got "{a}"',
  ],
  [
    "redis client",
    () => redisStore({ client: untyped({ get() {} }) }),
    "client must be a client of the package ioredis or redis, got an object of class Object",
  ],
  [
    "redis client with a password in it",
    () => redisStore({ client: untyped({ host: "127.0.0.1", password: "hunter2" }) }),
    "client must be a client of the package ioredis or redis, got an object of class Object",
  ],
  [
    "redis client that is a URL",
    () => redisStore({ client: untyped("redis://:hunter2@127.0.0.1") }),
    "client must be a client of the package ioredis or redis, got a value of type string",
  ],
  [
    "redis client and random",
    () => redisStore({ client: untyped({}), random: { next: () => 0 } }),
    "random spreads the reconnects of a url, and a client reconnects by itself; leave random out",
  ],
  [
    "redis random",
    () => redisStore({ url: "redis://127.0.0.1", random: untyped(() => 0) }),
    "random must be an object with next(), got a function",
  ],
  [
    "redis scheduler",
    () => redisStore({ url: "redis://127.0.0.1", scheduler: untyped({ later() {} }) }),
    "scheduler must be an object with afterTurn(), got {}",
  ],
  [
    "redis batch",
    () => redisStore({ url: "redis://127.0.0.1", maxBatch: 0 }),
    "maxBatch must be a positive integer, got 0",
  ],
];

for (const [name, make, message] of table) {
  test(`refuses: ${name}`, () => {
    assert.throws(make, (error) => {
      assert.ok(error instanceof TidegateError);
      assert.equal(error.message, message);
      assert.equal(error.code, "INVALID_OPTION");
      assert.equal(error.transient, false);
      assert.ok(error.field);
      return true;
    });
  });
}

// A Redis store whose clock a test sets, beside a memory store on the same clock: for tests that hold the two equal.

import assert from "node:assert/strict";
import { adaptClient } from "../../packages/tidegate/src/stores/redis/client.ts";
import { InRedis } from "../../packages/tidegate/src/stores/redis/in-redis.ts";
import { createKeyNames } from "../../packages/tidegate/src/stores/redis/key.ts";
import {
  createScript,
  readDecideScript,
  readLeaseScript,
  readTransactScript,
  type Script,
} from "../../packages/tidegate/src/stores/redis/script.ts";
import type { RedisServer } from "./redis-server.ts";

const CLOCK_KEY = "test:clock";

/** Sets Redis' clock, in microseconds. */
export function setRedisClock(server: RedisServer, us: number): Promise<unknown> {
  return server.client.set(CLOCK_KEY, String(us));
}

/** Opens a store whose scripts run on the clock that setRedisClock sets. */
export function openManualRedis(
  server: RedisServer,
  clock: { now(): number },
  prefix: string,
): InRedis {
  const scripts = {
    decide: onManualClock(readDecideScript()),
    lease: onManualClock(readLeaseScript()),
    transact: onManualClock(readTransactScript()),
  };
  return new InRedis(adaptClient(server.client), scripts, {
    prefix,
    nameOf: createKeyNames(prefix, undefined),
    maxBatch: 128,
    scheduler: { afterTurn: (work) => setImmediate(work) },
    timer: { after: () => () => {} },
    clock,
  });
}

/** A script on the clock that the test sets, and with expiries on Redis' own clock that the test never reaches. */
export function onManualClock(script: string): Script {
  const time = "local now = time[1] * 1000000 + time[2]";
  assert.equal(script.split(time).length, 2, "the script reads the clock once");
  return createScript(
    script
      .replace(time, `local now = time[1] * 0 + tonumber(redis.call('GET', '${CLOCK_KEY}'))`)
      .replaceAll(
        /call\('PEXPIREAT', ([\w.]+), (?:\w+|expiryText\([^)]*\))\)/g,
        "call('PEXPIRE', $1, '3600000')",
      )
      .replaceAll(/'PX', ttlOf\([^)]+\)/g, "'PX', '3600000'"),
  );
}

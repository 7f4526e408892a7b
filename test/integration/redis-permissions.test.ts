// What SECURITY.md says that Tidegate's Redis user needs to be allowed is enough for everything that it does.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import {
  calendarWindow,
  concurrency,
  createLimiter,
  leakyBucket,
  slidingLog,
  slidingWindow,
  tokenBucket,
} from "tidegate";
import { redisStore, redisTransport } from "tidegate/redis";
import { eventually } from "../support/eventually.ts";
import { startRedis, withoutRedis } from "../support/redis-server.ts";

const SECURITY = new URL("../../SECURITY.md", import.meta.url);
const SCRIPTS = ["stores/redis/", "peers-redis/"].map((folder) => {
  return new URL(`../../packages/tidegate/src/${folder}`, import.meta.url);
});

/** The words of the ACL in SECURITY.md after the password. */
function documentedRules(): string[] {
  const block = /ACL SETUSER tidegate on >… ([\s\S]*?)```/.exec(readFileSync(SECURITY, "utf8"));
  assert.ok(block, "SECURITY.md has the command");
  return block[1]!.trim().split(/\s+/);
}

test("a Redis user with what SECURITY.md lists may do everything", {
  skip: withoutRedis,
}, async (context) => {
  const redis = await startRedis();
  context.after(() => redis.stop());
  const rules = documentedRules();
  await redis.client.call("ACL", "SETUSER", "tidegate", "on", ">secret", ...rules);
  const url = redis.url.replace("redis://", "redis://tidegate:secret@");
  const limiter = createLimiter({
    store: redisStore({ url }),
    policies: {
      api: { limits: [tokenBucket({ capacity: 9, refill: "1/h" })] },
      mixed: {
        limits: [
          slidingLog({ limit: 3, window: "50ms" }),
          slidingWindow({ limit: 9, window: "1h" }),
          calendarWindow({ limit: 9, per: "day", soft: true }),
          leakyBucket({ rate: "100/s", queue: 9 }),
        ],
      },
      jobs: { limits: [concurrency({ limit: 3, lease: "1m" })] },
      leased: {
        limits: [tokenBucket({ capacity: 20, refill: "1/h" })],
        coordination: "hybrid",
        maxOvershoot: 0.1,
      },
    },
  });
  context.after(() => limiter.close());
  const key = "k";
  let heard = 0;
  for (let turn = 0; turn < 5; turn += 1) {
    await limiter.check({ policy: "api", key, id: `${turn}` });
    await limiter.check({ policy: "mixed", key });
    await limiter.checkEvery([
      { policy: "api", key },
      { policy: "mixed", key, cost: turn },
    ]);
    const reservation = await limiter.reserve({ policy: "mixed", key, cost: 2 });
    await limiter.settle(reservation, turn);
    await limiter.refund({ policy: "mixed", key, cost: 1 });
    const permit = await limiter.acquire({ policy: "jobs", key, cost: 1 + (turn % 2) });
    await limiter.extend(permit);
    if (turn !== 2) await limiter.release(permit);
    await limiter.check({ policy: "leased", key, cost: 1 + turn });
  }
  await limiter.reset({ policy: "mixed", key });
  await limiter.ping();
  await limiter.close();
  const transport = redisTransport({ url, address: "a" });
  context.after(() => transport.close());
  await transport.open(() => {
    heard += 1;
  });
  await eventually(() => {
    transport.send("a", Uint8Array.of(1));
    assert.ok(heard > 0);
  });
  await transport.close();
  const log = (await redis.client.call("ACL", "LOG")) as unknown[];
  assert.deepEqual(log, [], "nothing was refused");
});

/** What is called beside the scripts: themselves, a client's greeting, ping(), and the gossip. */
const OUTSIDE = ["eval", "evalsha", "info", "ping", "publish", "subscribe"];

test("SECURITY.md lists what the scripts call, and nothing beside", () => {
  // Scripts of a few lines stand in the TypeScript.
  const files = SCRIPTS.flatMap((folder) => {
    return readdirSync(folder)
      .filter((name) => /\.(lua|ts)$/.test(name))
      .map((name) => readFileSync(new URL(name, folder), "utf8"));
  });
  const called = files
    .flatMap((text) => [...text.matchAll(/\bcall\('([A-Z]+)'/g)])
    .map((match) => match[1]!.toLowerCase());
  const rules = documentedRules().filter((rule) => rule.startsWith("+"));
  assert.deepEqual(
    rules.map((rule) => rule.slice(1)).sort(),
    [...new Set([...called, ...OUTSIDE])].sort(),
  );
});

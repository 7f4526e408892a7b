// `tidegate demo --redis` on a real Redis.

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually } from "../../../../test/support/eventually.ts";
import { startRedis, withoutRedis } from "../../../../test/support/redis-server.ts";
import { execute, start } from "./support.ts";

test("nodes on connections of their own keep one limit in Redis", {
  skip: withoutRedis,
}, async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  for (let run = 0; run < 2; run += 1) {
    const { code, stdout, stderr } = await execute([
      "demo",
      ...[
        "--redis",
        redis.url,
        "--nodes",
        "5",
        "--requests",
        "200",
        "--capacity",
        "60",
        "--refill",
        "1/h",
      ],
    ]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.equal(stdout.match(/ allowed, \d+ remaining$/gm)?.length, 60);
    assert.equal(stdout.match(/ denied, retry in /g)?.length, 140);
    assert.match(stdout, /The limit was kept exactly\./);
  }
  const keys = await redis.client.keys("tidegate:v1:*");
  assert.equal(keys.length, 2, "a key of its own for each run");
  for (const key of keys) assert.ok((await redis.client.pttl(key)) > 0, "which expires");
});

test("checks that Redis did not answer are no verdict about the limit", {
  skip: withoutRedis,
}, async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  // As one that is full: it answers pings of others, and refuses what would be written.
  await redis.client.config("SET", "maxmemory", "1");
  const full = await execute(["demo", "--redis", redis.url]);
  assert.equal(full.code, 2);
  assert.match(full.stderr, /cannot be used: .*OOM/);
  await redis.client.config("SET", "maxmemory", "0");
  const running = start(["demo", "--redis", redis.url, "--capacity", "1", "--refill", "1/3s"]);
  await eventually(() => assert.match(running.stdout(), /Waiting/));
  await redis.stop();
  const { code, stdout, stderr } = await running.ended;
  assert.equal(code, 2, stdout);
  assert.match(
    stderr,
    /^tidegate: Redis did not answer 3 of 27 checks within 1s, so there is nothing/,
  );
  assert.doesNotMatch(stdout, /The limit was/);
});

test("a Redis that asks for a password says so", { skip: withoutRedis }, async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  await redis.client.config("SET", "requirepass", "hunter2");
  const refused = await execute(["demo", "--redis", redis.url]);
  const remedy =
    "Give it as redis://user:password@host:6379, or without the user where Redis has none.\n";
  assert.deepEqual(refused, {
    code: 2,
    stdout: "",
    stderr: `tidegate: --redis ${redis.url} cannot be used: it asks for a password.\n${remedy}`,
  });
  const wrong = await execute(["demo", "--redis", redis.url.replace("//", "//:hunter3@")]);
  assert.equal(wrong.code, 2);
  assert.ok(wrong.stderr.endsWith(remedy), wrong.stderr);
  assert.doesNotMatch(wrong.stderr, /hunter3/);
  const url = redis.url.replace("//", "//:hunter2@");
  const right = await execute(["demo", "--redis", url, "--refill", "1/h"]);
  assert.deepEqual([right.code, right.stderr], [0, ""]);
  assert.doesNotMatch(right.stdout, /hunter2/);
});

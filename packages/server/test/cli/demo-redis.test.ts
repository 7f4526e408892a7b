// `tidegate demo --redis` on a real Redis.

import assert from "node:assert/strict";
import { test } from "node:test";
import { startRedis, withoutRedis } from "../../../../test/support/redis-server.ts";
import { execute } from "./support.ts";

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

import assert from "node:assert/strict";
import { test } from "node:test";
import { startRedis } from "./redis-server.ts";

test("where there is no redis-server that is said at once, with what to do", async () => {
  const before = process.env.TIDEGATE_REDIS_SERVER;
  process.env.TIDEGATE_REDIS_SERVER = "/nowhere/redis-server";
  try {
    await assert.rejects(startRedis(), /^Error: \/nowhere\/redis-server cannot be run: install/);
  } finally {
    if (before === undefined) delete process.env.TIDEGATE_REDIS_SERVER;
    else process.env.TIDEGATE_REDIS_SERVER = before;
  }
});

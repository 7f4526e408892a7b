// Uses every door of the installed packages once, and prints the name of each that worked.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import express from "express";
import { createLimiter, fixedWindow, TidegateError, tokenBucket } from "tidegate";
import { rateLimit } from "tidegate/express";
import { redisStore } from "tidegate/redis";
import { simulate } from "tidegate/simulation";
import { startService } from "tidegate-server";

const policies = {
  api: {
    limits: [fixedWindow({ limit: 1, window: "1h" }), tokenBucket({ capacity: 5, refill: "1/h" })],
  },
};

const limiter = createLimiter({ policies });
assert.equal((await limiter.check({ policy: "api", key: "a" })).allowed, true);
assert.equal((await limiter.check({ policy: "api", key: "a" })).allowed, false);
await assert.rejects(limiter.check({ policy: "other", key: "a" }), TidegateError);
console.log("tidegate");

const app = express().use(rateLimit({ limiter, policy: "api" }));
app.get("/", (_req, res) => res.send("hello"));
const server = app.listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}/`;
assert.deepEqual([(await fetch(url)).status, (await fetch(url)).status], [200, 429]);
server.close();
server.closeAllConnections();
console.log("tidegate/express");

const { configurations } = await simulate({
  name: "one",
  duration: "1s",
  nodes: { count: 1 },
  traffic: [{ rate: 10, arrivals: "constant", keys: ["a"] }],
  configurations: { central: { limits: policies.api.limits } },
});
assert.deepEqual(configurations[0].admittedOverIdeal, 1);
console.log("tidegate/simulation");

assert.equal(typeof startService, "function");
console.log("tidegate-server");

const proto = import.meta.resolve("tidegate-server/proto/tidegate/v1/rate_limiter.proto");
assert.match(readFileSync(fileURLToPath(proto), "utf8"), /service RateLimiter/);
console.log("proto");

if (process.env.REDIS_URL !== undefined) {
  // A machine that is busy with other tests may be late with an answer.
  const patient = { api: { ...policies.api, deadline: "1s" } };
  const store = redisStore({ url: process.env.REDIS_URL });
  const shared = createLimiter({ policies: patient, store });
  const first = await shared.check({ policy: "api", key: "a" });
  const second = await shared.check({ policy: "api", key: "a" });
  assert.deepEqual([first.allowed, first.source, second.allowed], [true, "store", false]);
  await shared.close();
  console.log("tidegate/redis");
}
await limiter.close();

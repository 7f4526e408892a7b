// Type-checked against the installed packages, with two ways of resolving modules.

import express from "express";
import { Redis } from "ioredis";
import { createLimiter, type Decision, type Limiter, tokenBucket } from "tidegate";
import { rateLimit } from "tidegate/express";
import { redisStore } from "tidegate/redis";
import { type Report, simulate } from "tidegate/simulation";
import type { Configuration } from "tidegate-server";

const limiter: Limiter = createLimiter({
  store: redisStore({ client: new Redis() }),
  policies: { api: { limits: [tokenBucket({ capacity: 100, refill: "10/s" })] } },
});
const decision: Decision = await limiter.check({ policy: "api", key: "user:42" });
const wait: number | null = decision.retryAfterMs;
const host: Configuration["host"] = "127.0.0.1";
express().use(rateLimit({ limiter, policy: "api", key: (req) => req.get("x-api-key") }));
console.log(wait, host);
const report: Promise<Report> = simulate({
  name: "types",
  duration: "1s",
  nodes: { count: 2 },
  traffic: [{ rate: 10, keys: { count: 3 } }],
  configurations: { central: { limits: [tokenBucket({ capacity: 100, refill: "10/s" })] } },
  faults: [{ fault: "store-hangs", at: "200ms", for: "100ms" }],
});
console.log(await report);

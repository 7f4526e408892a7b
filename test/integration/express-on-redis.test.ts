// The Express middleware on a real Redis and real time: two servers share turns and permits, a client that leaves gives
// its permit back, and a failed request its charge.

import assert from "node:assert/strict";
import { once } from "node:events";
import type { Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, test } from "node:test";
import express, { type RequestHandler } from "express";
import { concurrency, createLimiter, fixedWindow, type Limiter, leakyBucket } from "tidegate";
import { type RateLimitOptions, rateLimit } from "tidegate/express";
import { redisStore } from "tidegate/redis";
import { eventually } from "../support/eventually.ts";
import { patient } from "../support/patient.ts";
import { type RedisServer, startRedis, withoutRedis } from "../support/redis-server.ts";

const PACE_MS = 50;
const LEASE_MS = 1_000;
const policies = {
  mail: { limits: [leakyBucket({ rate: `1/${PACE_MS}ms`, queue: 9 })] },
  exports: { limits: [concurrency({ limit: 2, lease: LEASE_MS })] },
  orders: { limits: [fixedWindow({ limit: 5, window: "36500d" })] },
};

describe("Express on Redis", { skip: withoutRedis }, () => {
  let redis: RedisServer;
  const limiters: Limiter[] = [];
  const servers: Server[] = [];
  before(async () => {
    redis = await startRedis();
  });
  after(async () => {
    for (const server of servers) {
      server.closeAllConnections();
      server.close();
    }
    await Promise.all(limiters.map((limiter) => limiter.close()));
    await redis.stop();
  });

  /** Two servers, each with a limiter of its own, as two nodes have. */
  async function serveTwice(
    options: Omit<RateLimitOptions, "limiter" | "key">,
    handler: RequestHandler,
  ): Promise<{ urls: string[]; look: Limiter["peek"] }> {
    const urls: string[] = [];
    for (let node = 0; node < 2; node += 1) {
      const limiter = createLimiter({
        store: redisStore({ url: redis.url }),
        policies: patient(policies),
      });
      limiters.push(limiter);
      const application = express();
      application.use(rateLimit({ ...options, limiter, key: () => "k" }), handler);
      const server = application.listen(0, "127.0.0.1");
      servers.push(server);
      await once(server, "listening");
      urls.push(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
    }
    return { urls, look: (request) => limiters.at(-1)!.peek(request) };
  }

  test("requests of one key go in their turn, whichever server they came to", async () => {
    const times: number[] = [];
    const { urls } = await serveTwice({ policy: "mail" }, (_req, res) => {
      times.push(performance.now());
      res.send("sent");
    });
    const responses = await Promise.all(
      Array.from({ length: 14 }, (_, at) => fetch(urls[at % 2]!)),
    );
    const statuses = responses.map(({ status }) => status);
    assert.equal(statuses.filter((status) => status === 200).length, times.length);
    // Ten at once, and those whose time came while the others were still being sent.
    assert.ok(times.length >= 10, `${times.length} were admitted`);
    const spanMs = Math.max(...times) - Math.min(...times);
    // A turn and a half for what the answers took on their way.
    assert.ok(spanMs >= (times.length - 2.5) * PACE_MS, `${times.length} in ${spanMs} ms`);
  });

  test("permits are shared, kept for many leases, and given back by a client that leaves", async () => {
    let handled = 0;
    const { urls, look } = await serveTwice({ policy: "exports" }, (_req, res) => {
      handled += 1;
      res.write("and so on");
    });
    const abort = new AbortController();
    const long = await Promise.all(urls.map((url) => fetch(url, { signal: abort.signal })));
    assert.deepEqual(
      long.map(({ status }) => status),
      [200, 200],
    );
    const began = performance.now();
    await eventually(async () => {
      const denied = await fetch(urls[0]!);
      assert.deepEqual([denied.status, denied.headers.get("retry-after")], [429, "1"]);
      assert.ok(performance.now() - began > 2.5 * LEASE_MS);
    });
    assert.equal(handled, 2);
    abort.abort();
    await Promise.allSettled(long.map((response) => response.text()));
    await eventually(async () => {
      assert.equal((await look({ policy: "exports", key: "k" })).remaining, 2);
    });
  });

  test("a failed request's charge comes back", async () => {
    const refundWhen: RateLimitOptions["refundWhen"] = (_req, res) => res.statusCode >= 500;
    const { urls, look } = await serveTwice(
      { policy: "orders", cost: 2, refundWhen },
      (req, res) => {
        res.sendStatus(req.method === "POST" ? 503 : 200);
      },
    );
    for (let times = 0; times < 3; times += 1) {
      const failed = await fetch(urls[times % 2]!, { method: "POST" });
      assert.deepEqual(
        [failed.status, failed.headers.get("ratelimit")?.slice(0, 12)],
        [503, '"orders";r=3'],
      );
      await eventually(async () => {
        assert.equal((await look({ policy: "orders", key: "k" })).remaining, 5);
      });
    }
    await fetch(urls[0]!);
    await fetch(urls[1]!);
    assert.equal((await look({ policy: "orders", key: "k" })).remaining, 1);
  });
});

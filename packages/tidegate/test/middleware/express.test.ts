// The Express middleware: the contract on Express 5 and 4, and what only Express has.

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { describe, it } from "node:test";
import express from "express";
import { createLimiter, fixedWindow, memoryStore } from "tidegate";
import { clientAddress, rateLimit } from "tidegate/express";
import { createManualClock } from "../support/manual-clock.ts";
import { createSetup } from "./contract-setup.ts";
import { answerError, createExpressAdapter } from "./express-adapter.ts";
import { createTestLimiter, serve } from "./express-setup.ts";
import { testMiddleware } from "./middleware-contract.ts";
import { watchChanges } from "./until.ts";

// Installed under another name beside Express 5, and so without types of its own.
const { default: express4 } = (await import("express4" as string)) as { default: typeof express };

testMiddleware(createExpressAdapter("Express 5", express));
testMiddleware(createExpressAdapter("Express 4", express4));

describe("rateLimit, on Express", () => {
  it("falls back to the address in a key function, with the middleware's prefix", async () => {
    const application = express();
    application.set("trust proxy", 1);
    application.use(
      rateLimit({
        limiter: createTestLimiter(),
        policy: "api",
        ipv6Prefix: 48,
        key: (req) => req.get("x-user") ?? clientAddress(req),
      }),
    );
    application.use((req, res) => void res.send(req.rateLimit?.key));
    const url = await serve(application);
    const headers = { "x-forwarded-for": "2001:db8:1:2::3" };
    assert.equal(await (await fetch(url, { headers })).text(), "2001:db8:1::/48");
    assert.equal(
      await (await fetch(url, { headers: { ...headers, "x-user": "ada" } })).text(),
      "ada",
    );
  });

  it("reads the address by /64 outside of any middleware", async () => {
    const application = express();
    application.set("trust proxy", 1);
    application.use((req, res) => void res.send(clientAddress(req)));
    const url = await serve(application);
    const headers = { "x-forwarded-for": "2001:db8:1:2::3" };
    assert.equal(await (await fetch(url, { headers })).text(), "2001:db8:1:2::/64");
  });

  it("warns through the process where no onWarning is given", async () => {
    const application = express();
    application.set("trust proxy", true);
    application.use(rateLimit({ limiter: createTestLimiter(), policy: "api" }));
    application.use((_req, res) => void res.send("ok"));
    const url = await serve(application);
    const warned = once(process, "warning");
    await fetch(url);
    const [warning] = (await warned) as [Error & { code?: string }];
    assert.equal(warning.name, "TidegateWarning");
    assert.equal(warning.code, "TIDEGATE_TRUST_PROXY_TRUE");
  });

  it("survives an answer that was sent before, and runs nothing behind a denial", async () => {
    const limiter = createTestLimiter();
    let handled = 0;
    // Long enough that most of it is still to be sent when the denial comes.
    const early = "early".repeat(2_000_000);
    const application = express();
    application.use((_req, res, next) => {
      res.send(early);
      next();
    });
    application.use(rateLimit({ limiter, policy: "login", key: () => "k" }));
    application.use(() => {
      handled += 1;
    });
    const url = await serve(application);
    for (let count = 0; count < 4; count += 1) {
      const response = await fetch(url);
      assert.equal(response.status, 200);
      assert.ok((await response.text()) === early);
    }
    const { remaining } = await limiter.peek({ policy: "login", key: "k" });
    assert.equal(remaining, 0);
    assert.equal(handled, 2);
  });

  it("waits for turns and permits also where the answer was sent before", async () => {
    const { limiter, timer } = createSetup();
    const begun = watchChanges();
    let handled = 0;
    const application = express();
    application.use((_req, res, next) => {
      res.send("accepted");
      res.once("close", next);
    });
    application.use(rateLimit({ limiter, policy: "mail", key: () => "k" }));
    application.use(rateLimit({ limiter, policy: "exports", key: () => "k" }));
    application.use(() => {
      handled += 1;
      begun.tell();
    });
    const url = await serve(application);
    await (await fetch(url)).text();
    await begun.until(() => handled === 1);
    await (await fetch(url)).text();
    await timer.untilWaiting(1);
    await timer.advanceMs(1_000);
    await begun.until(() => handled === 2);
    const { remaining } = await limiter.peek({ policy: "exports", key: "k" });
    assert.equal(
      remaining,
      2,
      "a permit is held while the response is under way, and this one was over",
    );
  });

  it("breaks off a half-sent answer at a denial", async () => {
    const application = express();
    application.use((_req, res, next) => {
      res.write("half");
      next();
    });
    application.use(
      rateLimit({ limiter: createTestLimiter(), policy: "login", key: () => "k", cost: 3 }),
    );
    application.use((_req, res) => void res.end(" and half"));
    const url = await serve(application);
    await assert.rejects(async () => (await fetch(url)).text());
  });

  it("neither answers nor runs the handler for a client that has left without an address", async () => {
    const limiter = createTestLimiter();
    const errors: unknown[] = [];
    let handled = 0;
    const application = express();
    let passed: () => void = () => {};
    const done = new Promise<void>((resolve) => {
      passed = resolve;
    });
    application.use((req, _res, next) => {
      // What an earlier middleware does that waits, such as for a session, while the client hangs up.
      req.socket.once("close", () => {
        next();
        setImmediate(passed);
      });
    });
    application.use(rateLimit({ limiter, policy: "api" }));
    application.use(() => {
      handled += 1;
    });
    const watch: express.ErrorRequestHandler = (error, _req, _res, next) => {
      errors.push(error);
      next(error);
    };
    application.use(watch);
    const url = new URL(await serve(application));
    const socket = connect(Number(url.port), url.hostname);
    await once(socket, "connect");
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await once(socket.end(), "close");
    await done;
    assert.equal(handled, 0);
    assert.deepEqual(errors, []);
  });

  it("crashes nothing where the client leaves while the store decides", async () => {
    const memory = memoryStore({ clock: createManualClock() });
    let release: () => void = () => {};
    const released = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrived: () => void = () => {};
    const arrival = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const limiter = createLimiter({
      store: {
        shared: true,
        async decide(policy, key, cost, consume) {
          arrived();
          await released;
          return memory.decide(policy, key, cost, consume);
        },
        reset() {},
        ping() {},
        run: () => assert.fail("only checks are asked for"),
        split: (parts) => [parts],
        attach() {},
        detach() {},
      },
      policies: { api: { limits: [fixedWindow({ limit: 1, window: "1m" })] } },
    });
    const application = express();
    application.use(rateLimit({ limiter, policy: "api", key: () => "k", cost: 2 }));
    application.use(() => assert.fail("a denied request was handled"));
    application.use(answerError);
    const url = await serve(application);
    const abort = new AbortController();
    const asked = fetch(url, { signal: abort.signal });
    await arrival;
    abort.abort();
    await assert.rejects(asked, { name: "AbortError" });
    release();
    assert.equal((await fetch(url)).status, 429);
  });
});

// Middlewares that are created per request are found, and sound ways to create them late are not suspected.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import express, { type RequestHandler } from "express";
import { rateLimit, type Warning } from "tidegate/express";
import { answerError } from "./express-adapter.ts";
import { createTestLimiter, serve } from "./express-setup.ts";

describe("rateLimit, created per request", () => {
  function build(create: (warn: (warning: Warning) => void) => RequestHandler) {
    const warnings: Warning[] = [];
    const application = express();
    application.use(create((warning) => warnings.push(warning)));
    application.use((_req, res) => void res.send("ok"));
    application.use(answerError);
    return { application, warnings };
  }

  const create = (onWarning: (warning: Warning) => void) =>
    rateLimit({ limiter: createTestLimiter(), policy: "login", key: () => "k", onWarning });

  it("reports once that each of several identical requests got its own", async () => {
    const { application, warnings } = build((onWarning) => (req, res, next) => {
      create(onWarning)(req, res, next);
    });
    const url = await serve(application);
    for (let count = 0; count < 6; count += 1) assert.equal((await fetch(url)).status, 200);
    assert.deepEqual(
      warnings.map(({ code }) => code),
      ["TIDEGATE_CREATED_PER_REQUEST"],
    );
    assert.match(warnings[0]!.message, /once, when the application starts/);
  });

  it("reports a router that is built per request", async () => {
    const { application, warnings } = build((onWarning) => (req, res, next) => {
      const router = express.Router();
      router.use(create(onWarning));
      router(req, res, next);
    });
    const url = await serve(application);
    for (let count = 0; count < 3; count += 1) await fetch(url);
    assert.equal(warnings.length, 1);
  });

  it("does not suspect one that is created when first needed, nor several", async () => {
    let kept: RequestHandler[] | undefined;
    const { application, warnings } = build((onWarning) => {
      const chain = (index: number): RequestHandler => {
        return (req, res, next) => {
          kept ??= [create(onWarning), create(onWarning), create(onWarning), create(onWarning)];
          kept[index]!(req, res, next);
        };
      };
      const router = express.Router();
      for (const index of [0, 1, 2, 3]) router.use(chain(index));
      return router;
    });
    const url = await serve(application);
    for (let count = 0; count < 6; count += 1) await fetch(url);
    assert.deepEqual(warnings, []);
  });

  it("does not suspect several that are created together and asked at once", async () => {
    let kept: RequestHandler[] | undefined;
    const { application, warnings } = build((onWarning) => (req, res, next) => {
      kept ??= [create(onWarning), create(onWarning), create(onWarning), create(onWarning)];
      const [last, ...others] = kept;
      for (const other of others) other(req, res, () => {});
      last!(req, res, next);
    });
    const url = await serve(application);
    await fetch(url);
    assert.deepEqual(warnings, []);
  });

  it("does not suspect those of a pool that is made at start and used in turns", async () => {
    let turn = 0;
    const { application, warnings } = build((onWarning) => {
      const pool = Array.from({ length: 5 }, () => create(onWarning));
      return (req, res, next) => {
        pool[turn]!(req, res, next);
        turn += 1;
      };
    });
    const url = await serve(application);
    for (let count = 0; count < 5; count += 1) await fetch(url);
    assert.deepEqual(warnings, []);
  });

  it("does not suspect one per tenant, however many come at once", async () => {
    const byTenant = new Map<string, RequestHandler>();
    const { application, warnings } = build((onWarning) => (req, res, next) => {
      const tenant = req.get("x-tenant") ?? "";
      const middleware = byTenant.get(tenant) ?? create(onWarning);
      byTenant.set(tenant, middleware);
      middleware(req, res, next);
    });
    const url = await serve(application);
    for (let count = 0; count < 50; count += 1) {
      await fetch(url, { headers: { "x-tenant": `tenant-${count}` } });
    }
    assert.equal(byTenant.size, 50);
    assert.deepEqual(warnings, []);
  });

  it("does not suspect one that is made anew now and then, and used in between", async () => {
    let middleware: RequestHandler | undefined;
    const { application, warnings } = build((onWarning) => (req, res, next) => {
      middleware ??= create(onWarning);
      middleware(req, res, next);
    });
    const url = await serve(application);
    for (let count = 0; count < 8; count += 1) {
      if (count % 2 === 0) middleware = undefined;
      await fetch(url);
    }
    assert.deepEqual(warnings, []);
  });

  it("does not suspect the ones of a test that calls them directly", () => {
    const warnings: Warning[] = [];
    for (let count = 0; count < 5; count += 1) {
      const middleware = create((warning) => warnings.push(warning));
      const mocked = { headers: {}, method: "GET", url: "/" } as never;
      middleware(mocked, { headersSent: true } as never, () => {});
    }
    assert.deepEqual(warnings, []);
  });
});

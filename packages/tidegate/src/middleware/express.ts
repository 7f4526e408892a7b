// The door "tidegate/express": a middleware for Express 4 and 5 that asks a limiter about each request. It answers
// denials itself, hands faults to the application's error handler, and never shows a fault as a denial.

import type { NextFunction, Request, RequestHandler, Response } from "express";
import type { Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { PolicyDescription } from "../limiter.ts";
import { show } from "../policy/options.ts";
import { createSystemId } from "../runtime/system-ids.ts";
import { askLimiter } from "./ask-limiter.ts";
import { combineHeaders } from "./combined-headers.ts";
import { watchExchange } from "./exchange.ts";
import {
  clientAddress,
  fingerprintOf,
  leftWithoutAddress,
  lendAddressSettings,
} from "./express-client.ts";
import {
  checkRefund,
  checkSettings,
  type RateLimitOptions,
  type Settings,
} from "./express-options.ts";
import { countedBefore, reportOnce, watchBirth } from "./misuse.ts";
import { denialProblem, PROBLEM_MEDIA_TYPE } from "./problem-details.ts";
import { type HeaderVersion, rateLimitHeaders } from "./rate-limit-headers.ts";
import { refundOnceOver } from "./refund-when.ts";

export type { Decision } from "../decision.ts";
export type { Warning } from "../runtime/warnings.ts";
export type { HeaderVersion } from "./rate-limit-headers.ts";
export { clientAddress, type RateLimitOptions };

declare global {
  namespace Express {
    interface Request {
      /** The decision of the rate limiter that was asked last; undefined where it was skipped. */
      rateLimit?: Decision;
    }
  }
}

/**
 * Creates a middleware that asks `limiter` about each request. Sets `req.rateLimit`; passes what is allowed on, after
 * its delay where the policy has a queue, and holding a permit until the response is over where it has a concurrency
 * limit; answers what is denied with 429 and a problem document, or with 503 where it is denied because the store gave
 * no answer and the policy says "deny". Faults and misuses go to `next(error)`.
 * @throws TidegateError INVALID_OPTION naming the option, or UNKNOWN_POLICY for a name that the limiter lacks.
 */
export function rateLimit(options: RateLimitOptions): RequestHandler {
  const settings = checkSettings(options);
  const birth = watchBirth();
  return function rateLimited(req, res, next) {
    if (birth.called(req.app, req, () => fingerprintOf(req))) {
      reportOnce(req.app, settings.warn, "TIDEGATE_CREATED_PER_REQUEST", CREATED_PER_REQUEST);
    }
    guard(settings, req, res, next).then(
      (proceed) => {
        if (proceed) next();
      },
      (error: unknown) => {
        // Nobody is left to answer, and to go on uncounted would let a client work by hanging up early.
        if (isAboutKey(error) && leftWithoutAddress(req)) return;
        next(errorFor(error));
      },
    );
  };
}

/** Decides and answers; resolves to whether the request is to go on. */
async function guard(
  settings: Settings,
  req: Request,
  res: Response,
  next: NextFunction,
): Promise<boolean> {
  const { limiter, skip, refundWhen, onDenied } = settings;
  if (skip !== undefined && (await skip(req))) return true;
  const policy = settings.policyOf(req);
  lendAddressSettings(req, settings);
  const key = checkKey(await settings.keyOf(req));
  const cost = settings.costOf(req);
  const description = limiter.describe(policy, key);
  if (refundWhen !== undefined) checkRefund(limiter.describe(policy), refundWhen);
  const exchange = watchExchange(req, res);
  // A charge that may be given back is made under an id of ours, so that it is given back once and no other with it.
  const id = refundWhen === undefined ? undefined : createSystemId();
  const question = { policy, key, cost, ...(id === undefined ? {} : { id }) };
  const decision = await askLimiter(limiter, question, description, exchange);
  if (decision === undefined) return false;
  req.rateLimit = decision;
  if (cost > 0 && countedBefore(req, limiter, policy, key)) {
    reportOnce(req.app, settings.warn, "TIDEGATE_COUNTED_TWICE", countedTwice(policy), policy);
  }
  setHeaders(res, decision, description, settings.version);
  if (decision.allowed) {
    const charged = cost > 0 && !decision.shadow && description.limits.length > 0;
    if (refundWhen !== undefined && id !== undefined && charged) {
      const wants = () => refundWhen(req, res);
      refundOnceOver(limiter, { policy, key, id }, exchange, wants, (message) => {
        reportOnce(req.app, settings.warn, "TIDEGATE_REFUND_WHEN", message);
      });
    }
    return true;
  }
  if (onDenied === undefined) deny(res, decision);
  else await onDenied(req, res, decision, next);
  return false;
}

function setHeaders(
  res: Response,
  decision: Decision,
  description: PolicyDescription,
  version: HeaderVersion | undefined,
): void {
  if (version === undefined || res.headersSent) return;
  const headers = rateLimitHeaders(decision, description, version);
  for (const [name, value] of Object.entries(combineHeaders(res, decision, headers))) {
    res.setHeader(name, value);
  }
}

function deny(res: Response, decision: Decision): void {
  if (res.writableEnded || res.destroyed) return;
  if (res.headersSent) {
    // Half an answer is on its way, and no other can follow it: breaking it off is the only "no" left.
    res.destroy();
    return;
  }
  const problem = denialProblem(decision);
  const body = JSON.stringify(problem);
  res.statusCode = problem.status;
  res.setHeader("Content-Type", PROBLEM_MEDIA_TYPE);
  res.setHeader("Cache-Control", "no-store");
  res.end(body);
}

function checkKey(key: unknown): string {
  if (typeof key === "string" && key.length > 0) return key;
  throw new TidegateError(
    "INVALID_REQUEST",
    `key must be a string that is not empty, and the key function answered ${show(key)}; return a key for every ` +
      "request, such as clientAddress(req) for callers without a name, or leave requests out with skip",
    { field: "key" },
  );
}

function isAboutKey(error: unknown): boolean {
  return error instanceof TidegateError && error.field === "key";
}

/** Returns what `next` takes for an error: Express reads undefined, "route" and "router" as leave to go on. */
function errorFor(thrown: unknown): unknown {
  if (typeof thrown === "object" && thrown !== null) return thrown;
  return new Error(`rateLimit() was stopped by ${show(thrown)}, which is not an error`, {
    cause: thrown,
  });
}

const CREATED_PER_REQUEST =
  "rateLimit() is called for every request: identical requests each got a middleware of their own. Where " +
  "createLimiter() is called with it, each request starts with the whole limit and nothing is ever denied. Call " +
  "both once, when the application starts, and mount what rateLimit() returns.";

function countedTwice(policy: string): string {
  return (
    `The policy "${policy}" counted one request twice under the same key, so callers get half of what it allows. ` +
    "rateLimit() is mounted twice on the way of that request, for instance on the application and on a router: " +
    "remove one of them, or give them policies of their own."
  );
}

// The options of the Express middleware, checked where it is created, so that none is wrong once requests come.

import type { NextFunction, Request, Response } from "express";
import type { Decision } from "../decision.ts";
import { TidegateError } from "../errors.ts";
import type { Limiter, PolicyDescription } from "../limiter.ts";
import { MAX_UNITS } from "../policy/limits.ts";
import { checkOptions, optionError, show } from "../policy/options.ts";
import { checkCost } from "../policy/request.ts";
import { emitWarning, type Warning } from "../runtime/warnings.ts";
import { holdsPermits } from "./ask-limiter.ts";
import { checkIpv6Prefix, DEFAULT_IPV6_PREFIX } from "./client-address.ts";
import { clientAddress } from "./express-client.ts";
import { HEADER_VERSIONS, type HeaderVersion } from "./rate-limit-headers.ts";

/** How a request is limited. */
export interface RateLimitOptions {
  /** Made by createLimiter() once, at start. */
  readonly limiter: Limiter;
  /** A policy's name, or a function that chooses one for the request. */
  readonly policy: string | ((req: Request) => string);
  /** Whom to count; left out: the client's address, see `clientAddress`. Undefined and "" are errors, not a key. */
  readonly key?: (req: Request) => string | undefined | Promise<string | undefined>;
  /** Units that the request takes; default 1. */
  readonly cost?: number | ((req: Request) => number);
  /** Requests for which this answers true are not counted, and get no headers. */
  readonly skip?: (req: Request) => boolean | Promise<boolean>;
  /**
   * Answers a denial in place of the 429 or 503, or lets it pass by calling `next()`. Headers are set, the status is
   * not.
   */
  readonly onDenied?: (
    req: Request,
    res: Response,
    decision: Decision,
    next: NextFunction,
  ) => void | Promise<void>;
  /**
   * Is asked once when the response has been sent or its connection has closed; true gives back what the request was
   * charged. `res.writableFinished` says whether it was sent. Not for policies with a concurrency limit.
   */
  readonly refundWhen?: (req: Request, res: Response) => boolean;
  /** Which version of RateLimit, RateLimit-Policy and Retry-After to send; true, the default: the newest. */
  readonly headers?: boolean | HeaderVersion;
  /** Bits of an IPv6 address that are counted as one client, 32 to 128; default 64. */
  readonly ipv6Prefix?: number;
  /** Is told, once each, of settings that seem to work but do not; default: a process warning. */
  readonly onWarning?: (warning: Warning) => void;
}

/** The options, checked and with their defaults. */
export interface Settings {
  readonly limiter: Limiter;
  readonly policyOf: (req: Request) => string;
  readonly keyOf: (req: Request) => string | undefined | Promise<string | undefined>;
  readonly costOf: (req: Request) => number;
  readonly skip: RateLimitOptions["skip"];
  readonly onDenied: RateLimitOptions["onDenied"];
  readonly refundWhen: RateLimitOptions["refundWhen"];
  readonly version: HeaderVersion | undefined;
  readonly ipv6Prefix: number;
  readonly warn: (warning: Warning) => void;
}

const OPTION_NAMES: readonly (keyof RateLimitOptions)[] = [
  "limiter",
  "policy",
  "key",
  "cost",
  "skip",
  "onDenied",
  "refundWhen",
  "headers",
  "ipv6Prefix",
  "onWarning",
];

/**
 * Checks the options of rateLimit().
 * @throws TidegateError INVALID_OPTION naming the option, or UNKNOWN_POLICY for a name that the limiter lacks.
 */
export function checkSettings(options: RateLimitOptions): Settings {
  checkOptions("rateLimit", options, OPTION_NAMES);
  const { limiter, policy, key, cost = 1, skip, onDenied, headers = true, onWarning } = options;
  const { refundWhen, ipv6Prefix = DEFAULT_IPV6_PREFIX } = options;
  const given: Partial<Limiter> | null | undefined = limiter;
  if (typeof given?.check !== "function" || typeof given.describe !== "function") {
    throw optionError("limiter", "a limiter made by createLimiter()", limiter);
  }
  if (typeof policy === "string") checkRefund(limiter.describe(policy), refundWhen);
  else checkFunction("policy", "a policy's name, or a function that returns one", policy);
  if (typeof cost !== "function" && !(Number.isInteger(cost) && cost >= 0 && cost <= MAX_UNITS)) {
    const expected = `a whole number from 0 to ${MAX_UNITS}, or a function that returns one`;
    throw optionError("cost", expected, cost);
  }
  for (const [field, value] of Object.entries({
    key,
    skip,
    onDenied,
    refundWhen,
    onWarning,
  })) {
    if (value !== undefined) checkFunction(field, "a function", value);
  }
  return {
    limiter,
    policyOf: typeof policy === "function" ? policy : () => policy,
    keyOf: key ?? clientAddress,
    costOf: typeof cost === "function" ? checked(cost) : () => cost,
    skip,
    onDenied,
    refundWhen,
    version: checkHeaders(headers),
    ipv6Prefix: checkIpv6Prefix("ipv6Prefix", ipv6Prefix),
    warn: onWarning ?? emitWarning,
  };
}

/**
 * Refuses to refund what was acquired: a permit comes back by itself, and what the other limits took with it stays.
 * @throws TidegateError INVALID_OPTION
 */
export function checkRefund(
  description: PolicyDescription,
  refundWhen: RateLimitOptions["refundWhen"],
): void {
  if (refundWhen === undefined || !holdsPermits(description)) return;
  const message =
    "refundWhen must be left out for policies with a concurrency limit, whose permits come back when the response " +
    `is over, got it with ${show(description.name)}`;
  throw new TidegateError("INVALID_OPTION", message, { field: "refundWhen" });
}

function checkFunction(field: string, expected: string, value: unknown): void {
  if (typeof value !== "function") throw optionError(field, expected, value);
}

function checkHeaders(value: boolean | HeaderVersion): HeaderVersion | undefined {
  if (value === true) return HEADER_VERSIONS.at(-1);
  if (value === false || HEADER_VERSIONS.includes(value))
    return value === false ? undefined : value;
  const names = HEADER_VERSIONS.map((version) => `"${version}"`);
  throw optionError("headers", ["true", "false", ...names].join(" or "), value);
}

/** A function that forgets to return is told, rather than counted as 1. */
function checked(costOf: (req: Request) => number): (req: Request) => number {
  return (req) => {
    const cost = costOf(req);
    checkCost(cost);
    return cost;
  };
}
